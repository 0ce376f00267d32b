/*
 * dwconv2d for grids that a block holds whole; contracts as in kernels/dwconv2d_cuda.h, for params
 * that fit. Arrays start at multiples of 16 bytes.
 */
#ifndef KERNELS_DWCONV2D_WHOLE_CUH
#define KERNELS_DWCONV2D_WHOLE_CUH

#include "kernels/cuda.cuh"
#include "kernels/dwconv2d.h"

#define DWCONV2D_WHOLE_KERNEL 7
#define DWCONV2D_WHOLE_SIDE 14

int dwconv2d_whole_fits(const struct dwconv2d *p);
/* The most parts of weight gradients that backward writes; see add_tap_parts. */
int dwconv2d_whole_parts(const struct dwconv2d *p);
void dwconv2d_whole_forward(const struct dwconv2d *p, struct array y, struct array c,
	struct array x, const float *weight, const float *bias);
/* Writes part unless NULL, and tells how many. */
int dwconv2d_whole_backward(const struct dwconv2d *p, struct array dx, int acc, float *part,
	struct array dy, struct array c, struct array x, const float *weight);

#endif
