#include "kernels/dwconv1d.h"
#include "kernels/vmath.h"

#include <string.h>

#define SMALL 16384 /* elements below which one thread is faster */
#define TAPS DWCONV1D_WIDTH
#define BLOCK 32 /* channels summed by one thread */

/* The row of x that tap j reads for row i of (b L), or -1. */
static int64_t source(const struct dwconv1d *p, const int32_t *segments, int64_t i, int j)
{
	int64_t shift = p->mirrored ? TAPS - 1 - j : j - (TAPS - 1);
	int64_t t = i % p->len + shift;

	if (t < 0 || t >= p->len || (segments && segments[i] != segments[i + shift]))
		return -1;
	return i + shift;
}

/* The row that tap j reads for row i, of x or before it; NULL: none. */
static const real *tap_row(const struct dwconv1d *p, const real *x, const int32_t *segments,
	const real *window, int64_t i, int j)
{
	int64_t from = source(p, segments, i, j), before = i % p->len + j;

	if (from >= 0)
		return x + from * p->dim;
	if (window && before < TAPS - 1)
		return window + (i / p->len * (TAPS - 1) + before) * p->dim;
	return NULL;
}

/* Rows move up from the first on, so that none is overwritten before it is read. */
static void window_advance(const struct dwconv1d *p, real *window, const real *x)
{
	int64_t E = p->dim, last = TAPS - 1;

	for (int64_t b = 0; b < p->batch; b++)
		for (int64_t j = 0; j < last; j++) {
			int64_t t = p->len - last + j;
			const real *from = t >= 0 ? x + (b * p->len + t) * E
						  : window + (b * last + j + p->len) * E;

			memcpy(window + (b * last + j) * E, from, E * sizeof(*window));
		}
}

void dwconv1d_forward(const struct dwconv1d *p, real *u, real *c, const real *x, const real *weight,
	const real *bias, const int32_t *segments, real *window)
{
	int64_t E = p->dim;

#pragma omp parallel for schedule(static) if (p->batch * p->len * E > SMALL)
	for (int64_t i = 0; i < p->batch * p->len; i++) {
		real *ci = c + i * E, *ui = u + i * E;

		memcpy(ci, bias, E * sizeof(*ci));
		for (int j = 0; j < TAPS; j++) {
			const real *row = tap_row(p, x, segments, window, i, j);

			if (!row)
				continue;
#pragma omp simd
			for (int64_t e = 0; e < E; e++)
				ci[e] += weight[e * TAPS + j] * row[e];
		}
#pragma omp simd
		for (int64_t e = 0; e < E; e++)
			ui[e] = vsilu(ci[e]);
	}
	if (window)
		window_advance(p, window, x);
}

/* dc (b L, E) of every row. */
static void silu_back(int64_t rows, int64_t E, real *dc, const real *du, const real *c)
{
#pragma omp parallel for schedule(static) if (rows * E > SMALL)
	for (int64_t i = 0; i < rows; i++)
#pragma omp simd
		for (int64_t e = i * E; e < (i + 1) * E; e++) {
			real s = vsigmoid(c[e]);

			dc[e] = du[e] * s * (1 + c[e] * (1 - s));
		}
}

static void weight_back(const struct dwconv1d *p, int64_t e0, real *dweight, real *dbias,
	const real *dc, const real *x, const int32_t *segments)
{
	int64_t E = p->dim, end = e0 + BLOCK < E ? e0 + BLOCK : E;
	real dw[TAPS][BLOCK] = {{0}}, db[BLOCK] = {0};

	for (int64_t i = 0; i < p->batch * p->len; i++) {
		for (int j = 0; j < TAPS; j++) {
			int64_t from = source(p, segments, i, j);

			if (from < 0)
				continue;
#pragma omp simd
			for (int64_t e = e0; e < end; e++)
				dw[j][e - e0] += dc[i * E + e] * x[from * E + e];
		}
#pragma omp simd
		for (int64_t e = e0; e < end; e++)
			db[e - e0] += dc[i * E + e];
	}
	for (int64_t e = e0; e < end; e++) {
		for (int j = 0; dweight && j < TAPS; j++)
			dweight[e * TAPS + j] += dw[j][e - e0];
		if (dbias)
			dbias[e] += db[e - e0];
	}
}

/* Tap j of row i reads row source(i, j): the rows that read row i lie as far on the other side. */
static void input_back(const struct dwconv1d *p, real *dx, int acc, const real *dc,
	const real *weight, const int32_t *segments)
{
	struct dwconv1d other = *p;
	int64_t E = p->dim;

	other.mirrored = !p->mirrored;
#pragma omp parallel for schedule(static) if (p->batch * p->len * E > SMALL)
	for (int64_t i = 0; i < p->batch * p->len; i++) {
		if (!acc)
			memset(dx + i * E, 0, E * sizeof(*dx));
		for (int j = 0; j < TAPS; j++) {
			int64_t from = source(&other, segments, i, j);

			if (from < 0)
				continue;
#pragma omp simd
			for (int64_t e = 0; e < E; e++)
				dx[i * E + e] += weight[e * TAPS + j] * dc[from * E + e];
		}
	}
}

void dwconv1d_backward(const struct dwconv1d *p, real *dx, int acc_x, real *dweight, real *dbias,
	const real *du, const real *c, const real *x, const real *weight, const int32_t *segments,
	real *work)
{
	silu_back(p->batch * p->len, p->dim, work, du, c);
	if (dx)
		input_back(p, dx, acc_x, work, weight, segments);
	if (!dweight && !dbias)
		return;
#pragma omp parallel for schedule(static)
	for (int64_t e0 = 0; e0 < p->dim; e0 += BLOCK)
		weight_back(p, e0, dweight, dbias, work, x, segments);
}

int64_t dwconv1d_work(const struct dwconv1d *p, int backward)
{
	return backward ? p->batch * p->len * p->dim : 0;
}
