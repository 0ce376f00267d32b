/*
 * Moving, adding and averaging tokens.
 *
 *	insert	y = x with one more row, the same for every sample, at index	(b, L + 1, C)
 *	rows	y_b = x_b + rows						(b, L, C)
 *	slice	y = rows [from, from + n) of each sample			(b, n, C)
 *	permute	y[i] = x[order[i]], order a permutation of the L tokens		(b, L, C)
 *	mean	y = sum over tokens in order / L				(b, C)
 *	pool	y = mean over f x f blocks of the height x width grid of tokens	(b, L / f^2, C)
 *
 * x (b, L, C); pool: b stands for all axes before the grid, f divides both sides, blocks are summed
 * in raster order. Backward: dx is set or added to as acc says; the gradients of the inserted token
 * (C) and of rows (L, C) are always added, samples in order. NULL is not wanted. Nothing is kept;
 * outputs do not overlap inputs.
 */
#ifndef KERNELS_TOKENS_H
#define KERNELS_TOKENS_H

#include "kernels/real.h"

struct tokens {
	int64_t batch, len, dim;      /* of x */
	int64_t from, n;	      /* insert: from is the index; slice */
	int64_t height, width, block; /* pool: len is height * width */
};

void insert_token_forward(const struct tokens *p, real *y, const real *x, const real *token);
void insert_token_backward(const struct tokens *p, real *dx, int acc, real *dtoken, const real *dy);

void add_rows_forward(const struct tokens *p, real *y, const real *x, const real *rows);
void add_rows_backward(const struct tokens *p, real *dx, int acc, real *drows, const real *dy);

void slice_tokens_forward(const struct tokens *p, real *y, const real *x);
void slice_tokens_backward(const struct tokens *p, real *dx, int acc, const real *dy);

void permute_tokens_forward(const struct tokens *p, real *y, const real *x, const int32_t *order);
void permute_tokens_backward(
	const struct tokens *p, real *dx, int acc, const real *dy, const int32_t *order);

void mean_tokens_forward(const struct tokens *p, real *y, const real *x);
void mean_tokens_backward(const struct tokens *p, real *dx, int acc, const real *dy);

void pool_tokens_forward(const struct tokens *p, real *y, const real *x);
void pool_tokens_backward(const struct tokens *p, real *dx, int acc, const real *dy);

#endif
