/*
 * Affine map of rows: y = x W^T + bias_scale b.
 *
 * x (rows, in), W (out, in), b (out) or NULL, y (rows, out). Nothing is kept.
 *
 * Backward: dx = dy W, set or added; dW += dy^T x; db += bias_scale sum over rows of dy. NULL is
 * not wanted. The fast form (gemm.h): the bits of a row of y and dx depend on that row alone,
 * those of dW and db on the number of rows; never on threads.
 */
#ifndef KERNELS_LINEAR_H
#define KERNELS_LINEAR_H

#include "kernels/real.h"

struct linear {
	int64_t rows, in, out;
	real bias_scale;
};

void linear_forward(const struct linear *p, real *y, const real *x, const real *W, const real *b);
void linear_backward(const struct linear *p, real *dx, int acc_x, real *dW, real *db,
	const real *dy, const real *x, const real *W);

void linear_forward_fast(
	const struct linear *p, real *y, const real *x, const real *W, const real *b, real *work);
void linear_backward_fast(const struct linear *p, real *dx, int acc_x, real *dW, real *db,
	const real *dy, const real *x, const real *W, real *work);
int64_t linear_work_fast(const struct linear *p, int backward);

#endif
