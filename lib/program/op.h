/*
 * The op table: one row per op, one implementation of the row per device.
 *
 * A call is an op with its tensors and its parameters, as recorded in a program. To add an op: see
 * README.md beside this file.
 */
#ifndef PROGRAM_OP_H
#define PROGRAM_OP_H

#include <stdint.h>
#include "kernels/step.h"
#include "lib/program/tensor.h"

enum op_id {
#define OP(name) OP_##name,
#include "lib/program/ops.def"
#undef OP
	OP_COUNT
};

struct run {
	const struct step *step;
	real *work; /* scratch of this call */
	int plain;  /* 1: use the reference loops */
	int train;  /* 1: PROGRAM_TRAIN (drop path on) */
};

struct call {
	enum op_id op;
	const char *scope; /* where in the model, for messages: "layers.3.mamba" */
	int n_in;	   /* inputs; a NULL one is absent */
	int n_out;	   /* outputs, differentiable */
	int n_kept;	   /* after the outputs in out[]: what forward keeps for backward */
	tensor *in, *out;
	const void *params; /* the kernel's struct */
	uint64_t reads_in;  /* bit i: backward reads the values of in[i] */
	uint64_t reads_out; /* bit i: backward reads the values of out[i] */
	uint64_t adds;	    /* bit i: the kernel always adds to the gradient of in[i] (weights) */
	uint64_t acc;	    /* bit i: the gradient of in[i] is added to, not set (by the planner) */
	int live;	    /* takes part in backward (by the planner) */
	int zero_dy;	    /* bit i: nobody wrote the gradient of out[i]: cleared before */
};

/* The gradient of input i, or NULL if nobody wants it. */
static inline real *call_dx(const struct call *c, int i)
{
	return c->in[i] && (c->in[i]->flags & TENSOR_GRAD) ? c->in[i]->grad : NULL;
}

static inline int call_acc(const struct call *c, int i)
{
	return (int)(c->acc >> i & 1);
}

/* Values of input or output i as reals; NULL for an absent input. */
static inline real *call_in(const struct call *c, int i)
{
	return c->in[i] ? (real *)c->in[i]->data : NULL;
}

static inline real *call_out(const struct call *c, int i)
{
	return c->out[i] ? (real *)c->out[i]->data : NULL;
}

static inline real *call_dy(const struct call *c, int i)
{
	return c->out[i]->grad;
}

struct op_impl {
	const char *name;
	void (*forward)(const struct call *c, const struct run *r);
	void (*backward)(const struct call *c, const struct run *r); /* NULL: no gradient */
	int64_t (*work)(const struct call *c, int backward);	     /* reals; NULL: none */
};

const char *op_name(enum op_id op);

/* How a program that stores halves keeps an op's outputs; `kept` the same for bits of out[]. */
enum store { STORE_REAL, STORE_HALF, STORE_AS_INPUT };
struct op_store {
	enum store outputs;
	unsigned kept; /* bit i: out[i] beyond the outputs is a half too */
};
struct op_store op_store(enum op_id op);

#endif
