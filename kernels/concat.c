#include "kernels/concat.h"
#include "kernels/rows.h"

void concat_tokens_forward(const struct concat *p, real *y, const real *const *x)
{
#pragma omp parallel for schedule(static) if (p->batch * p->all * p->dim > ROWS_SMALL)
	for (int64_t b = 0; b < p->batch; b++) {
		real *to = y + b * p->all * p->dim;

		for (int i = 0; i < p->n; i++) {
			int64_t size = p->len[i] * p->dim;

			row_scaled(size, to, 0, x[i] + b * size, p->scale);
			to += size;
		}
	}
}

void concat_tokens_backward(const struct concat *p, real *const *dx, uint64_t acc, const real *dy)
{
#pragma omp parallel for schedule(static) if (p->batch * p->all * p->dim > ROWS_SMALL)
	for (int64_t b = 0; b < p->batch; b++) {
		const real *from = dy + b * p->all * p->dim;

		for (int i = 0; i < p->n; i++) {
			int64_t size = p->len[i] * p->dim;

			if (dx[i])
				row_scaled(size, dx[i] + b * size, (int)(acc >> i & 1), from,
					p->scale);
			from += size;
		}
	}
}
