#include "kernels/clip_rows.h"
#include "kernels/rows.h"

static int64_t length(const struct clip_rows *p)
{
	return p->before + p->frames * p->n;
}

static int is_large(const struct clip_rows *p)
{
	return p->batch * length(p) * p->dim > ROWS_SMALL;
}

void clip_rows_forward(
	const struct clip_rows *p, real *y, const real *x, const real *rows, const real *times)
{
	int64_t C = p->dim, L = length(p);

#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t i = 0; i < p->batch * L; i++) {
		int64_t at = i % L - p->before; /* among the frames' tokens */
		const real *row = rows + (at < 0 ? i % L : p->before + at % p->n) * C;

		row_pass(C, y + i * C, 0, x + i * C);
		row_pass(C, y + i * C, 1, row);
		if (at >= 0)
			row_pass(C, y + i * C, 1, times + at / p->n * C);
	}
}

/* Row j of the table: of a token before the frames, or of a place in each of them. */
static void rows_backward(const struct clip_rows *p, real *drow, int64_t j, const real *dy)
{
	int64_t C = p->dim, L = length(p), frames = j < p->before ? 1 : p->frames;

	for (int64_t b = 0; b < p->batch; b++)
		for (int64_t t = 0; t < frames; t++)
			row_pass(C, drow, 1, dy + (b * L + j + t * p->n) * C);
}

static void times_backward(const struct clip_rows *p, real *dtime, int64_t t, const real *dy)
{
	int64_t C = p->dim, L = length(p);

	for (int64_t b = 0; b < p->batch; b++)
		for (int64_t j = 0; j < p->n; j++)
			row_pass(C, dtime, 1, dy + (b * L + p->before + t * p->n + j) * C);
}

void clip_rows_backward(
	const struct clip_rows *p, real *dx, int acc, real *drows, real *dtimes, const real *dy)
{
	int64_t C = p->dim, L = length(p);

#pragma omp parallel if (is_large(p))
	{
#pragma omp for schedule(static) nowait
		for (int64_t i = 0; i < p->batch * L; i++)
			if (dx)
				row_pass(C, dx + i * C, acc, dy + i * C);
#pragma omp for schedule(static) nowait
		for (int64_t j = 0; j < p->before + p->n; j++)
			if (drows)
				rows_backward(p, drows + j * C, j, dy);
#pragma omp for schedule(static)
		for (int64_t t = 0; t < p->frames; t++)
			if (dtimes)
				times_backward(p, dtimes + t * C, t, dy);
	}
}
