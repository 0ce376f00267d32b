#include "kernels/norm.h"
#include "kernels/lanes.h"

#include <math.h>
#include <string.h>

#define SMALL 16384 /* elements below which one thread is faster */
#define BLOCKS 64   /* of rows, at most */
#define ROWS 8	    /* of a block, at least */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Sum over the row of x. */
INLINE real row_sum(const real *x, int64_t n)
{
	int64_t whole = n / LANES * LANES;
	vec sum = {0};
	real total;

	for (int64_t i = 0; i < whole; i += LANES)
		sum += vec_load(x + i);
	total = vec_sum(sum);
	for (int64_t i = whole; i < n; i++)
		total += x[i];
	return total;
}

/* Sum over the row of (x - mean)^2. */
INLINE real row_squares(const real *x, real mean, int64_t n)
{
	int64_t whole = n / LANES * LANES;
	vec sum = {0};
	real total;

	for (int64_t i = 0; i < whole; i += LANES) {
		vec d = vec_load(x + i) - mean;

		sum += d * d;
	}
	total = vec_sum(sum);
	for (int64_t i = whole; i < n; i++)
		total += (x[i] - mean) * (x[i] - mean);
	return total;
}

static void row_forward(const struct norm *p, real *y, real *stat, const real *x,
	const real *weight, const real *bias)
{
	int64_t C = p->dim;
	real mean = p->centred ? row_sum(x, C) / C : 0;
	real rstd = 1 / REAL_M(sqrt)(row_squares(x, mean, C) / C + p->eps);

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

/* Sums over the row of g = dy w and of g (x - mean). */
INLINE void row_products(
	real sums[2], const real *dy, const real *x, const real *w, real mean, int64_t n)
{
	int64_t whole = n / LANES * LANES;
	vec g_sum = {0}, gx_sum = {0};

	for (int64_t i = 0; i < whole; i += LANES) {
		vec g = vec_load(dy + i);

		if (w)
			g *= vec_load(w + i);
		g_sum += g;
		gx_sum += g * (vec_load(x + i) - mean);
	}
	sums[0] = vec_sum(g_sum);
	sums[1] = vec_sum(gx_sum);
	for (int64_t i = whole; i < n; i++) {
		real g = w ? dy[i] * w[i] : dy[i];

		sums[0] += g;
		sums[1] += g * (x[i] - mean);
	}
}

INLINE void row_back_as(const struct norm *p, real *dx, const int acc, const real *dy,
	const real *stat, const real *x, const real *w)
{
	real mean = stat[0], rstd = stat[1], sums[2], shift, slope;
	int64_t C = p->dim;

	row_products(sums, dy, x, w, mean, C);
	shift = p->centred ? sums[0] / C : 0;
	slope = sums[1] * rstd * rstd / C;
#pragma omp simd
	for (int64_t i = 0; i < C; i++) {
		real d = rstd * ((w ? dy[i] * w[i] : dy[i]) - (x[i] - mean) * slope - shift);

		dx[i] = acc ? dx[i] + d : d;
	}
}

static void row_back(const struct norm *p, real *dx, int acc, const real *dy, const real *stat,
	const real *x, const real *w)
{
	if (w && acc)
		row_back_as(p, dx, 1, dy, stat, x, w);
	else if (w)
		row_back_as(p, dx, 0, dy, stat, x, w);
	else
		row_back_as(p, dx, acc, dy, stat, x, NULL);
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
