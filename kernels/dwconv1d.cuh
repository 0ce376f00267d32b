/* What the CUDA forms of dwconv1d share: stretches of tokens, parts of weight gradients, types. */
#ifndef KERNELS_DWCONV1D_CUH
#define KERNELS_DWCONV1D_CUH

#include "kernels/dwconv.cuh"
#include "kernels/dwconv1d_cuda.h"

#define TAPS DWCONV1D_WIDTH
#define LAST (TAPS - 1)
#define STRETCH 32 /* tokens */
#define PARTS 512  /* sums of weight gradients at most */

static inline int stretches_of(const struct dwconv1d *p)
{
	return (int)((p->len + STRETCH - 1) / STRETCH);
}

static inline int parts_of(const struct dwconv1d *p)
{
	int64_t n = p->batch * stretches_of(p);

	return (int)(n < PARTS ? n : PARTS);
}

static inline unsigned groups_of(const struct dwconv1d *p, int together, int threads)
{
	return (unsigned)((p->dim + threads * together - 1) / (threads * together));
}

/* CALL(TX, TU, V): pairs of channels where both are halves and dim is even */
#define BY_PACK(x, u, dim, CALL)                                                                   \
	do {                                                                                       \
		if ((x).half && (u).half && (dim) % 2 == 0)                                        \
			CALL(bf16, bf16, 2);                                                       \
		else if ((x).half && (u).half)                                                     \
			CALL(bf16, bf16, 1);                                                       \
		else if ((x).half)                                                                 \
			CALL(bf16, float, 1);                                                      \
		else if ((u).half)                                                                 \
			CALL(float, bf16, 1);                                                      \
		else                                                                               \
			CALL(float, float, 1);                                                     \
	} while (0)

/* Without segments and window; arguments as those of dwconv1d_cuda.h. Backward fills the parts. */
void dwconv1d_rows_forward(const struct dwconv1d *p, struct array u, struct array c, struct array x,
	const float *weight, const float *bias);
void dwconv1d_rows_backward(const struct dwconv1d *p, struct array dx, int acc_x, struct array du,
	struct array c, struct array x, const float *weight, float *part);

#endif
