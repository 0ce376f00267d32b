#include "kernels/split.h"
#include "kernels/rows.h"

void split_forward(const struct split *p, real *const *y, const real *x)
{
#pragma omp parallel for schedule(static) if (p->rows * p->width > ROWS_SMALL)
	for (int64_t r = 0; r < p->rows; r++) {
		const real *from = x + r * p->width;

		for (int i = 0; i < p->n; from += p->widths[i++])
			row_pass(p->widths[i], y[i] + r * p->widths[i], 0, from);
	}
}

void split_backward(const struct split *p, real *dx, int acc, const real *const *dy)
{
	if (!dx)
		return;
#pragma omp parallel for schedule(static) if (p->rows * p->width > ROWS_SMALL)
	for (int64_t r = 0; r < p->rows; r++) {
		real *to = dx + r * p->width;

		for (int i = 0; i < p->n; to += p->widths[i++])
			row_pass(p->widths[i], to, acc, dy[i] + r * p->widths[i]);
	}
}
