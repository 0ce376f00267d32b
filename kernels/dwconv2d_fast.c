/*
 * The fast form walks blocks of channels whose sums stay in registers; weights are laid out
 * (k, k, E) first. Rows of taps that fall outside the grid are skipped as a whole.
 */
#include "kernels/dwconv2d.h"
#include "kernels/vmath.h"

#include <string.h>

#define BLOCK 32 /* channels */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* (E, k k) -> (k k, E); turned: taps from the last to the first. */
static void lay_out(const struct dwconv2d *p, real *to, const real *weight, int turned)
{
	int64_t taps = p->kernel * p->kernel, E = p->dim;

	for (int64_t e = 0; e < E; e++)
		for (int64_t tap = 0; tap < taps; tap++)
			to[(turned ? taps - 1 - tap : tap) * E + e] = weight[e * taps + tap];
}

/* Taps [from, to) of an axis that lie inside for position i of n. */
struct range {
	int64_t from, to;
};

static struct range inside(int64_t k, int64_t i, int64_t n)
{
	struct range r = {0, k};

	if (i < k / 2)
		r.from = k / 2 - i;
	if (i + k / 2 >= n)
		r.to = n + k / 2 - i;
	return r;
}

/* One block of channels of one pixel: sum (BLOCK) += the taps that lie inside. */
static inline __attribute__((always_inline)) void convolve(const struct dwconv2d *p, int64_t width,
	int64_t i, int64_t j, real *sum, const real *x, const real *w)
{
	int64_t E = p->dim, k = p->kernel;
	struct range rows = inside(k, i, p->height), columns = inside(k, j, p->width);
	real s[BLOCK] = {0};

	for (int64_t di = rows.from; di < rows.to; di++) {
		const real *xi = x + ((i + di - k / 2) * p->width + j - k / 2) * E;
		const real *wi = w + di * k * E;

		for (int64_t dj = columns.from; dj < columns.to; dj++)
#pragma omp simd
			for (int64_t e = 0; e < width; e++)
				s[e] += wi[dj * E + e] * xi[dj * E + e];
	}
	for (int64_t e = 0; e < width; e++)
		sum[e] += s[e];
}

static inline __attribute__((always_inline)) void forward_block(const struct dwconv2d *p,
	int64_t width, real *y, real *c, const real *x, const real *w, const real *bias)
{
	for (int64_t i = 0; i < p->height; i++)
		for (int64_t j = 0; j < p->width; j++) {
			int64_t at = (i * p->width + j) * p->dim;

			if (bias)
				memcpy(c + at, bias, width * sizeof(*c));
			else
				memset(c + at, 0, width * sizeof(*c));
			convolve(p, width, i, j, c + at, x, w);
			if (p->plain)
				continue;
#pragma omp simd
			for (int64_t e = 0; e < width; e++)
				y[at + e] = vsilu(c[at + e]);
		}
}

void dwconv2d_forward_fast(const struct dwconv2d *p, real *y, real *c, const real *x,
	const real *weight, const real *bias, real *work)
{
	int64_t size = p->height * p->width * p->dim, blocks = (p->dim + BLOCK - 1) / BLOCK;

	lay_out(p, work, weight, 0);
#pragma omp parallel for schedule(static)
	for (int64_t n = 0; n < p->batch * blocks; n++) {
		int64_t e = n % blocks * BLOCK, at = n / blocks * size + e;
		const real *b = bias ? bias + e : NULL;

		if (p->dim - e >= BLOCK)
			forward_block(p, BLOCK, y + at, c + at, x + at, work + e, b);
		else
			forward_block(p, p->dim - e, y + at, c + at, x + at, work + e, b);
	}
}

static inline __attribute__((always_inline)) void input_block(
	const struct dwconv2d *p, int64_t width, real *dx, int acc, const real *dc, const real *w)
{
	for (int64_t i = 0; i < p->height; i++)
		for (int64_t j = 0; j < p->width; j++) {
			real *to = dx + (i * p->width + j) * p->dim;

			if (!acc)
				memset(to, 0, width * sizeof(*to));
			convolve(p, width, i, j, to, dc, w);
		}
}

/* dc of one sample and block, then dx. */
static inline __attribute__((always_inline)) void block_back(const struct dwconv2d *p,
	int64_t width, real *dx, int acc, real *dc, const real *dy, const real *c, const real *w)
{
	for (int64_t i = 0; i < p->height * p->width; i++)
		if (p->plain)
			memcpy(dc + i * p->dim, dy + i * p->dim, width * sizeof(*dc));
		else
#pragma omp simd
			for (int64_t e = i * p->dim; e < i * p->dim + width; e++) {
				real s = vsigmoid(c[e]);

				dc[e] = dy[e] * s * (1 + c[e] * (1 - s));
			}
	if (dx)
		input_block(p, width, dx, acc, dc, w);
}

/* dw (k, BLOCK) of the row di of taps, over all samples. */
static inline __attribute__((always_inline)) void tap_row_back(const struct dwconv2d *p,
	int64_t width, int64_t di, real *dw, const real *dc, const real *x)
{
	int64_t E = p->dim, k = p->kernel, row = p->width * E;

	for (int64_t dj = 0; dj < k; dj++) {
		int64_t i0 = di < k / 2 ? k / 2 - di : 0,
			i1 = p->height - (di > k / 2 ? di - k / 2 : 0);
		int64_t j0 = dj < k / 2 ? k / 2 - dj : 0,
			j1 = p->width - (dj > k / 2 ? dj - k / 2 : 0);
		real s[BLOCK] = {0};

		for (int64_t b = 0; b < p->batch; b++)
			for (int64_t i = i0; i < i1; i++) {
				const real *d = dc + (b * p->height + i) * row;
				const real *from = x + (b * p->height + i + di - k / 2) * row +
						   (dj - k / 2) * E;

				for (int64_t j = j0; j < j1; j++)
#pragma omp simd
					for (int64_t e = 0; e < width; e++)
						s[e] += d[j * E + e] * from[j * E + e];
			}
		memcpy(dw + dj * BLOCK, s, sizeof(s));
	}
}

/* Row n of the taps' rows of all blocks; row k of each is the bias. */
static void weight_back(const struct dwconv2d *p, int64_t n, real *dweight, real *dbias,
	const real *dc, const real *x)
{
	int64_t k = p->kernel, e0 = n / (k + 1) * BLOCK, di = n % (k + 1);
	int64_t width = least(BLOCK, p->dim - e0);
	real dw[DWCONV2D_MAX * BLOCK];

	if (di == k && dbias)
		for (int64_t i = 0; i < p->batch * p->height * p->width; i++)
#pragma omp simd
			for (int64_t e = e0; e < e0 + width; e++)
				dbias[e] += dc[i * p->dim + e];
	if (di == k || !dweight)
		return;
	if (width == BLOCK)
		tap_row_back(p, BLOCK, di, dw, dc + e0, x + e0);
	else
		tap_row_back(p, width, di, dw, dc + e0, x + e0);
	for (int64_t e = 0; e < width; e++)
		for (int64_t dj = 0; dj < k; dj++)
			dweight[((e0 + e) * k + di) * k + dj] += dw[dj * BLOCK + e];
}

void dwconv2d_backward_fast(const struct dwconv2d *p, real *dx, int acc_x, real *dweight,
	real *dbias, const real *dy, const real *c, const real *x, const real *weight, real *work)
{
	int64_t size = p->height * p->width * p->dim, blocks = (p->dim + BLOCK - 1) / BLOCK;
	real *w = work, *dc = work + dwconv2d_work_fast(p, 0);

	lay_out(p, w, weight, 1);
#pragma omp parallel for schedule(static)
	for (int64_t n = 0; n < p->batch * blocks; n++) {
		int64_t e = n % blocks * BLOCK, at = n / blocks * size + e;
		real *to = dx ? dx + at : NULL;

		if (p->dim - e >= BLOCK)
			block_back(p, BLOCK, to, acc_x, dc + at, dy + at, c + at, w + e);
		else
			block_back(p, p->dim - e, to, acc_x, dc + at, dy + at, c + at, w + e);
	}
	if (!dweight && !dbias)
		return;
#pragma omp parallel for schedule(dynamic)
	for (int64_t n = 0; n < blocks * (p->kernel + 1); n++)
		weight_back(p, n, dweight, dbias, dc, x);
}

int64_t dwconv2d_work_fast(const struct dwconv2d *p, int backward)
{
	int64_t w = (p->kernel * p->kernel * p->dim + 15) / 16 * 16;

	return backward ? w + p->batch * p->height * p->width * p->dim : w;
}
