#include "kernels/cosine.h"

#include <math.h>

#define SMALL 16384 /* elements below which one thread is faster */
#define GUARD ((real)1e-8)

static real dot(const real *a, const real *b, int64_t n)
{
	real sum = 0;

#pragma omp simd reduction(+ : sum)
	for (int64_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static void token_forward(const struct cosine *p, int64_t i, real *cos, real *inverse_u,
	real *inverse_v, const real *u, const real *v)
{
	const real *vi = v + i * p->dim;
	real length_v = REAL_M(sqrt)(dot(vi, vi, p->dim));

	inverse_v[i] = length_v > 0 ? 1 / length_v : 0;
	for (int64_t k = 0; k < p->directions; k++) {
		int64_t at = (i / p->len * p->directions + k) * p->len + i % p->len;
		const real *uk = u + at * p->dim;
		real length_u = REAL_M(sqrt)(dot(uk, uk, p->dim)), both = length_u * length_v;

		cos[at] = dot(uk, vi, p->dim) / (both > GUARD ? both : GUARD);
		inverse_u[at] = both < GUARD ? 0 : 1 / length_u;
	}
}

void cosine_forward(const struct cosine *p, real *c, real *cos, real *inverse_u, real *inverse_v,
	const real *u, const real *v)
{
#pragma omp parallel for schedule(static) if (p->batch * p->len * p->dim > SMALL)
	for (int64_t i = 0; i < p->batch * p->len; i++)
		token_forward(p, i, cos, inverse_u, inverse_v, u, v);
	for (int64_t k = 0; k < p->directions; k++) {
		double sum = 0;

		for (int64_t b = 0; b < p->batch; b++)
			for (int64_t l = 0; l < p->len; l++)
				sum += cos[(b * p->directions + k) * p->len + l];
		c[k] = (real)(sum / (double)(p->batch * p->len));
	}
}

/* d = s (y iy - cos x ix) ix, set or added: the gradient at x of the cosine of x and y */
static void row_back(int64_t n, real *d, int acc, real s, real cos, const real *x, real ix,
	const real *y, real iy)
{
	real from_y = s * ix * iy, from_x = s * cos * ix * ix;

	if (acc) {
#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			d[i] += from_y * y[i] - from_x * x[i];
	} else {
#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			d[i] = from_y * y[i] - from_x * x[i];
	}
}

void cosine_backward(const struct cosine *p, real *du, int acc_u, real *dv, int acc_v,
	const real *dc, const real *cos, const real *inverse_u, const real *inverse_v,
	const real *u, const real *v)
{
	real mean = 1 / (real)(p->batch * p->len);

#pragma omp parallel for schedule(static) if (p->batch * p->len * p->dim > SMALL)
	for (int64_t i = 0; i < p->batch * p->len; i++)
		for (int64_t k = 0; k < p->directions; k++) {
			int64_t at = (i / p->len * p->directions + k) * p->len + i % p->len;
			const real *uk = u + at * p->dim, *vi = v + i * p->dim;
			real s = inverse_u[at] != 0 ? mean * dc[k] : 0;

			if (du)
				row_back(p->dim, du + at * p->dim, acc_u, s, cos[at], uk,
					inverse_u[at], vi, inverse_v[i]);
			if (dv)
				row_back(p->dim, dv + i * p->dim, acc_v || k, s, cos[at], vi,
					inverse_v[i], uk, inverse_u[at]);
		}
}
