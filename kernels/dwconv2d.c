#include "kernels/dwconv2d.h"

#include <math.h>
#include <string.h>

/* Offset of pixel (i, j) of sample b, or -1 outside the grid. */
static int64_t pixel(const struct dwconv2d *p, int64_t b, int64_t i, int64_t j)
{
	if (i < 0 || j < 0 || i >= p->height || j >= p->width)
		return -1;
	return ((b * p->height + i) * p->width + j) * p->dim;
}

static real sigmoid(real x)
{
	return 1 / (1 + REAL_M(exp)(-x));
}

static void pixel_forward(const struct dwconv2d *p, int64_t b, int64_t i, int64_t j, real *y,
	real *c, const real *x, const real *weight, const real *bias)
{
	int64_t k = p->kernel, at = pixel(p, b, i, j);

	for (int64_t e = 0; e < p->dim; e++) {
		real sum = bias ? bias[e] : 0;

		for (int64_t tap = 0; tap < k * k; tap++) {
			int64_t from = pixel(p, b, i + tap / k - k / 2, j + tap % k - k / 2);

			if (from >= 0)
				sum += weight[e * k * k + tap] * x[from + e];
		}
		c[at + e] = sum;
		if (!p->plain)
			y[at + e] = sum * sigmoid(sum);
	}
}

void dwconv2d_forward(const struct dwconv2d *p, real *y, real *c, const real *x, const real *weight,
	const real *bias)
{
	for (int64_t b = 0; b < p->batch; b++)
		for (int64_t i = 0; i < p->height; i++)
			for (int64_t j = 0; j < p->width; j++)
				pixel_forward(p, b, i, j, y, c, x, weight, bias);
}

static void pixel_back(const struct dwconv2d *p, int64_t b, int64_t i, int64_t j, real *dx,
	real *dweight, real *dbias, const real *dy, const real *c, const real *x,
	const real *weight)
{
	int64_t k = p->kernel, at = pixel(p, b, i, j);

	for (int64_t e = 0; e < p->dim; e++) {
		real s = p->plain ? 1 : sigmoid(c[at + e]), dc = dy[at + e];

		if (!p->plain)
			dc *= s * (1 + c[at + e] * (1 - s));

		for (int64_t tap = 0; tap < k * k; tap++) {
			int64_t from = pixel(p, b, i + tap / k - k / 2, j + tap % k - k / 2);

			if (from >= 0 && dx)
				dx[from + e] += weight[e * k * k + tap] * dc;
			if (from >= 0 && dweight)
				dweight[e * k * k + tap] += x[from + e] * dc;
		}
		if (dbias)
			dbias[e] += dc;
	}
}

void dwconv2d_backward(const struct dwconv2d *p, real *dx, int acc_x, real *dweight, real *dbias,
	const real *dy, const real *c, const real *x, const real *weight)
{
	if (dx && !acc_x)
		memset(dx, 0, p->batch * p->height * p->width * p->dim * sizeof(*dx));
	for (int64_t b = 0; b < p->batch; b++)
		for (int64_t i = 0; i < p->height; i++)
			for (int64_t j = 0; j < p->width; j++)
				pixel_back(p, b, i, j, dx, dweight, dbias, dy, c, x, weight);
}
