/*
 * GELU, exact: y = x F(x), F(x) = (1 + erf(x / sqrt 2)) / 2. x, y (count).
 *
 * Backward: dx = dy (F(x) + x f(x)), f(x) = exp(-x^2 / 2) / sqrt(2 pi), set or added.
 */
#ifndef KERNELS_GELU_H
#define KERNELS_GELU_H

#include "kernels/real.h"

struct gelu {
	int64_t count;
};

void gelu_forward(const struct gelu *p, real *y, const real *x);
void gelu_backward(const struct gelu *p, real *dx, int acc_x, const real *dy, const real *x);

void gelu_forward_fast(const struct gelu *p, real *y, const real *x);
void gelu_backward_fast(const struct gelu *p, real *dx, int acc_x, const real *dy, const real *x);

#endif
