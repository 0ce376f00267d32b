/* log of the sum of e^(x_i s) over a row, and sums of rows in order: shared by the losses. */
#ifndef KERNELS_LOG_SUM_H
#define KERNELS_LOG_SUM_H

#include "kernels/vmath.h"

static inline real row_log_sum(const real *x, int64_t n, real s)
{
	real most = x[0], sum = 0;

	for (int64_t i = 1; i < n; i++)
		most = x[i] > most ? x[i] : most;
#pragma omp simd reduction(+ : sum)
	for (int64_t i = 0; i < n; i++)
		sum += vexp((x[i] - most) * s);
	return most * s + REAL_M(log)(sum);
}

static inline real rows_sum(const real *rows, int64_t n)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += rows[i];
	return (real)sum;
}

#endif
