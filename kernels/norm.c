#include "kernels/norm.h"

#include <math.h>

void norm_forward(const struct norm *p, real *y, real *stat, const real *x, const real *weight,
	const real *bias)
{
	for (int64_t r = 0; r < p->rows; r++, x += p->dim, y += p->dim, stat += 2) {
		double sum = 0, squares = 0;

		for (int64_t i = 0; p->centred && i < p->dim; i++)
			sum += x[i];
		stat[0] = (real)(sum / p->dim);
		for (int64_t i = 0; i < p->dim; i++)
			squares += (x[i] - sum / p->dim) * (x[i] - sum / p->dim);
		stat[1] = (real)(1 / sqrt(squares / p->dim + p->eps));
		for (int64_t i = 0; i < p->dim; i++)
			y[i] = (x[i] - stat[0]) * stat[1] * (weight ? weight[i] : 1) +
			       (bias ? bias[i] : 0);
	}
}

static void row_back(const struct norm *p, real *dx, int acc, const real *dy, const real *stat,
	const real *x, const real *weight)
{
	double g_sum = 0, gh_sum = 0;

	for (int64_t i = 0; i < p->dim; i++) {
		real g = dy[i] * (weight ? weight[i] : 1), h = (x[i] - stat[0]) * stat[1];

		g_sum += p->centred ? g : 0;
		gh_sum += g * h;
	}
	for (int64_t i = 0; i < p->dim; i++) {
		real g = dy[i] * (weight ? weight[i] : 1), h = (x[i] - stat[0]) * stat[1];
		real d = stat[1] * (g - h * (real)(gh_sum / p->dim) - (real)(g_sum / p->dim));

		dx[i] = acc ? dx[i] + d : d;
	}
}

void norm_backward(const struct norm *p, real *dx, int acc_x, real *dweight, real *dbias,
	const real *dy, const real *stat, const real *x, const real *weight)
{
	int64_t C = p->dim;

	for (int64_t r = 0; r < p->rows; r++) {
		const real *s = stat + 2 * r;

		if (dx)
			row_back(p, dx + r * C, acc_x, dy + r * C, s, x + r * C, weight);
		for (int64_t i = 0; i < C; i++) {
			if (dweight)
				dweight[i] += dy[r * C + i] * (x[r * C + i] - s[0]) * s[1];
			if (dbias)
				dbias[i] += dy[r * C + i];
		}
	}
}
