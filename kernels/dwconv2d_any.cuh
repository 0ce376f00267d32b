/* dwconv2d of any width: a thread a value, from global memory. Contracts as in kernels/dwconv2d_cuda.h. */
#ifndef KERNELS_DWCONV2D_ANY_CUH
#define KERNELS_DWCONV2D_ANY_CUH

#include "kernels/cuda.cuh"
#include "kernels/dwconv2d.h"

void dwconv2d_any_forward(const struct dwconv2d *p, struct array y, struct array c, struct array x,
	const float *weight, const float *bias);
/* part (see add_tap_parts) has `parts` parts, at most one an image; NULL: only dx is wanted. */
void dwconv2d_any_backward(const struct dwconv2d *p, struct array dx, int acc, float *part,
	int parts, struct array dy, struct array c, struct array x, const float *weight);

#endif
