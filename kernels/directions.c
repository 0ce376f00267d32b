#include "kernels/directions.h"
#include "kernels/rows.h"

/* Rows of one token in (b, L, C) and, for direction 0, in (b, K, L, C); others follow by step. */
struct place {
	int64_t b, row, first, step;
};

static struct place place_of(const struct directions *p, int64_t i)
{
	int64_t b = i / p->len, t = i % p->len, step = p->len * p->dim;

	return (struct place){b, i * p->dim, b * p->directions * step + t * p->dim, step};
}

static int64_t tokens(const struct directions *p)
{
	return p->batch * p->len;
}

/* to = a (x_0 + x_1 + ...), or added to it: the directions of one token */
static void row_sum(
	const struct directions *p, struct place at, real *to, int acc, const real *x, real a)
{
	for (int64_t k = 0; k < p->directions; k++)
		row_scaled(p->dim, to + at.row, acc || k, x + at.first + k * at.step, a);
}

void merge_directions_forward(const struct directions *p, real *y, const real *x, const real *o,
	const struct drop_path *drop)
{
#pragma omp parallel for schedule(static) if (tokens(p) * p->dim > ROWS_SMALL)
	for (int64_t i = 0; i < tokens(p); i++) {
		struct place at = place_of(p, i);
		real scale = drop_path_scale(drop, p->rate, p->layer, at.b);

		row_sum(p, at, y, 0, o, scale);
		row_scaled(p->dim, y + at.row, 1, x + at.row, 1);
	}
}

void merge_directions_backward(const struct directions *p, real *dx, int acc_x, real *d_o,
	int acc_o, const real *dy, const struct drop_path *drop)
{
#pragma omp parallel for schedule(static) if (tokens(p) * p->dim > ROWS_SMALL)
	for (int64_t i = 0; i < tokens(p); i++) {
		struct place at = place_of(p, i);
		real scale = drop_path_scale(drop, p->rate, p->layer, at.b);

		if (dx)
			row_scaled(p->dim, dx + at.row, acc_x, dy + at.row, 1);
		for (int64_t k = 0; d_o && k < p->directions; k++)
			row_scaled(p->dim, d_o + at.first + k * at.step, acc_o, dy + at.row, scale);
	}
}

void tap_resid_forward(const struct directions *p, real *s, const real *x, const real *o)
{
#pragma omp parallel for schedule(static) if (tokens(p) * p->dim > ROWS_SMALL)
	for (int64_t i = 0; i < tokens(p); i++) {
		struct place at = place_of(p, i);

		for (int64_t k = 0; k < p->directions; k++) {
			const real *from = o + at.first + k * at.step, *xi = x + at.row;
			real *to = s + at.first + k * at.step;

#pragma omp simd
			for (int64_t c = 0; c < p->dim; c++)
				to[c] = xi[c] + p->kappa * from[c];
		}
	}
}

void tap_resid_backward(
	const struct directions *p, real *dx, int acc_x, real *d_o, int acc_o, const real *ds)
{
#pragma omp parallel for schedule(static) if (tokens(p) * p->dim > ROWS_SMALL)
	for (int64_t i = 0; i < tokens(p); i++) {
		struct place at = place_of(p, i);

		if (dx)
			row_sum(p, at, dx, acc_x, ds, 1);
		for (int64_t k = 0; d_o && k < p->directions; k++)
			row_scaled(p->dim, d_o + at.first + k * at.step, acc_o,
				ds + at.first + k * at.step, p->kappa);
	}
}

void mean_directions_forward(const struct directions *p, real *m, const real *s)
{
#pragma omp parallel for schedule(static) if (tokens(p) * p->dim > ROWS_SMALL)
	for (int64_t i = 0; i < tokens(p); i++)
		row_sum(p, place_of(p, i), m, 0, s, (real)1 / p->directions);
}

void mean_directions_backward(const struct directions *p, real *ds, int acc, const real *dm)
{
	if (!ds)
		return;
#pragma omp parallel for schedule(static) if (tokens(p) * p->dim > ROWS_SMALL)
	for (int64_t i = 0; i < tokens(p); i++) {
		struct place at = place_of(p, i);

		for (int64_t k = 0; k < p->directions; k++)
			row_scaled(p->dim, ds + at.first + k * at.step, acc, dm + at.row,
				(real)1 / p->directions);
	}
}
