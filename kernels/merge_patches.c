#include "kernels/merge_patches.h"
#include "kernels/rows.h"

static int64_t half(int64_t side)
{
	return (side + 1) / 2;
}

/* Where in y the channels of token t of x stand. */
static int64_t place(const struct merge_patches *p, int64_t t)
{
	int64_t b = t / (p->height * p->width), i = t / p->width % p->height, j = t % p->width;
	int64_t row = (b * half(p->height) + i / 2) * half(p->width) + j / 2;

	return (4 * row + j % 2 * 2 + i % 2) * p->dim;
}

/* The parts of y that no token fills: blocks below the last row and right of the last column. */
static void clear_outside(const struct merge_patches *p, real *y)
{
	int64_t rows = half(p->height), columns = half(p->width);

	for (int64_t n = 0; n < p->batch * rows * columns; n++) {
		int below = p->height % 2 && n / columns % rows == rows - 1;
		int right = p->width % 2 && n % columns == columns - 1;
		real *at = y + 4 * n * p->dim;

		if (below)
			row_clear(p->dim, at + p->dim);
		if (right)
			row_clear(p->dim, at + 2 * p->dim);
		if (below || right)
			row_clear(p->dim, at + 3 * p->dim);
	}
}

void merge_patches_forward(const struct merge_patches *p, real *y, const real *x)
{
	int64_t tokens = p->batch * p->height * p->width;

	if (p->height % 2 || p->width % 2)
		clear_outside(p, y);
#pragma omp parallel for schedule(static) if (tokens * p->dim > ROWS_SMALL)
	for (int64_t t = 0; t < tokens; t++)
		row_pass(p->dim, y + place(p, t), 0, x + t * p->dim);
}

void merge_patches_backward(const struct merge_patches *p, real *dx, int acc, const real *dy)
{
	int64_t tokens = p->batch * p->height * p->width;

	if (!dx)
		return;
#pragma omp parallel for schedule(static) if (tokens * p->dim > ROWS_SMALL)
	for (int64_t t = 0; t < tokens; t++)
		row_pass(p->dim, dx + t * p->dim, acc, dy + place(p, t));
}
