/*
 * Layer norm and RMS norm of rows.
 *
 *	centred	y = (x - mean) rstd weight + bias	rstd = 1 / sqrt(mean of (x - mean)^2 + eps)
 *	else	y = x rstd weight + bias		rstd = 1 / sqrt(mean of x^2 + eps)
 *
 * x, y (rows, dim); weight, bias (dim) or NULL. Kept: stat (rows, 2): mean (0 if not centred) and
 * rstd.
 *
 * Backward, with h the normalised row and g = dy weight: dx = rstd (g - h mean(g h) - mean(g)), the
 * last term only if centred, set or added; dweight += sum over rows of dy h; dbias += sum of dy.
 * NULL is not wanted. The fast form sums rows in blocks whose number follows from the shape, and
 * adds the blocks in order.
 */
#ifndef KERNELS_NORM_H
#define KERNELS_NORM_H

#include "kernels/real.h"

struct norm {
	int64_t rows, dim;
	real eps;
	int centred;
};

void norm_forward(const struct norm *p, real *y, real *stat, const real *x, const real *weight,
	const real *bias);
void norm_backward(const struct norm *p, real *dx, int acc_x, real *dweight, real *dbias,
	const real *dy, const real *stat, const real *x, const real *weight);

void norm_forward_fast(const struct norm *p, real *y, real *stat, const real *x, const real *weight,
	const real *bias);
void norm_backward_fast(const struct norm *p, real *dx, int acc_x, real *dweight, real *dbias,
	const real *dy, const real *stat, const real *x, const real *weight, real *work);
int64_t norm_work_fast(const struct norm *p, int backward);

#endif
