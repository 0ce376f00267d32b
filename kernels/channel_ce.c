#include "kernels/channel_ce.h"
#include "kernels/log_sum.h"

#define SMALL 16384 /* elements below which one thread is faster */

/* One row: sum of p (entropy ? log p - log q : -log q). */
static real row_value(
	int64_t n, const real *a, const real *b, real la, real lb, real s, int entropy)
{
	real sum = 0;

#pragma omp simd reduction(+ : sum)
	for (int64_t c = 0; c < n; c++) {
		real log_p = b[c] * s - lb, log_q = a[c] * s - la;

		sum += vexp(log_p) * ((entropy ? log_p : 0) - log_q);
	}
	return sum;
}

static void forward(const struct channel_ce *p, int entropy, real *la, real *lb, real *values,
	const real *a, const real *b)
{
	real s = 1 / p->temperature;

#pragma omp parallel for schedule(static) if (p->rows * p->dim > SMALL)
	for (int64_t i = 0; i < p->rows; i++) {
		const real *ai = a + i * p->dim, *bi = b + i * p->dim;

		la[i] = row_log_sum(ai, p->dim, s);
		lb[i] = row_log_sum(bi, p->dim, s);
		values[i] = row_value(p->dim, ai, bi, la[i], lb[i], s, entropy);
	}
}

void channel_ce_forward(const struct channel_ce *p, real *loss, real *log_sum_a, real *log_sum_b,
	real *values, const real *a, const real *b, real divisor)
{
	forward(p, 0, log_sum_a, log_sum_b, values, a, b);
	*loss = rows_sum(values, p->rows) / divisor;
}

void kl_logits_forward(const struct channel_ce *p, real *loss, real *log_sum_a, real *log_sum_b,
	real *values, const real *a, const real *b, real divisor)
{
	forward(p, 1, log_sum_a, log_sum_b, values, a, b);
	*loss = rows_sum(values, p->rows) * p->temperature * p->temperature / divisor;
}

/* weight: what multiplies q - p in da, and p (log p or 0 - log q - value) in db. */
static void backward(const struct channel_ce *p, int entropy, real weight, real *da, int acc_a,
	real *db, int acc_b, const real *la, const real *lb, const real *values, const real *a,
	const real *b)
{
	real s = 1 / p->temperature;

#pragma omp parallel for schedule(static) if (p->rows * p->dim > SMALL)
	for (int64_t i = 0; i < p->rows; i++) {
		int64_t from = i * p->dim, to = from + p->dim;

		if (da) {
#pragma omp simd
			for (int64_t c = from; c < to; c++)
				da[c] = (acc_a ? da[c] : 0) +
					weight * (vexp(a[c] * s - la[i]) - vexp(b[c] * s - lb[i]));
		}
		if (!db)
			continue;
#pragma omp simd
		for (int64_t c = from; c < to; c++) {
			real log_p = b[c] * s - lb[i], log_q = a[c] * s - la[i];

			db[c] = (acc_b ? db[c] : 0) +
				weight * vexp(log_p) * ((entropy ? log_p : 0) - log_q - values[i]);
		}
	}
}

void channel_ce_backward(const struct channel_ce *p, real *da, int acc_a, real *db, int acc_b,
	const real *dloss, const real *log_sum_a, const real *log_sum_b, const real *values,
	const real *a, const real *b, real divisor)
{
	backward(p, 0, *dloss / (divisor * p->temperature), da, acc_a, db, acc_b, log_sum_a,
		log_sum_b, values, a, b);
}

void kl_logits_backward(const struct channel_ce *p, real *da, int acc_a, real *db, int acc_b,
	const real *dloss, const real *log_sum_a, const real *log_sum_b, const real *values,
	const real *a, const real *b, real divisor)
{
	backward(p, 1, *dloss * p->temperature / divisor, da, acc_a, db, acc_b, log_sum_a,
		log_sum_b, values, a, b);
}
