#include "lib/models/positions.h"

#include <math.h>
#include <string.h>

struct position_table positions_of(const struct network_config *c, int64_t side)
{
	struct network_config other = *c;

	other.image = c->patch + (side - 1) * network_stride(c);
	return (struct position_table){side, network_extra_tokens(c), network_class_index(&other)};
}

int64_t positions_rows(const struct position_table *t)
{
	return t->grid * t->grid + t->extra;
}

/* The row of place i of the grid. */
static int64_t row_of(const struct position_table *t, int64_t i)
{
	return i < t->at ? i : i + t->extra;
}

/* One resizing. */
struct resizing {
	const struct position_table *from, *to;
	const real *in;
	real *out;
	int64_t dim;
};

/* Channel c of a place of the grid, which is held at the border. */
static double value_at(const struct resizing *r, int64_t y, int64_t x, int64_t c)
{
	int64_t last = r->from->grid - 1;

	y = y < 0 ? 0 : y > last ? last : y;
	x = x < 0 ? 0 : x > last ? last : x;
	return r->in[row_of(r->from, y * r->from->grid + x) * r->dim + c];
}

static void pool_blocks(const struct resizing *r)
{
	int64_t to = r->to->grid, f = r->from->grid / to;

	for (int64_t i = 0; i < to * to; i++)
		for (int64_t c = 0; c < r->dim; c++) {
			double sum = 0;

			for (int64_t k = 0; k < f * f; k++)
				sum += value_at(r, i / to * f + k / f, i % to * f + k % f, c);
			r->out[row_of(r->to, i) * r->dim + c] = (real)(sum / (f * f));
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

/* Where output i of `to` reads among `from`: first neighbour, and weights. */
static int64_t source(int64_t i, int64_t from, int64_t to, double w[4])
{
	double at = (i + 0.5) * from / to - 0.5, low = floor(at);

	cubic_weights(at - low, w);
	return (int64_t)low - 1;
}

static void bicubic(const struct resizing *r)
{
	int64_t from = r->from->grid, to = r->to->grid;

	for (int64_t i = 0; i < to * to; i++) {
		double wy[4], wx[4];
		int64_t y = source(i / to, from, to, wy), x = source(i % to, from, to, wx);

		for (int64_t c = 0; c < r->dim; c++) {
			double sum = 0;

			for (int k = 0; k < 16; k++)
				sum += wy[k / 4] * wx[k % 4] * value_at(r, y + k / 4, x + k % 4, c);
			r->out[row_of(r->to, i) * r->dim + c] = (real)sum;
		}
	}
}

static void copy_row(const struct resizing *r, int64_t to, int64_t from)
{
	memcpy(r->out + to * r->dim, r->in + from * r->dim, r->dim * sizeof(*r->out));
}

void positions_resize(const real *in, const struct position_table *from, real *out,
	const struct position_table *to, int64_t dim, int pool)
{
	struct resizing r = {from, to, in, out, dim};

	for (int64_t i = 0; i < from->extra && i < to->extra; i++)
		copy_row(&r, to->at + i, from->at + i);
	if (from->grid == to->grid)
		for (int64_t i = 0; i < to->grid * to->grid; i++)
			copy_row(&r, row_of(to, i), row_of(from, i));
	else if (pool && from->grid % to->grid == 0)
		pool_blocks(&r);
	else
		bicubic(&r);
}

void positions_stretch(const real *in, int64_t from, real *out, int64_t to, int64_t dim)
{
	for (int64_t i = 0; i < to; i++) {
		double at = fmax((i + 0.5) * from / to - 0.5, 0), t = at - floor(at);
		int64_t low = (int64_t)at, high = low + 1 < from ? low + 1 : from - 1;

		for (int64_t c = 0; c < dim; c++)
			out[i * dim + c] =
				(real)((1 - t) * in[low * dim + c] + t * in[high * dim + c]);
	}
}
