/*
 * CUDA pieces of conv2d.h: a matrix of the pixels under every tap, which cuBLASLt multiplies.
 *
 * columns (n, padded) of n output pixels: values in the order (tap row, tap column, channel), then
 * zeros; matrix (cout, padded): the weight in the same order. padded is a multiple of 8, so that
 * rows of halves are aligned to 16 bytes.
 */
#ifndef KERNELS_CONV2D_CUDA_H
#define KERNELS_CONV2D_CUDA_H

#include "kernels/array.h"
#include "kernels/conv2d.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline int64_t conv2d_padded(const struct conv2d *p)
{
	return (p->kernel * p->kernel * p->cin + 7) / 8 * 8;
}

/* Output pixels of an image. */
static inline int64_t conv2d_pixels(const struct conv2d *p)
{
	return conv2d_out(p, p->height) * conv2d_out(p, p->width);
}

/* p->batch says of how many images; x and dx start at the first of them. */
void conv2d_columns_cuda(const struct conv2d *p, struct array columns, struct array x);
/* dx from the gradient of the columns, set or added; a gather, taps in order */
void conv2d_input_cuda(const struct conv2d *p, struct array dx, int acc, struct array columns);
void conv2d_matrix_cuda(const struct conv2d *p, struct array matrix, const float *weight);
/* dweight += the gradient of the matrix, float */
void conv2d_weight_cuda(const struct conv2d *p, float *dweight, const float *matrix);

#ifdef __cplusplus
}
#endif
#endif
