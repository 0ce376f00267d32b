#include "kernels/batchnorm.h"

#include <math.h>

static void channel_apply(const struct batchnorm *p, int64_t c, real *y, const real *x, real mean,
	real scale, real bias)
{
	for (int64_t i = c; i < p->rows * p->dim; i += p->dim) {
		real v = (x[i] - mean) * scale + bias;

		y[i] = p->relu && v < 0 ? 0 : v; /* NaN stays */
	}
}

void batchnorm_running(const struct batchnorm *p, real *y, const real *x, const real *weight,
	const real *bias, const real *mean, const real *var)
{
	for (int64_t c = 0; c < p->dim; c++)
		channel_apply(p, c, y, x, mean[c],
			weight[c] * (real)(1 / sqrt((double)var[c] + p->eps)), bias[c]);
}

void batchnorm_forward(const struct batchnorm *p, real *y, real *kept, real *stat_mean,
	real *stat_var, const real *x, const real *weight, const real *bias)
{
	for (int64_t c = 0; c < p->dim; c++) {
		double sum = 0, square = 0;

		for (int64_t r = 0; r < p->rows; r++)
			sum += x[r * p->dim + c];
		sum /= p->rows;
		for (int64_t r = 0; r < p->rows; r++)
			square += (x[r * p->dim + c] - sum) * (x[r * p->dim + c] - sum);
		kept[c] = (real)sum;
		kept[p->dim + c] = (real)(1 / sqrt(square / p->rows + p->eps));
		if (stat_mean)
			stat_mean[c] += (real)sum;
		if (stat_var)
			stat_var[c] += (real)(square / (p->rows - 1));
		channel_apply(p, c, y, x, kept[c], weight[c] * kept[p->dim + c], bias[c]);
	}
}

void batchnorm_backward(const struct batchnorm *p, real *dx, int acc, real *dweight, real *dbias,
	const real *dy, const real *kept, const real *x, const real *weight, const real *bias)
{
	for (int64_t c = 0; c < p->dim; c++) {
		real mean = kept[c], inv = kept[p->dim + c];
		double sum = 0, product = 0;

		for (int64_t i = c; i < p->rows * p->dim; i += p->dim)
			if (!p->relu || (x[i] - mean) * (weight[c] * inv) + bias[c] > 0) {
				sum += dy[i];
				product += (double)dy[i] * ((x[i] - mean) * inv);
			}
		if (dbias)
			dbias[c] += (real)sum;
		if (dweight)
			dweight[c] += (real)product;
		for (int64_t i = c; dx && i < p->rows * p->dim; i += p->dim) {
			real h = (x[i] - mean) * inv;
			int on = !p->relu || (x[i] - mean) * (weight[c] * inv) + bias[c] > 0;
			real d = (on ? dy[i] : 0) - (real)(sum / p->rows) -
				 h * (real)(product / p->rows);

			dx[i] = (acc ? dx[i] : 0) + weight[c] * inv * d;
		}
	}
}
