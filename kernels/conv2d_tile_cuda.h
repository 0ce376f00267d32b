/*
 * The convolution of halves 3 x 3, stride 1, padding 1, of 64 channels to 64, which needs no
 * columns.
 *
 * matrix: room for, or the halves of, conv2d_matrix_cuda. x, y and their gradients are halves.
 */
#ifndef KERNELS_CONV2D_TILE_CUDA_H
#define KERNELS_CONV2D_TILE_CUDA_H

#include "kernels/array.h"
#include "kernels/conv2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the shape is that one and the device can. */
int conv2d_tile_fits(const struct conv2d *p);
void conv2d_tile_forward_cuda(const struct conv2d *p, struct array y, struct array x,
	struct array matrix, const float *bias);
/* dx is set or added to; writes matrix */
void conv2d_tile_input_cuda(const struct conv2d *p, struct array dx, int acc, struct array dy,
	const float *weight, struct array matrix);
/* dweight is added to; work: floats */
void conv2d_tile_weight_cuda(
	const struct conv2d *p, float *dweight, struct array dy, struct array x, float *work);
int64_t conv2d_tile_work_cuda(const struct conv2d *p);

#ifdef __cplusplus
}
#endif
#endif
