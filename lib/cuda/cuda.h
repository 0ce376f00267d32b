/* What the files of the CUDA library share. */
#ifndef CUDA_CUDA_H
#define CUDA_CUDA_H

#include <cuda_runtime_api.h>
#include "kernels/array.h"
#include "lib/base/error.h"
#include "lib/program/cuda_abi.h"

extern cudaStream_t cuda_stream; /* everything runs on it */
extern int cuda_multiprocessors;
extern const struct cuda_host *cuda_host;
extern enum precision cuda_precision;

/* Remembers the first failure for finish(); returns whether it was one. */
int cuda_failed(cudaError_t e, const char *what);
/* The same for failures of cuBLASLt. */
int cuda_failed_status(int failed, const char *what, int code);

/* Tensors of a call as launchers take them. */
static inline struct array array_of(tensor t)
{
	struct array a = {t ? t->data : 0, t && t->type == TYPE_BF16};

	return a;
}

static inline struct array array_in(const struct call *c, int i)
{
	return array_of(c->in[i]);
}

static inline struct array array_out(const struct call *c, int i)
{
	return array_of(c->out[i]);
}

static inline struct array array_dy(const struct call *c, int i)
{
	struct array a = {c->out[i]->grad, c->out[i]->type == TYPE_BF16};

	return a;
}

/* NULL data: nobody wants it. */
static inline struct array array_dx(const struct call *c, int i)
{
	tensor t = c->in[i];
	struct array a = {t && t->flags & TENSOR_GRAD ? t->grad : 0, t && t->type == TYPE_BF16};

	return a;
}

static inline const int32_t *table_in(const struct call *c, int i)
{
	return c->in[i] ? (const int32_t *)c->in[i]->data : 0;
}

/* --- gemm.c --- */

int gemm_start(void);

/* One operand: rows x cols, row-major; half or float. */
struct gemm {
	int64_t rows, out, in; /* y (rows, out) = x (rows, in) W (out, in)^T */
};
/* y = x W^T + bias (bias of y's type or NULL); y and its operands half or float alike. */
void gemm_forward(
	const struct gemm *g, struct array y, struct array x, struct array W, const void *bias);
/* dx = dy W, or added to dx. */
void gemm_input(const struct gemm *g, struct array dx, int acc, struct array dy, struct array W);
/* dW (float) += dy^T x. */
void gemm_weight(const struct gemm *g, float *dW, struct array dy, struct array x);

#endif
