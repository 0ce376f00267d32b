#include "lib/models/positions.h"

#include <math.h>
#include <string.h>

static void pool_blocks(const real *in, int64_t from, real *out, int64_t to, int64_t dim)
{
	int64_t f = from / to;

	for (int64_t i = 0; i < to * to; i++)
		for (int64_t c = 0; c < dim; c++) {
			double sum = 0;

			for (int64_t k = 0; k < f * f; k++)
				sum += in[((i / to * f + k / f) * from + i % to * f + k % f) * dim +
					  c];
			out[i * dim + c] = (real)(sum / (f * f));
		}
}

/* Keys' cubic convolution, a = -0.75: weights of the four neighbours of a point at fraction t. */
static void cubic_weights(double t, double w[4])
{
	const double a = -0.75;
	double x[4] = {1 + t, t, 1 - t, 2 - t};

	w[0] = ((a * x[0] - 5 * a) * x[0] + 8 * a) * x[0] - 4 * a;
	w[1] = ((a + 2) * x[1] - (a + 3)) * x[1] * x[1] + 1;
	w[2] = ((a + 2) * x[2] - (a + 3)) * x[2] * x[2] + 1;
	w[3] = ((a * x[3] - 5 * a) * x[3] + 8 * a) * x[3] - 4 * a;
}

static int64_t clamp(int64_t i, int64_t n)
{
	return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* Where output i of `to` reads among `from`: first neighbour, and weights. */
static int64_t source(int64_t i, int64_t from, int64_t to, double w[4])
{
	double at = (i + 0.5) * from / to - 0.5, low = floor(at);

	cubic_weights(at - low, w);
	return (int64_t)low - 1;
}

static void bicubic(const real *in, int64_t from, real *out, int64_t to, int64_t dim)
{
	for (int64_t i = 0; i < to * to; i++) {
		double wy[4], wx[4];
		int64_t y = source(i / to, from, to, wy), x = source(i % to, from, to, wx);

		for (int64_t c = 0; c < dim; c++) {
			double sum = 0;

			for (int k = 0; k < 16; k++)
				sum += wy[k / 4] * wx[k % 4] *
				       in[(clamp(y + k / 4, from) * from + clamp(x + k % 4, from)) *
						       dim +
					       c];
			out[i * dim + c] = (real)sum;
		}
	}
}

void positions_resize(const real *in, int64_t from, real *out, int64_t to, int64_t dim, int pool)
{
	if (from == to)
		memcpy(out, in, to * to * dim * sizeof(*out));
	else if (pool && from % to == 0)
		pool_blocks(in, from, out, to, dim);
	else
		bicubic(in, from, out, to, dim);
}
