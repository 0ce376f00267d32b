/*
 * The fast form needs no copy of every pixel's neighbourhood: with channels last, a row of taps is
 * one run of k cin values of x, so a convolution is a product whose left side is read in place, or
 * from a few padded rows. dx is the convolution of dy, spread out by the stride, with the turned
 * weight; where patches do not overlap (stride k), it is a product for each row of taps.
 */
#include "kernels/conv2d_fast.h"

#include <omp.h>
#include <string.h>

#define TILE_PIXELS 112 /* about: output pixels of a task */
#define RUN_PART 256	/* values of a sum taken at a time, so that weights stay near */

/* Weights as panels: for each tile of columns, (k, k, in_c, tile's columns). */
struct pack {
	int64_t out, inner, step_inner, step_outer; /* column o: o % inner, o / inner */
	int64_t rows, columns, depth, step_row, step_column, step_depth;
	const real *weight;
};

static void pack_column(const struct pack *s, real *to, int64_t tile, int64_t o)
{
	const real *w = s->weight + o % s->inner * s->step_inner + o / s->inner * s->step_outer;

	for (int64_t i = 0; i < s->rows; i++)
		for (int64_t j = 0; j < s->columns; j++)
			for (int64_t c = 0; c < s->depth; c++, to += tile)
				*to = o < s->out ? w[i * s->step_row + j * s->step_column +
							   c * s->step_depth]
						 : 0;
}

static void pack_panels(const struct pack *s, real *panel)
{
	int64_t padded = conv_padded(s->out), sum = s->rows * s->columns * s->depth;

#pragma omp parallel for schedule(static) if (padded * sum > CONV_SMALL)
	for (int64_t o = 0; o < padded; o++) {
		int64_t c = 0, tile = conv_vectors(0, padded) * CONV_LANES;

		while (c + tile <= o) {
			c += tile;
			tile = conv_vectors(c, padded) * CONV_LANES;
		}
		pack_column(s, panel + sum * c + (o - c), tile, o);
	}
}

/* Rows of output in a task. */
static int64_t task_height(const struct conv *p)
{
	return conv_least(p->out_h, (TILE_PIXELS + p->out_w - 1) / p->out_w);
}

int64_t conv_tasks(const struct conv *p)
{
	return p->batch * ((p->out_h + task_height(p) - 1) / task_height(p));
}

struct conv_rows conv_task_rows(const struct conv *p, int64_t task)
{
	int64_t tall = task_height(p), groups = (p->out_h + tall - 1) / tall;
	int64_t i = task % groups * tall;

	return (struct conv_rows){task / groups, i, conv_least(tall, p->out_h - i)};
}

int conv_threads(const struct conv *p)
{
	int most = omp_get_max_threads();

	return (int)conv_least(conv_least(CONV_THREADS, conv_tasks(p)), most);
}

static int64_t conv_width(const struct conv *p)
{
	return (p->out_w - 1) * p->stride + p->kernel;
}

int64_t conv_rows_size(const struct conv *p)
{
	int64_t rows = (task_height(p) - 1) * p->stride + p->kernel;

	return (rows * conv_width(p) * p->in_c + 15) / 16 * 16;
}

/* Whether x can be read in place. */
static int in_place(const struct conv *p)
{
	return p->pad == 0 && p->spread == 1;
}

static void spread_row(const struct conv *p, real *to, const real *from)
{
	int64_t width = conv_width(p), c = p->in_c, end = (p->in_w - 1) * p->spread + 1;
	int64_t stop = conv_least(width, p->pad + end);

	memset(to, 0, p->pad * c * sizeof(*to));
	if (p->spread == 1) {
		memcpy(to + p->pad * c, from, (stop - p->pad) * c * sizeof(*to));
	} else {
		memset(to + p->pad * c, 0, (stop - p->pad) * c * sizeof(*to));
		for (int64_t j = 0; p->pad + j * p->spread < stop; j++)
			memcpy(to + (p->pad + j * p->spread) * c, from + j * c, c * sizeof(*to));
	}
	memset(to + stop * c, 0, (width - stop) * c * sizeof(*to));
}

/* Rows [top, top + n) of the padded, spread input of sample b. */
static void spread_rows(const struct conv *p, real *to, int64_t b, int64_t top, int64_t n)
{
	int64_t size = conv_width(p) * p->in_c;

	for (int64_t i = 0; i < n; i++, to += size) {
		int64_t at = top + i - p->pad;

		if (at < 0 || at % p->spread || at / p->spread >= p->in_h)
			memset(to, 0, size * sizeof(*to));
		else
			spread_row(
				p, to, p->x + (b * p->in_h + at / p->spread) * p->in_w * p->in_c);
	}
}

const real *conv_input(const struct conv *p, struct conv_rows at, real *rows, int64_t *step)
{
	*step = (in_place(p) ? p->in_w : conv_width(p)) * p->in_c;
	if (in_place(p))
		return p->x + (at.b * p->in_h + at.i * p->stride) * *step;
	spread_rows(p, rows, at.b, at.i * p->stride, (at.n - 1) * p->stride + p->kernel);
	return rows;
}

/* Part [r, r + runs) x [t, t + len) of the sums of n rows of output, one tile of columns. */
static void sum_part(const struct conv *p, struct conv_tile *t, int64_t n, int64_t vectors)
{
	const real *a = t->a;
	real *y = t->y;

	for (int64_t i = 0; i < n; i++) {
		t->a = a + i * p->stride * t->a_run;
		t->y = y + i * p->y_row;
		conv_tile_sum(t, vectors);
	}
}

static void sum_columns(const struct conv *p, const real *panel, const real *a, int64_t a_run,
	real *y, int64_t c, int64_t n)
{
	int64_t padded = conv_padded(p->out_c), run = p->kernel * p->in_c;
	int64_t vectors = conv_vectors(c, padded), tile = vectors * CONV_LANES;
	int64_t runs = run < RUN_PART ? RUN_PART / run : 1;

	panel += c * p->kernel * run;
	for (int64_t r = 0; r < p->kernel; r += runs)
		for (int64_t from = 0; from < run; from += RUN_PART) {
			struct conv_tile t = {.runs = conv_least(runs, p->kernel - r),
				.len = conv_least(run - from, RUN_PART),
				.a = a + r * a_run + from,
				.a_run = a_run,
				.a_step = 1,
				.a_item = p->stride * p->in_c,
				.w = panel + (r * run + from) * tile,
				.w_run = run * tile,
				.w_step = tile,
				.y = y + c,
				.y_item = p->y_pixel,
				.items = p->out_w,
				.columns = conv_least(p->out_c - c, tile),
				.start = p->bias ? p->bias + c : NULL,
				.add = p->add || r || from};

			sum_part(p, &t, n, vectors);
		}
}

static void conv_task(const struct conv *p, int64_t task, real *rows)
{
	int64_t repeat = task % p->repeats;
	struct conv_rows at = conv_task_rows(p, task / p->repeats);
	int64_t padded = conv_padded(p->out_c), step;
	const real *a = conv_input(p, at, rows, &step);
	real *y = p->y + repeat * p->y_step + at.b * p->y_image + at.i * p->y_row;

	for (int64_t c = 0; c < p->out_c; c += conv_vectors(c, padded) * CONV_LANES)
		sum_columns(p, p->panel + repeat * p->panel_step, a, step, y, c, at.n);
}

static void conv_run(const struct conv *p)
{
	int64_t size = conv_rows_size(p), pixels = p->batch * p->out_h * p->out_w;
	int64_t products = p->repeats * pixels * p->kernel * p->kernel * p->in_c * p->out_c;

#pragma omp parallel for schedule(static) num_threads(conv_threads(p)) if (products > CONV_SMALL)
	for (int64_t task = 0; task < p->repeats * conv_tasks(p); task++)
		conv_task(p, task, p->rows + omp_get_thread_num() * size);
}

struct conv conv_of(const struct conv2d *p)
{
	int64_t h = conv2d_out(p, p->height), w = conv2d_out(p, p->width);

	return (struct conv){.batch = p->batch,
		.in_h = p->height,
		.in_w = p->width,
		.in_c = p->cin,
		.out_h = h,
		.out_w = w,
		.out_c = p->cout,
		.kernel = p->kernel,
		.stride = p->stride,
		.pad = p->pad,
		.spread = 1,
		.y_image = h * w * p->cout,
		.y_row = w * p->cout,
		.y_pixel = p->cout,
		.repeats = 1};
}

/* dx as a convolution of dy, spread by the stride. */
static struct conv conv_back(const struct conv2d *p)
{
	return (struct conv){.batch = p->batch,
		.in_h = conv2d_out(p, p->height),
		.in_w = conv2d_out(p, p->width),
		.in_c = p->cout,
		.out_h = p->height,
		.out_w = p->width,
		.out_c = p->cin,
		.kernel = p->kernel,
		.stride = 1,
		.pad = p->kernel - 1 - p->pad,
		.spread = p->stride,
		.y_image = p->height * p->width * p->cin,
		.y_row = p->width * p->cin,
		.y_pixel = p->cin,
		.repeats = 1};
}

/* Patches that do not overlap: for each row of taps, from dy to k cin values of dx at a time. */
static struct conv conv_patch_rows(const struct conv2d *p)
{
	int64_t h = conv2d_out(p, p->height), w = conv2d_out(p, p->width);

	return (struct conv){.batch = p->batch,
		.in_h = h,
		.in_w = w,
		.in_c = p->cout,
		.out_h = h,
		.out_w = w,
		.out_c = p->kernel * p->cin,
		.kernel = 1,
		.stride = 1,
		.spread = 1,
		.y_image = p->height * p->width * p->cin,
		.y_row = p->stride * p->width * p->cin,
		.y_pixel = p->stride * p->cin,
		.repeats = p->kernel,
		.panel_step = conv_padded(p->kernel * p->cin) * p->cout,
		.y_step = p->width * p->cin};
}

static int is_patches(const struct conv2d *p)
{
	return p->stride == p->kernel && p->pad == 0;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Panels of either direction, and the padded bias at the end. */
static int64_t panels_size(const struct conv2d *p)
{
	int64_t forward = conv_padded(p->cout) * p->cin, back = conv_padded(p->cin) * p->cout;

	return larger(forward, back) * p->kernel * p->kernel + conv_padded(p->cout);
}

void conv2d_forward_fast(const struct conv2d *p, real *y, const real *x, const real *weight,
	const real *bias, real *work)
{
	struct conv s = conv_of(p);
	int64_t taps = p->kernel * p->kernel;
	struct pack pack = {.out = p->cout,
		.inner = p->cout,
		.step_inner = p->cin * taps,
		.rows = p->kernel,
		.columns = p->kernel,
		.depth = p->cin,
		.step_row = p->kernel,
		.step_column = 1,
		.step_depth = taps,
		.weight = weight};

	pack_panels(&pack, work);
	s.panel = work;
	work += panels_size(p);
	if (bias) {
		memset(work - conv_padded(p->cout), 0, conv_padded(p->cout) * sizeof(*work));
		s.bias = memcpy(work - conv_padded(p->cout), bias, p->cout * sizeof(*work));
	}
	s.x = x;
	s.y = y;
	s.rows = work;
	conv_run(&s);
}

/* Patches: the rows and columns that no patch covers. */
static void clear_rest(const struct conv2d *p, real *dx)
{
	int64_t h = conv2d_out(p, p->height) * p->stride, w = conv2d_out(p, p->width) * p->stride;

	for (int64_t i = 0; i < p->batch * p->height; i++) {
		int64_t from = i % p->height < h ? w : 0;

		memset(dx + (i * p->width + from) * p->cin, 0,
			(p->width - from) * p->cin * sizeof(*dx));
	}
}

/* dx of dy, the panels of the weight being in work. */
static void run_back(
	const struct conv2d *p, struct conv *s, real *dx, int acc, const real *dy, real *work)
{
	s->x = dy;
	s->y = dx;
	s->panel = work;
	s->rows = work + panels_size(p);
	s->add = acc;
	conv_run(s);
}

static void patches_back(
	const struct conv2d *p, real *dx, int acc, const real *dy, const real *weight, real *work)
{
	int64_t taps = p->kernel * p->kernel;
	struct conv s = conv_patch_rows(p);

	if (!acc)
		clear_rest(p, dx);
	for (int64_t di = 0; di < p->kernel; di++) {
		struct pack pack = {.out = s.out_c,
			.inner = p->cin,
			.step_inner = taps,
			.step_outer = 1,
			.rows = 1,
			.columns = 1,
			.depth = p->cout,
			.step_depth = p->cin * taps,
			.weight = weight + di * p->kernel};

		pack_panels(&pack, work + di * s.panel_step);
	}
	run_back(p, &s, dx, acc, dy, work);
}

static void input_back(
	const struct conv2d *p, real *dx, int acc, const real *dy, const real *weight, real *work)
{
	int64_t taps = p->kernel * p->kernel;
	struct conv s = conv_back(p);
	struct pack pack = {.out = p->cin,
		.inner = p->cin,
		.step_inner = taps,
		.rows = p->kernel,
		.columns = p->kernel,
		.depth = p->cout,
		.step_row = -p->kernel,
		.step_column = -1,
		.step_depth = p->cin * taps,
		.weight = weight + taps - 1};

	pack_panels(&pack, work);
	run_back(p, &s, dx, acc, dy, work);
}

void conv2d_backward_fast(const struct conv2d *p, real *dx, int acc, real *dweight, real *dbias,
	const real *dy, const real *x, const real *weight, real *work)
{
	if (dx && is_patches(p))
		patches_back(p, dx, acc, dy, weight, work);
	else if (dx)
		input_back(p, dx, acc, dy, weight, work);
	if (dweight || dbias)
		conv2d_weight_back(p, dweight, dbias, dy, x, work);
}

static int64_t conv_work(const struct conv *s)
{
	return conv_least(CONV_THREADS, conv_tasks(s)) * conv_rows_size(s);
}

int64_t conv2d_work_fast(const struct conv2d *p, int backward)
{
	struct conv forward = conv_of(p), back = is_patches(p) ? conv_patch_rows(p) : conv_back(p);

	if (!backward)
		return panels_size(p) + conv_work(&forward);
	return larger(panels_size(p) + conv_work(&back), conv2d_weight_work(p));
}
