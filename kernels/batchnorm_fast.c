/*
 * The fast form walks fixed blocks of rows, a few channels at a time whose sums stay in registers;
 * the blocks' sums are added in order. Statistics are sums of x and x^2 in double, where squares of
 * floats are exact.
 */
#include "kernels/batchnorm.h"
#include "kernels/rows.h"

#include <math.h>
#include <stddef.h>

#define ROWS 256 /* of a block */
#define WIDTH 16 /* channels at a time */

#define INLINE static inline __attribute__((always_inline))

static int64_t blocks(const struct batchnorm *p)
{
	return (p->rows + ROWS - 1) / ROWS;
}

static int64_t block_rows(const struct batchnorm *p, int64_t block)
{
	return block < blocks(p) - 1 ? ROWS : p->rows - block * ROWS;
}

static int is_large(const struct batchnorm *p)
{
	return p->rows * p->dim > ROWS_SMALL;
}

INLINE void sums_of(int64_t width, int64_t rows, int64_t dim, double *sum, const real *x)
{
	double s[WIDTH] = {0}, q[WIDTH] = {0};

	for (int64_t r = 0; r < rows; r++)
#pragma omp simd
		for (int64_t c = 0; c < width; c++) {
			double v = x[r * dim + c];

			s[c] += v;
			q[c] += v * v;
		}
	for (int64_t c = 0; c < width; c++) {
		sum[c] = s[c];
		sum[dim + c] = q[c];
	}
}

/* sums (blocks, 2, C) -> their sum over blocks in the first (2, C) */
static void add_blocks(const struct batchnorm *p, double *sums)
{
	for (int64_t i = 1; i < blocks(p); i++)
#pragma omp simd
		for (int64_t c = 0; c < 2 * p->dim; c++)
			sums[c] += sums[2 * i * p->dim + c];
}

static void statistics(const struct batchnorm *p, real *kept, real *stat_mean, real *stat_var,
	const real *x, double *sums)
{
	int64_t C = p->dim;

#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t i = 0; i < blocks(p); i++)
		for (int64_t c = 0; c < C; c += WIDTH) {
			const real *from = x + i * ROWS * C + c;
			double *to = sums + 2 * i * C + c;

			if (C - c >= WIDTH)
				sums_of(WIDTH, block_rows(p, i), C, to, from);
			else
				sums_of(C - c, block_rows(p, i), C, to, from);
		}
	add_blocks(p, sums);
	for (int64_t c = 0; c < C; c++) {
		double mean = sums[c] / p->rows, square = sums[C + c] - mean * sums[c];

		square = square < 0 ? 0 : square;
		kept[c] = (real)mean;
		kept[C + c] = (real)(1 / sqrt(square / p->rows + p->eps));
		if (stat_mean)
			stat_mean[c] += (real)mean;
		if (stat_var)
			stat_var[c] += (real)(square / (p->rows - 1));
	}
}

INLINE void apply(int64_t width, int relu, int64_t rows, int64_t dim, real *y, const real *x,
	const real *mean, const real *scale, const real *bias)
{
	real m[WIDTH], a[WIDTH], b[WIDTH];

	for (int64_t c = 0; c < width; c++) {
		m[c] = mean[c];
		a[c] = scale[c];
		b[c] = bias[c];
	}
	for (int64_t r = 0; r < rows; r++)
#pragma omp simd
		for (int64_t c = 0; c < width; c++) {
			real v = (x[r * dim + c] - m[c]) * a[c] + b[c];

			y[r * dim + c] = relu && v < 0 ? 0 : v;
		}
}

static void normalise(const struct batchnorm *p, real *y, const real *x, const real *mean,
	const real *scale, const real *bias)
{
	int64_t C = p->dim;

#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t i = 0; i < blocks(p); i++)
		for (int64_t c = 0; c < C; c += WIDTH) {
			int64_t at = i * ROWS * C + c, n = block_rows(p, i);

			if (C - c < WIDTH)
				apply(C - c, p->relu, n, C, y + at, x + at, mean + c, scale + c,
					bias + c);
			else if (p->relu)
				apply(WIDTH, 1, n, C, y + at, x + at, mean + c, scale + c,
					bias + c);
			else
				apply(WIDTH, 0, n, C, y + at, x + at, mean + c, scale + c,
					bias + c);
		}
}

void batchnorm_forward_fast(const struct batchnorm *p, real *y, real *kept, real *stat_mean,
	real *stat_var, const real *x, const real *weight, const real *bias, real *work)
{
	real *scale = work;

	statistics(p, kept, stat_mean, stat_var, x, (double *)(work + (p->dim + 15) / 16 * 16));
	for (int64_t c = 0; c < p->dim; c++)
		scale[c] = weight[c] * kept[p->dim + c];
	normalise(p, y, x, kept, scale, bias);
}

void batchnorm_running_fast(const struct batchnorm *p, real *y, const real *x, const real *weight,
	const real *bias, const real *mean, const real *var, real *work)
{
	for (int64_t c = 0; c < p->dim; c++)
		work[c] = weight[c] * (real)(1 / sqrt((double)var[c] + p->eps));
	normalise(p, y, x, mean, work, bias);
}

/* What backward needs of WIDTH channels. */
struct channels {
	real mean[WIDTH], inv[WIDTH], scale[WIDTH], bias[WIDTH];
	real offset[WIDTH], slope[WIDTH]; /* dx = scale g - offset - (x - mean) slope */
};

INLINE void gradient_sums(int64_t width, int relu, int64_t rows, int64_t dim, double *sums,
	const real *dy, const real *x, const struct channels *k)
{
	real s[WIDTH] = {0}, q[WIDTH] = {0};

	for (int64_t r = 0; r < rows; r++)
#pragma omp simd
		for (int64_t c = 0; c < width; c++) {
			real v = x[r * dim + c] - k->mean[c], g = dy[r * dim + c];

			g = relu && !(v * k->scale[c] + k->bias[c] > 0) ? 0 : g;
			s[c] += g;
			q[c] += g * v;
		}
	for (int64_t c = 0; c < width; c++) {
		sums[c] = s[c];
		sums[dim + c] = (double)q[c] * k->inv[c];
	}
}

INLINE void gradient(int64_t width, int relu, int64_t rows, int64_t dim, real *dx, int acc,
	const real *dy, const real *x, const struct channels *k)
{
	for (int64_t r = 0; r < rows; r++)
#pragma omp simd
		for (int64_t c = 0; c < width; c++) {
			real v = x[r * dim + c] - k->mean[c], g = dy[r * dim + c];

			g = relu && !(v * k->scale[c] + k->bias[c] > 0) ? 0 : g;
			g = k->scale[c] * g - k->offset[c] - v * k->slope[c];
			dx[r * dim + c] = acc ? dx[r * dim + c] + g : g;
		}
}

static struct channels channels_of(const struct batchnorm *p, int64_t from, const real *kept,
	const real *weight, const real *bias, const double *sums)
{
	struct channels k = {0};

	for (int64_t c = 0; c < WIDTH && from + c < p->dim; c++) {
		int64_t at = from + c;

		k.mean[c] = kept[at];
		k.inv[c] = kept[p->dim + at];
		k.scale[c] = weight[at] * k.inv[c];
		k.bias[c] = bias[at];
		if (sums) {
			k.offset[c] = (real)(k.scale[c] * sums[at] / p->rows);
			k.slope[c] =
				(real)((double)k.scale[c] * k.inv[c] * sums[p->dim + at] / p->rows);
		}
	}
	return k;
}

static void sum_gradients(const struct batchnorm *p, double *sums, const real *dy, const real *kept,
	const real *x, const real *weight, const real *bias)
{
	int64_t C = p->dim;

#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t i = 0; i < blocks(p); i++)
		for (int64_t c = 0; c < C; c += WIDTH) {
			struct channels k = channels_of(p, c, kept, weight, bias, NULL);
			int64_t at = i * ROWS * C + c, n = block_rows(p, i);
			double *to = sums + 2 * i * C + c;

			if (C - c < WIDTH)
				gradient_sums(C - c, p->relu, n, C, to, dy + at, x + at, &k);
			else if (p->relu)
				gradient_sums(WIDTH, 1, n, C, to, dy + at, x + at, &k);
			else
				gradient_sums(WIDTH, 0, n, C, to, dy + at, x + at, &k);
		}
	add_blocks(p, sums);
}

void batchnorm_backward_fast(const struct batchnorm *p, real *dx, int acc, real *dweight,
	real *dbias, const real *dy, const real *kept, const real *x, const real *weight,
	const real *bias, real *work)
{
	double *sums = (double *)(work + (p->dim + 15) / 16 * 16);
	int64_t C = p->dim;

	sum_gradients(p, sums, dy, kept, x, weight, bias);
	for (int64_t c = 0; c < C; c++) {
		if (dbias)
			dbias[c] += (real)sums[c];
		if (dweight)
			dweight[c] += (real)sums[C + c];
	}
	if (!dx)
		return;
#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t i = 0; i < blocks(p); i++)
		for (int64_t c = 0; c < C; c += WIDTH) {
			struct channels k = channels_of(p, c, kept, weight, bias, sums);
			int64_t at = i * ROWS * C + c, n = block_rows(p, i);

			if (C - c < WIDTH)
				gradient(C - c, p->relu, n, C, dx + at, acc, dy + at, x + at, &k);
			else if (p->relu && !acc)
				gradient(WIDTH, 1, n, C, dx + at, 0, dy + at, x + at, &k);
			else
				gradient(WIDTH, p->relu, n, C, dx + at, acc, dy + at, x + at, &k);
		}
}

int64_t batchnorm_work_fast(const struct batchnorm *p, int backward)
{
	return (p->dim + 15) / 16 * 16 +
	       2 * blocks(p) * p->dim * (int64_t)(sizeof(double) / sizeof(real));
}
