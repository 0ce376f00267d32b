/*
 * Matrix products in fixed order: C[m][n] = sum over k of A[m][k] B[k][n].
 *
 * B is packed first into panels as wide as two vector registers (zeros beyond n); then a tile of C
 * stays in registers while k runs. The order of every sum follows from the shape alone: k in blocks
 * of GEMM_BLOCK, in order. So the bits depend on the level of the instruction set (fused
 * multiply-add or not) and neither on threads nor on the number of rows of A.
 *
 * Strides are in elements; A[m][k] = a[m * a_row + k * a_col], one of the two is 1; B likewise.
 * Work is aligned to 64 bytes. Nothing is read of C unless add; C overlaps neither A nor B.
 */
#ifndef KERNELS_GEMM_H
#define KERNELS_GEMM_H

#include "kernels/lanes.h"

#define GEMM_BLOCK 256

/* A tile of C in registers: GEMM_ROWS rows of one panel. */
#if defined(__AVX512F__) || defined(__aarch64__)
#define GEMM_ROWS 12
#else
#define GEMM_ROWS 6
#endif
#define GEMM_PANEL (2 * LANES)

/* --- one thread --- */

/* n rounded up to whole panels, and the reals that k rows of it take when packed. */
static inline int64_t gemm_padded(int64_t n)
{
	return (n + GEMM_PANEL - 1) / GEMM_PANEL * GEMM_PANEL;
}

static inline int64_t gemm_packed(int64_t k, int64_t n)
{
	return k * gemm_padded(n);
}

void gemm_pack(real *to, const real *b, int64_t b_row, int64_t b_col, int64_t k, int64_t n);

struct gemm_tile {
	int64_t m, n, k;
	const real *a;
	int64_t a_row, a_col;
	const real *packed; /* k rows, n columns or more */
	real *c;
	int64_t ldc;
	int add;	  /* 1: added to C */
	const real *bias; /* (n) added, times bias_scale; or NULL */
	real bias_scale;
};

void gemm_tile(const struct gemm_tile *t);

/* --- all threads --- */

/* b is taken instead of t->packed; work holds gemm_packed(k, n). */
void gemm_rows(const struct gemm_tile *t, const real *b, int64_t b_row, int64_t b_col, real *work);

/*
 * The product over many rows that gives a weight's gradient: dw[i][j] += sum over rows r of
 * dy[r][i] x[r][j], db[i] += scale * sum of dy[r][i]. dw (n, k), db (n), either NULL if not wanted.
 * Rows are cut into parts (a function of the sizes) whose sums are added in order.
 */
void gemm_weight(int64_t rows, int64_t n, int64_t k, real *dw, real *db, real scale, const real *dy,
	const real *x, real *work);
int64_t gemm_weight_work(int64_t rows, int64_t n, int64_t k);

#endif
