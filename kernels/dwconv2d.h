/*
 * Depthwise k x k convolution on a height x width grid, then SiLU unless it is plain.
 *
 *	c_ij = bias + sum over di, dj of w[di][dj] x[i + di - k/2][j + dj - k/2]
 *	y    = c sigmoid(c), or plain: c
 *
 * Stride 1, zeros outside, k odd, no flip. x, y (b, height, width, E); weight (E, 1, k, k); bias
 * (E) or NULL; kept: c, as y; plain: c and y are one array, and backward reads neither.
 *
 * Backward: dc = dy s (1 + c (1 - s)), plain: dy; dx is dc convolved with the turned weight, set or
 * added; dweight and dbias are added, pixels in order. NULL is not wanted. Work in reals, fast:
 * forward (k^2 + 1) E, backward the same plus b height width E.
 */
#ifndef KERNELS_DWCONV2D_H
#define KERNELS_DWCONV2D_H

#include "kernels/real.h"

#define DWCONV2D_MAX 31 /* k at most */

struct dwconv2d {
	int64_t batch, height, width, dim, kernel;
	int plain;
};

void dwconv2d_forward(const struct dwconv2d *p, real *y, real *c, const real *x, const real *weight,
	const real *bias);
void dwconv2d_backward(const struct dwconv2d *p, real *dx, int acc_x, real *dweight, real *dbias,
	const real *dy, const real *c, const real *x, const real *weight);

void dwconv2d_forward_fast(const struct dwconv2d *p, real *y, real *c, const real *x,
	const real *weight, const real *bias, real *work);
void dwconv2d_backward_fast(const struct dwconv2d *p, real *dx, int acc_x, real *dweight,
	real *dbias, const real *dy, const real *c, const real *x, const real *weight, real *work);
int64_t dwconv2d_work_fast(const struct dwconv2d *p, int backward);

#endif
