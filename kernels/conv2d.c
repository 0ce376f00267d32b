#include "kernels/conv2d.h"

#include <string.h>

/* Offset of pixel (i, j) of sample b in x, or -1 outside. */
static int64_t pixel(const struct conv2d *p, int64_t b, int64_t i, int64_t j)
{
	if (i < 0 || j < 0 || i >= p->height || j >= p->width)
		return -1;
	return ((b * p->height + i) * p->width + j) * p->cin;
}

/* Offset in x under tap (di, dj) of output pixel n, or -1 outside. */
static int64_t under(const struct conv2d *p, int64_t n, int64_t tap)
{
	int64_t h = conv2d_out(p, p->height), w = conv2d_out(p, p->width);

	return pixel(p, n / (h * w), n / w % h * p->stride + tap / p->kernel - p->pad,
		n % w * p->stride + tap % p->kernel - p->pad);
}

static int64_t pixels_out(const struct conv2d *p)
{
	return p->batch * conv2d_out(p, p->height) * conv2d_out(p, p->width);
}

void conv2d_forward(
	const struct conv2d *p, real *y, const real *x, const real *weight, const real *bias)
{
	int64_t taps = p->kernel * p->kernel;

	for (int64_t n = 0; n < pixels_out(p); n++)
		for (int64_t o = 0; o < p->cout; o++) {
			real sum = bias ? bias[o] : 0;

			for (int64_t tap = 0; tap < taps; tap++) {
				int64_t from = under(p, n, tap);

				for (int64_t c = 0; from >= 0 && c < p->cin; c++)
					sum += weight[(o * p->cin + c) * taps + tap] * x[from + c];
			}
			y[n * p->cout + o] = sum;
		}
}

static void pixel_back(const struct conv2d *p, int64_t n, int64_t o, real *dx, real *dweight,
	real d, const real *x, const real *weight)
{
	int64_t taps = p->kernel * p->kernel;

	for (int64_t tap = 0; tap < taps; tap++) {
		int64_t from = under(p, n, tap);

		for (int64_t c = 0; from >= 0 && c < p->cin; c++) {
			int64_t at = (o * p->cin + c) * taps + tap;

			if (dx)
				dx[from + c] += weight[at] * d;
			if (dweight)
				dweight[at] += x[from + c] * d;
		}
	}
}

void conv2d_backward(const struct conv2d *p, real *dx, int acc, real *dweight, real *dbias,
	const real *dy, const real *x, const real *weight)
{
	if (dx && !acc)
		memset(dx, 0, p->batch * p->height * p->width * p->cin * sizeof(*dx));
	for (int64_t n = 0; n < pixels_out(p); n++)
		for (int64_t o = 0; o < p->cout; o++) {
			real d = dy[n * p->cout + o];

			pixel_back(p, n, o, dx, dweight, d, x, weight);
			if (dbias)
				dbias[o] += d;
		}
}
