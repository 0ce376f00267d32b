#include "kernels/residual.h"
#include "kernels/rows.h"

#define PART 4096 /* values */

static int64_t parts(const struct residual *p)
{
	return (p->size + PART - 1) / PART;
}

/* Part i of a sample: where it starts, and its length in *n. */
static int64_t part_start(const struct residual *p, int64_t i, int64_t *n)
{
	int64_t from = i % parts(p) * PART;

	*n = p->size - from < PART ? p->size - from : PART;
	return i / parts(p) * p->size + from;
}

void residual_forward(const struct residual *p, real *y, const real *x, const real *branch,
	const struct drop_path *drop)
{
#pragma omp parallel for schedule(static) if (p->batch * p->size > ROWS_SMALL)
	for (int64_t i = 0; i < p->batch * parts(p); i++) {
		int64_t n, at = part_start(p, i, &n);
		real scale = drop_path_scale(drop, p->rate, p->layer, i / parts(p));
		const real *a = x + at, *b = branch + at;
		real *to = y + at;

#pragma omp simd
		for (int64_t c = 0; c < n; c++)
			to[c] = a[c] + scale * b[c];
	}
}

void residual_backward(const struct residual *p, real *dx, int acc_x, real *dbranch, int acc_branch,
	const real *dy, const struct drop_path *drop)
{
#pragma omp parallel for schedule(static) if (p->batch * p->size > ROWS_SMALL)
	for (int64_t i = 0; i < p->batch * parts(p); i++) {
		int64_t n, at = part_start(p, i, &n);
		real scale = drop_path_scale(drop, p->rate, p->layer, i / parts(p));

		if (dx)
			row_pass(n, dx + at, acc_x, dy + at);
		if (dbranch)
			row_scaled(n, dbranch + at, acc_branch, dy + at, scale);
	}
}
