#include "kernels/token_loss.h"
#include "kernels/log_sum.h"

#define SMALL 16384 /* elements below which one thread is faster */

static real token_distance(const real *u, const real *v, int64_t n, int squared)
{
	real sum = 0;

#pragma omp simd reduction(+ : sum)
	for (int64_t c = 0; c < n; c++) {
		real x = u[c] - v[c];

		sum += squared ? x * x : REAL_M(fabs)(x);
	}
	return sum;
}

void token_loss_forward(const struct token_loss *p, real *loss, real *rows, const real *u,
	const real *v, real divisor)
{
#pragma omp parallel for schedule(static) if (p->batch * p->len * p->dim > SMALL)
	for (int64_t b = 0; b < p->batch; b++) {
		double sum = 0;

		for (int64_t i = b * p->len; i < (b + 1) * p->len; i++)
			sum += token_distance(u + i * p->dim, v + i * p->dim, p->dim, p->squared);
		rows[b] = (real)(sum / (double)(p->len * p->dim));
	}
	*loss = rows_sum(rows, p->batch) / divisor;
}

/* d = s (sign of x - y, or x - y), set or added */
static void row_back(
	const struct token_loss *p, real *d, int acc, real s, const real *x, const real *y)
{
#pragma omp simd
	for (int64_t c = 0; c < p->dim; c++) {
		real diff = x[c] - y[c];
		real sign = diff > 0 ? 1 : diff < 0 ? -1 : 0;

		d[c] = (acc ? d[c] : 0) + s * (p->squared ? 2 * diff : sign);
	}
}

void token_loss_backward(const struct token_loss *p, real *du, int acc_u, real *dv, int acc_v,
	const real *dloss, const real *u, const real *v, real divisor)
{
	real s = *dloss / (divisor * (real)(p->len * p->dim));

#pragma omp parallel for schedule(static) if (p->batch * p->len * p->dim > SMALL)
	for (int64_t i = 0; i < p->batch * p->len; i++) {
		int64_t at = i * p->dim;

		if (du)
			row_back(p, du + at, acc_u, s, u + at, v + at);
		if (dv)
			row_back(p, dv + at, acc_v, s, v + at, u + at);
	}
}
