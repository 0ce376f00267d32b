/*
 * Small matrix products whose sums stay in registers: the inner part of conv2d's fast form.
 *
 *	y[p][c] = start + sum over r < runs, n < len of
 *		a[r a_run + n a_step + p a_item] w[r w_run + n w_step + c]
 *
 * for `items` values of p and `columns` of c; start is y itself (add), the row `start`, or zero. c
 * is vectorised: w must be readable up to conv_padded(columns). The order of every sum is fixed.
 */
#ifndef KERNELS_CONV_TILE_H
#define KERNELS_CONV_TILE_H

#include "kernels/real.h"

#if defined(__AVX512F__)
#define CONV_VECTOR 64 /* bytes */
#define CONV_MOST 4    /* vectors of columns in a tile */
#elif defined(__AVX__)
#define CONV_VECTOR 32
#define CONV_MOST 2
#else
#define CONV_VECTOR 16
#define CONV_MOST 2
#endif
#define CONV_LANES ((int64_t)(CONV_VECTOR / sizeof(real)))

struct conv_tile {
	int64_t runs, len;
	const real *a;
	int64_t a_run, a_step, a_item;
	const real *w;
	int64_t w_run, w_step;
	real *y;
	int64_t y_item, items, columns;
	const real *start;
	int add;
};

/* Columns rounded up to whole vectors. */
static inline int64_t conv_padded(int64_t columns)
{
	return (columns + CONV_LANES - 1) / CONV_LANES * CONV_LANES;
}

/* Vectors in the tile that starts at column c of so many (padded): 4, 2 or 1. */
static inline int64_t conv_vectors(int64_t c, int64_t padded)
{
	int64_t left = (padded - c) / CONV_LANES;

	return left >= CONV_MOST ? CONV_MOST : left >= 2 ? 2 : 1;
}

/* columns at most conv_vectors(...) * CONV_LANES */
void conv_tile_sum(const struct conv_tile *t, int64_t vectors);

#endif
