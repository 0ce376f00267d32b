/* Rows of values set or added to: shared by the kernels that move tokens. */
#ifndef KERNELS_ROWS_H
#define KERNELS_ROWS_H

#include "kernels/real.h"

#define ROWS_SMALL 16384 /* elements below which one thread is faster */

/* to = a x, or added to it */
static inline void row_scaled(int64_t n, real *to, int acc, const real *x, real a)
{
	if (acc) {
#pragma omp simd
		for (int64_t c = 0; c < n; c++)
			to[c] += a * x[c];
	} else {
#pragma omp simd
		for (int64_t c = 0; c < n; c++)
			to[c] = a * x[c];
	}
}

/* to = x, or added to it */
static inline void row_pass(int64_t n, real *to, int acc, const real *x)
{
	if (acc) {
#pragma omp simd
		for (int64_t c = 0; c < n; c++)
			to[c] += x[c];
	} else {
#pragma omp simd
		for (int64_t c = 0; c < n; c++)
			to[c] = x[c];
	}
}

static inline void row_clear(int64_t n, real *to)
{
	for (int64_t c = 0; c < n; c++)
		to[c] = 0;
}

#endif
