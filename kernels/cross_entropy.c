#include "kernels/cross_entropy.h"
#include "kernels/log_sum.h"

#define SMALL 16384 /* elements below which one thread is faster */

static int counts(int32_t label, int64_t n)
{
	return label >= 0 && label < n;
}

static real row_loss(int64_t n, const real *x, const real *target, const int32_t *label, real lse)
{
	real sum = 0;

	if (!target)
		return counts(*label, n) ? lse - x[*label] : 0;
#pragma omp simd reduction(+ : sum)
	for (int64_t c = 0; c < n; c++)
		sum += target[c] * (lse - x[c]);
	return sum;
}

void cross_entropy_forward(const struct cross_entropy *p, real *loss, real *log_sum, real *rows,
	const real *logits, const real *target, const int32_t *labels, real divisor)
{
	int64_t n = p->classes;

#pragma omp parallel for schedule(static) if (p->batch * n > SMALL)
	for (int64_t b = 0; b < p->batch; b++) {
		const real *x = logits + b * n;

		log_sum[b] = row_log_sum(x, n, 1);
		rows[b] = row_loss(n, x, target ? target + b * n : NULL, target ? NULL : labels + b,
			log_sum[b]);
	}
	*loss = rows_sum(rows, p->batch) / divisor;
}

static void logits_back(int64_t n, real *dx, int acc, const real *x, const real *target,
	const int32_t *label, real lse, real scale)
{
	real total = 0;

	if (!acc)
		for (int64_t c = 0; c < n; c++)
			dx[c] = 0;
	if (!target) {
		total = counts(*label, n);
		if (total)
			dx[*label] -= scale;
	} else {
#pragma omp simd reduction(+ : total)
		for (int64_t c = 0; c < n; c++) {
			total += target[c];
			dx[c] -= scale * target[c];
		}
	}
#pragma omp simd
	for (int64_t c = 0; c < n; c++)
		dx[c] += scale * total * vexp(x[c] - lse);
}

static void target_back(int64_t n, real *dt, int acc, const real *x, real lse, real scale)
{
#pragma omp simd
	for (int64_t c = 0; c < n; c++)
		dt[c] = (acc ? dt[c] : 0) + scale * (lse - x[c]);
}

void cross_entropy_backward(const struct cross_entropy *p, real *dlogits, int acc_logits,
	real *dtarget, int acc_target, const real *dloss, const real *log_sum, const real *logits,
	const real *target, const int32_t *labels, real divisor)
{
	int64_t n = p->classes;
	real scale = *dloss / divisor;

#pragma omp parallel for schedule(static) if (p->batch * n > SMALL)
	for (int64_t b = 0; b < p->batch; b++) {
		const real *x = logits + b * n;

		if (dlogits)
			logits_back(n, dlogits + b * n, acc_logits, x,
				target ? target + b * n : NULL, target ? NULL : labels + b,
				log_sum[b], scale);
		if (dtarget && target)
			target_back(n, dtarget + b * n, acc_target, x, log_sum[b], scale);
	}
}
