#include "kernels/norm.h"

#include <math.h>
#include <string.h>

#define SMALL 16384 /* elements below which one thread is faster */
#define BLOCKS 64   /* of rows, at most */
#define ROWS 8	    /* of a block, at least */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void row_forward(const struct norm *p, real *y, real *stat, const real *x,
	const real *weight, const real *bias)
{
	int64_t C = p->dim;
	real sum = 0, squares = 0, mean, rstd;

	if (p->centred)
#pragma omp simd reduction(+ : sum)
		for (int64_t i = 0; i < C; i++)
			sum += x[i];
	mean = sum / C;
#pragma omp simd reduction(+ : squares)
	for (int64_t i = 0; i < C; i++)
		squares += (x[i] - mean) * (x[i] - mean);
	rstd = 1 / REAL_M(sqrt)(squares / C + p->eps);
	stat[0] = mean;
	stat[1] = rstd;
	if (weight && bias)
#pragma omp simd
		for (int64_t i = 0; i < C; i++)
			y[i] = (x[i] - mean) * rstd * weight[i] + bias[i];
	else
#pragma omp simd
		for (int64_t i = 0; i < C; i++)
			y[i] = (x[i] - mean) * rstd * (weight ? weight[i] : 1) +
			       (bias ? bias[i] : 0);
}

void norm_forward_fast(const struct norm *p, real *y, real *stat, const real *x, const real *weight,
	const real *bias)
{
#pragma omp parallel for schedule(static) if (p->rows * p->dim > SMALL)
	for (int64_t r = 0; r < p->rows; r++)
		row_forward(p, y + r * p->dim, stat + 2 * r, x + r * p->dim, weight, bias);
}

static void row_back(const struct norm *p, real *dx, int acc, const real *dy, const real *stat,
	const real *x, const real *w)
{
	real mean = stat[0], rstd = stat[1], g_sum = 0, gh_sum = 0;
	int64_t C = p->dim;

	if (w)
#pragma omp simd reduction(+ : g_sum, gh_sum)
		for (int64_t i = 0; i < C; i++) {
			g_sum += dy[i] * w[i];
			gh_sum += dy[i] * w[i] * (x[i] - mean);
		}
	else
#pragma omp simd reduction(+ : g_sum, gh_sum)
		for (int64_t i = 0; i < C; i++) {
			g_sum += dy[i];
			gh_sum += dy[i] * (x[i] - mean);
		}
	gh_sum *= rstd * rstd / C;
	g_sum = p->centred ? g_sum / C : 0;
	if (w)
#pragma omp simd
		for (int64_t i = 0; i < C; i++) {
			real d = rstd * (dy[i] * w[i] - (x[i] - mean) * gh_sum - g_sum);

			dx[i] = acc ? dx[i] + d : d;
		}
	else
#pragma omp simd
		for (int64_t i = 0; i < C; i++) {
			real d = rstd * (dy[i] - (x[i] - mean) * gh_sum - g_sum);

			dx[i] = acc ? dx[i] + d : d;
		}
}

/* Adds a row to the sums dw and db (dim). */
static void row_weight(
	const struct norm *p, real *dw, real *db, const real *dy, const real *stat, const real *x)
{
	real mean = stat[0], rstd = stat[1];

#pragma omp simd
	for (int64_t i = 0; i < p->dim; i++) {
		dw[i] += dy[i] * ((x[i] - mean) * rstd);
		db[i] += dy[i];
	}
}

static int64_t block_rows(const struct norm *p)
{
	int64_t rows = (p->rows + BLOCKS - 1) / BLOCKS;

	return rows < ROWS ? ROWS : rows;
}

int64_t norm_work_fast(const struct norm *p, int backward)
{
	int64_t rows = block_rows(p);

	return backward ? 2 * p->dim * ((p->rows + rows - 1) / rows) : 0;
}

void norm_backward_fast(const struct norm *p, real *dx, int acc_x, real *dweight, real *dbias,
	const real *dy, const real *stat, const real *x, const real *weight, real *work)
{
	int64_t C = p->dim, rows = block_rows(p), blocks = (p->rows + rows - 1) / rows;

#pragma omp parallel for schedule(static) if (p->rows * C > SMALL)
	for (int64_t b = 0; b < blocks; b++) {
		real *dw = work + b * 2 * C, *db = dw + C;

		memset(dw, 0, 2 * C * sizeof(*dw));
		for (int64_t r = b * rows; r < least((b + 1) * rows, p->rows); r++) {
			const real *s = stat + 2 * r;

			if (dweight || dbias)
				row_weight(p, dw, db, dy + r * C, s, x + r * C);
			if (dx)
				row_back(p, dx + r * C, acc_x, dy + r * C, s, x + r * C, weight);
		}
	}
	for (int64_t b = 0; b < blocks; b++) {
		const real *dw = work + b * 2 * C, *db = dw + C;

		for (int64_t i = 0; dweight && i < C; i++)
			dweight[i] += dw[i];
		for (int64_t i = 0; dbias && i < C; i++)
			dbias[i] += db[i];
	}
}
