/*
 * A program: a flat list of calls, recorded by running a model's straight-line code once.
 *
 *	struct program *p = program_new(PROGRAM_TRAIN);
 *	tensor x = program_input(p, "x", TYPE_REAL, 3, shape);
 *	tensor y = linear(p, x, weight, bias, 1);      ... more ops (ops.h)
 *	program_loss(p, loss);
 *	program_plan(p, device);                       no memory touched yet
 *	program_bind(p, block);                        program_bytes(p) bytes, may be shared
 *	program_forward(p, &step);
 *	program_backward(p, &step);
 *
 * Shapes are fixed; after program_bind nothing allocates. Forward walks the list down, backward
 * walks it up. The first writer of a gradient sets it and later ones add: decided by the planner.
 * Parameters belong to models; several programs may run over one model and share one block.
 *
 * Builders never fail by themselves: a shape that does not fit is recorded, and program_plan
 * returns it (STATUS_DATA).
 */
#ifndef PROGRAM_PROGRAM_H
#define PROGRAM_PROGRAM_H

#include <stdint.h>
#include <stdio.h>
#include "lib/program/tensor.h"
#include "lib/program/op.h"
#include "lib/program/device.h"
#include "lib/program/model.h"

enum program_mode {
	PROGRAM_EVAL,	/* running statistics, no drop path, no backward */
	PROGRAM_TRAIN,	/* batch statistics, drop path, backward */
	PROGRAM_FROZEN, /* batch statistics, no drop path; backward reaches what is not frozen */
};

struct program;

struct program *program_new(enum program_mode mode);
void program_free(struct program *p);
/* The mode of calls recorded from now on: a frozen teacher is PROGRAM_EVAL inside a PROGRAM_TRAIN.
 */
void program_set_mode(struct program *p, enum program_mode mode);
enum program_mode program_mode(const struct program *p);
/*
 * Before the first call: outputs that may (op.h, enum store) are stored as bf16, with gradients
 * alike. For devices that compute so; sums, statistics and the residual stream stay as they are.
 */
void program_set_half(struct program *p, int half);
int program_half(const struct program *p);

/* Names the calls that follow, as printf; "" ends it. For messages and profiles. */
void program_scope(struct program *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* --- tensors --- */

/* Memory of its own, written by the caller (tensor_put) before forward. */
tensor program_input(
	struct program *p, const char *name, enum type type, int dims, const int64_t *shape);
/* The same, but taking part in backward; its gradient can be read afterwards. */
tensor program_input_grad(struct program *p, const char *name, int dims, const int64_t *shape);
/* Memory of the caller, count elements. */
tensor program_external(
	struct program *p, const char *name, enum type type, int64_t count, void *data);
/* A parameter of a model, once per program. NULL in, NULL out. */
tensor program_param(struct program *p, struct param *param);
/* Rows [from, from + n) of a parameter's first axis. */
tensor program_param_rows(struct program *p, struct param *param, int64_t from, int64_t n);

/*
 * Gives t another shape of the same count and returns it. Calls recorded before keep the shape they
 * saw; memory and gradient are untouched.
 */
tensor program_reshape(struct program *p, tensor t, int dims, const int64_t *shape);
/* Keeps the values (and the name) for the caller to read after the walk. Returns t. */
tensor program_keep(struct program *p, tensor t, const char *name);
/* The kept or input tensor of that name, or NULL. */
tensor program_find(const struct program *p, const char *name);
/* The i-th input made by program_input or program_input_grad, or NULL after the last. */
tensor program_input_at(const struct program *p, int i);
/* Backward starts here: the gradient is 1; t is a scalar. */
void program_loss(struct program *p, tensor t);
/* Backward starts here, from a gradient handed in by tensor_put_grad after forward. */
void program_seed(struct program *p, tensor t);

/* --- for builders (ops_*.c) --- */

/*
 * Records a call: in, out and params (params_size bytes) are copied. Outputs are made by
 * program_tensor before. Returns out[0], or NULL for a call without outputs.
 */
tensor program_call(struct program *p, const struct call *c, size_t params_size);
tensor program_tensor(struct program *p, enum type type, int dims, const int64_t *shape);
/* Records a shape that does not fit; returns a tensor to go on with. */
tensor program_refuse(struct program *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* 1 after a refusal: builders return at once. */
int program_failed(const struct program *p);
/* A constant table of int32 that lives as long as the program (copied to the device at bind). */
tensor program_table(struct program *p, const int32_t *values, int64_t count);

/* --- planning and running --- */

int program_plan(struct program *p, const struct device *device);
size_t program_bytes(const struct program *p); /* of the shared block */
/* The parameters' models must be allocated by now. Inputs get memory of their own. */
int program_bind(struct program *p, void *block);

void program_forward(struct program *p, const struct step *step);
void program_backward(struct program *p, const struct step *step);

/*
 * Runs forward (and backward, for a program that has one) call by call and looks at every value
 * written. Returns 0 if all are finite, else STATUS_NUMBERS with the first op, its place and the
 * pass recorded as the error. Parameter gradients are spoilt.
 */
int program_check(struct program *p, const struct step *step);

struct program_memory {
	size_t inputs, activations, gradients, work; /* bytes, before packing */
	size_t block;				     /* bytes after packing, work included */
	int calls;
};
void program_memory(const struct program *p, struct program_memory *m);

/* Seconds per op so far, longest first, as TSV: counted only after program_profile(p, 1). */
void program_profile(struct program *p, int on);
void program_profile_print(const struct program *p, FILE *f);

/* Host access to bound tensors: count elements of the tensor's type. */
/* A bf16 tensor's values come and go as reals. */
void tensor_put(struct program *p, tensor t, const void *host);
void tensor_get(struct program *p, tensor t, void *host);
void tensor_put_grad(struct program *p, tensor t, const real *host);
void tensor_get_grad(struct program *p, tensor t, real *host);

#endif
