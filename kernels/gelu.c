#include "kernels/gelu.h"
#include "kernels/vmath.h"

#include <math.h>

#define SQRT_HALF ((real)0.70710678118654752440)
#define SQRT_2PI_INVERSE ((real)0.39894228040143267794)

void gelu_forward(const struct gelu *p, real *y, const real *x)
{
	for (int64_t i = 0; i < p->count; i++)
		y[i] = x[i] * (1 + REAL_M(erf)(x[i] * SQRT_HALF)) / 2;
}

void gelu_backward(const struct gelu *p, real *dx, int acc_x, const real *dy, const real *x)
{
	for (int64_t i = 0; i < p->count; i++) {
		real F = (1 + REAL_M(erf)(x[i] * SQRT_HALF)) / 2;
		real f = REAL_M(exp)(-x[i] * x[i] / 2) * SQRT_2PI_INVERSE;
		real d = dy[i] * (F + x[i] * f);

		dx[i] = acc_x ? dx[i] + d : d;
	}
}

#define SMALL 8192 /* elements below which one thread is faster */
#define BLOCK 2048 /* elements: lanes and remainder lie at the same places for any thread count */

static int64_t end_of(int64_t from, int64_t count)
{
	return from + BLOCK < count ? from + BLOCK : count;
}

void gelu_forward_fast(const struct gelu *p, real *y, const real *x)
{
#pragma omp parallel for schedule(static) if (p->count > SMALL)
	for (int64_t from = 0; from < p->count; from += BLOCK)
#pragma omp simd
		for (int64_t i = from; i < end_of(from, p->count); i++)
			y[i] = x[i] * (real)0.5 * (1 + verf(x[i] * SQRT_HALF));
}

static inline __attribute__((always_inline)) void block_back(
	real *dx, int acc, const real *dy, const real *x, int64_t n)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++) {
		real F = (real)0.5 * (1 + verf(x[i] * SQRT_HALF));
		real f = vexp(x[i] * x[i] * (real)-0.5) * SQRT_2PI_INVERSE;
		real d = dy[i] * (F + x[i] * f);

		dx[i] = acc ? dx[i] + d : d;
	}
}

void gelu_backward_fast(const struct gelu *p, real *dx, int acc_x, const real *dy, const real *x)
{
#pragma omp parallel for schedule(static) if (p->count > SMALL)
	for (int64_t from = 0; from < p->count; from += BLOCK) {
		int64_t n = end_of(from, p->count) - from;

		if (acc_x)
			block_back(dx + from, 1, dy + from, x + from, n);
		else
			block_back(dx + from, 0, dy + from, x + from, n);
	}
}
