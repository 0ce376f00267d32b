/*
 * A tensor of a program: a handle that the planner gives an address.
 *
 * Row-major, contiguous, channels last. A tensor belongs to its program; its memory belongs to the
 * program's block of activations, to a model (parameters), or to the caller (externals).
 */
#ifndef PROGRAM_TENSOR_H
#define PROGRAM_TENSOR_H

#include <stddef.h>
#include <stdint.h>
#include "kernels/real.h"

#define TENSOR_DIMS 5

enum type {
	TYPE_REAL,
	TYPE_I32,
	TYPE_U8,
	TYPE_BF16, /* activations of a program that stores them in half (program_set_half) */
};

enum tensor_flags {
	TENSOR_PARAM = 1,      /* memory and gradient belong to a model; gradients add */
	TENSOR_INPUT = 2,      /* filled by the caller before forward; has memory of its own */
	TENSOR_EXTERNAL = 4,   /* memory belongs to the caller */
	TENSOR_KEEP = 8,       /* data outlives the walk, for the caller to read */
	TENSOR_GRAD = 16,      /* takes part in backward */
	TENSOR_SEED = 32,      /* its gradient is handed in before backward */
	TENSOR_KEEP_GRAD = 64, /* its gradient outlives backward */
	TENSOR_LOSS = 128,     /* a seed whose gradient is 1 */
};

struct param;
struct tensor {
	const char *name; /* of the call that made it, or as kept */
	enum type type;
	int dims;
	int64_t shape[TENSOR_DIMS];
	int64_t count; /* elements */
	unsigned flags;
	void *data; /* set by program_bind */
	void *grad; /* of the tensor's type; NULL unless TENSOR_GRAD and written by someone */

	struct param *param; /* TENSOR_PARAM: of which it is the part from param_offset */
	void *half;	     /* TENSOR_PARAM: the same values as bf16; NULL: there are none */
	int64_t param_offset;
	int producer;		     /* index of the call, -1 for inputs */
	int64_t offset, grad_offset; /* bytes in the block, -1 for none */
	int id;
};
typedef struct tensor *tensor;

size_t type_size(enum type type);

/* Values of the last axis, and the number of rows before it. */
static inline int64_t tensor_last(tensor t)
{
	return t->shape[t->dims - 1];
}

static inline int64_t tensor_rows(tensor t)
{
	return t->count / t->shape[t->dims - 1];
}

/* "(64, 17, 48)" into a buffer of its own, four of which rotate per thread: for messages */
const char *shape_text(int dims, const int64_t *shape);

#endif
