/*
 * Batch norm over rows, then ReLU where asked.
 *
 *	y = (x - mean) inv weight + bias, inv = 1 / sqrt(var + eps); y = max(y, 0)
 *
 * x, y (rows, C); weight, bias (C). batch: mean and biased var of the rows, summed in double over
 * fixed blocks of rows; kept: mean and inv, (2, C). stat_mean and stat_var (C), or NULL, are added
 * to: the batch's mean and its unbiased var. running: mean and var are given (C), nothing is kept.
 *
 * Backward, of the batch form, with g = dy where y > 0 (all of dy without ReLU) and
 * h = (x - mean) inv:
 *
 *	dbias += sum g; dweight += sum g h
 *	dx = weight inv (g - mean of g - h mean of g h)		set or added to
 *
 * NULL is not wanted. Work in reals, fast form alone.
 */
#ifndef KERNELS_BATCHNORM_H
#define KERNELS_BATCHNORM_H

#include "kernels/real.h"

struct batchnorm {
	int64_t rows, dim;
	real eps;
	int relu;
	int running; /* normalise with the running statistics */
	int record;  /* add the batch's statistics to stat_mean and stat_var */
};

void batchnorm_running(const struct batchnorm *p, real *y, const real *x, const real *weight,
	const real *bias, const real *mean, const real *var);

void batchnorm_forward(const struct batchnorm *p, real *y, real *kept, real *stat_mean,
	real *stat_var, const real *x, const real *weight, const real *bias);
void batchnorm_backward(const struct batchnorm *p, real *dx, int acc, real *dweight, real *dbias,
	const real *dy, const real *kept, const real *x, const real *weight, const real *bias);

void batchnorm_running_fast(const struct batchnorm *p, real *y, const real *x, const real *weight,
	const real *bias, const real *mean, const real *var, real *work);
void batchnorm_forward_fast(const struct batchnorm *p, real *y, real *kept, real *stat_mean,
	real *stat_var, const real *x, const real *weight, const real *bias, real *work);
void batchnorm_backward_fast(const struct batchnorm *p, real *dx, int acc, real *dweight,
	real *dbias, const real *dy, const real *kept, const real *x, const real *weight,
	const real *bias, real *work);
int64_t batchnorm_work_fast(const struct batchnorm *p, int backward);

#endif
