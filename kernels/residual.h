/*
 * y = x + scale_b branch, with stochastic depth by sample (drop_path.h); drop NULL: scale 1.
 *
 * All (b, size). Backward: dx = dy, dbranch = scale_b dy; each set or added to; NULL is not wanted.
 */
#ifndef KERNELS_RESIDUAL_H
#define KERNELS_RESIDUAL_H

#include "kernels/drop_path.h"
#include "kernels/real.h"

struct residual {
	int64_t batch, size; /* size: values of a sample */
	real rate;
	int layer;
};

void residual_forward(const struct residual *p, real *y, const real *x, const real *branch,
	const struct drop_path *drop);
void residual_backward(const struct residual *p, real *dx, int acc_x, real *dbranch, int acc_branch,
	const real *dy, const struct drop_path *drop);

#endif
