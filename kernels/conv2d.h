/*
 * Convolution of images, channels last.
 *
 *	y[i][j][o] = bias[o] + sum over di, dj, c of
 *		weight[o][c][di][dj] x[i s + di - p][j s + dj - p][c]
 *
 * Zeros outside, no flip. x (b, height, width, cin); weight (cout, cin, k, k); bias (cout) or NULL;
 * y (b, h', w', cout), h' = floor((height + 2 p - k) / s) + 1, w' alike. 0 <= p < k.
 *
 * Backward: dx is set or added to; dweight and dbias are always added; NULL is not wanted. The fast
 * form sums over fixed tiles of pixels, whose partial sums are added in a fixed order: the bits do
 * not depend on threads. Work in reals, fast form alone.
 */
#ifndef KERNELS_CONV2D_H
#define KERNELS_CONV2D_H

#include "kernels/real.h"

struct conv2d {
	int64_t batch, height, width, cin, cout, kernel, stride, pad;
};

static inline int64_t conv2d_out(const struct conv2d *p, int64_t size)
{
	return (size + 2 * p->pad - p->kernel) / p->stride + 1;
}

void conv2d_forward(
	const struct conv2d *p, real *y, const real *x, const real *weight, const real *bias);
void conv2d_backward(const struct conv2d *p, real *dx, int acc, real *dweight, real *dbias,
	const real *dy, const real *x, const real *weight);

void conv2d_forward_fast(const struct conv2d *p, real *y, const real *x, const real *weight,
	const real *bias, real *work);
void conv2d_backward_fast(const struct conv2d *p, real *dx, int acc, real *dweight, real *dbias,
	const real *dy, const real *x, const real *weight, real *work);
int64_t conv2d_work_fast(const struct conv2d *p, int backward);

#endif
