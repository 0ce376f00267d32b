/*
 * dweight by the fast form: the tasks' rows are dealt to a fixed number of splits, each with a sum
 * of its own laid out (k, k, cin, cout) and a last row for dbias; the splits are added in order. A
 * large weight is cut by rows of taps too, so that few splits keep all threads busy.
 */
#include "kernels/conv2d_fast.h"

#include <omp.h>
#include <string.h>

#define SPLITS 16
#define SPLIT_LEAST 2000000 /* multiplications of a split, if there is a choice */
#define COLUMNS 16	    /* whose splits are added at a time */
#define LARGE 131072	    /* values of a weight that is cut by rows of taps */
#define PARTS_MOST 4194304  /* values of all splits together, if there is a choice */

struct parts {
	int64_t splits, cuts;	/* cuts: k, or 1 */
	int64_t padded, values; /* of a row; of a split */
};

static struct parts parts_of(const struct conv2d *p, const struct conv *s)
{
	int64_t padded = conv_padded(p->cout), rows = p->kernel * p->kernel * p->cin + 1;
	int64_t products = p->batch * s->out_h * s->out_w * rows * padded;
	struct parts parts = {1, 1, padded, rows * padded};

	if (parts.values > LARGE)
		parts.cuts = p->kernel;
	while (parts.splits * 2 <= conv_tasks(s) && parts.splits * parts.cuts < SPLITS &&
		parts.splits * 2 * parts.values <= PARTS_MOST &&
		parts.splits * 2 * SPLIT_LEAST <= products)
		parts.splits *= 2;
	return parts;
}

static int64_t threads_of(const struct parts *parts)
{
	return conv_least(CONV_THREADS, parts->splits * parts->cuts);
}

/* What a thread needs beside padded rows of x: rows of dy with whole vectors. */
static int64_t dy_size(const struct conv *s, const struct parts *parts)
{
	struct conv_rows most = conv_task_rows(s, 0);

	return parts->padded == s->out_c ? 0 : most.n * s->out_w * parts->padded;
}

/* dy (n, out_w, cout) of a task, with whole vectors */
static const real *dy_rows(const struct conv *s, const struct parts *parts, struct conv_rows at,
	const real *dy, real *to)
{
	const real *from = dy + (at.b * s->out_h + at.i) * s->out_w * s->out_c;

	if (parts->padded == s->out_c)
		return from;
	memset(to, 0, at.n * s->out_w * parts->padded * sizeof(*to));
	for (int64_t j = 0; j < at.n * s->out_w; j++)
		memcpy(to + j * parts->padded, from + j * s->out_c, s->out_c * sizeof(*to));
	return to;
}

/* t's rows of `items` values of x with all columns of dy */
static void sum_columns(const struct parts *parts, struct conv_tile *t, real *y)
{
	const real *w = t->w;
	int64_t vectors;

	for (int64_t c = 0; c < parts->padded; c += vectors * CONV_LANES) {
		vectors = conv_vectors(c, parts->padded);
		t->w = w + c;
		t->y = y + c;
		t->columns = vectors * CONV_LANES;
		conv_tile_sum(t, vectors);
	}
	t->w = w;
}

static void task_back(const struct conv *s, const struct parts *parts, int64_t task, int64_t cut,
	real *sum, int add, const real *dy, real *rows)
{
	static const real one = 1;
	struct conv_rows at = conv_task_rows(s, task);
	int64_t run = s->kernel * s->in_c, step;
	const real *x = conv_input(s, at, rows, &step);
	struct conv_tile t = {.runs = at.n,
		.len = s->out_w,
		.w = dy_rows(s, parts, at, dy, rows + conv_rows_size(s)),
		.w_run = s->out_w * parts->padded,
		.w_step = parts->padded,
		.y_item = parts->padded,
		.items = 1,
		.a = &one,
		.add = add};

	if (cut == 0)
		sum_columns(parts, &t, sum + s->kernel * run * parts->padded);
	t.a_run = s->stride * step;
	t.a_step = s->stride * s->in_c;
	t.a_item = 1;
	t.items = run;
	for (int64_t di = cut; di < s->kernel; di++) {
		t.a = x + di * step;
		sum_columns(parts, &t, sum + di * run * parts->padded);
		if (parts->cuts > 1)
			break;
	}
}

/* One row of n columns from all splits, in order. */
static inline __attribute__((always_inline)) void add_row(
	const struct parts *parts, int64_t n, real *sum, const real *at)
{
	for (int64_t o = 0; o < n; o++)
		sum[o] = at[o];
	for (int64_t i = 1; i < parts->splits; i++)
		for (int64_t o = 0; o < n; o++)
			sum[o] += at[i * parts->values + o];
}

/* Some columns at a time, so that lines of the sums are read whole. */
static void add_splits(const struct conv2d *p, const struct parts *parts, int64_t from,
	real *dweight, real *dbias, const real *sums)
{
	int64_t taps = p->kernel * p->kernel, n = conv_least(COLUMNS, p->cout - from);
	int64_t size = taps * p->cin;
	real sum[COLUMNS];

	for (int64_t row = 0; row <= size; row++) {
		int64_t from_row = row < size ? row % taps * p->cin + row / taps : size;
		const real *at = sums + from + from_row * parts->padded;

		if (n == COLUMNS)
			add_row(parts, COLUMNS, sum, at);
		else
			add_row(parts, n, sum, at);
		for (int64_t o = 0; dweight && row < size && o < n; o++)
			dweight[(from + o) * size + row] += sum[o];
		for (int64_t o = 0; dbias && row == size && o < n; o++)
			dbias[from + o] += sum[o];
	}
}

void conv2d_weight_back(const struct conv2d *p, real *dweight, real *dbias, const real *dy,
	const real *x, real *work)
{
	struct conv s = conv_of(p);
	struct parts parts = parts_of(p, &s);
	int64_t tasks = conv_tasks(&s), own = conv_rows_size(&s) + dy_size(&s, &parts);
	int64_t small = p->batch * s.out_h * s.out_w * parts.values < CONV_SMALL;
	int threads = (int)conv_least(threads_of(&parts), omp_get_max_threads());
	real *sums = work, *rows = work + parts.splits * parts.values;

	s.x = x;
#pragma omp parallel for schedule(static) num_threads(threads) if (!small)
	for (int64_t i = 0; i < parts.splits * parts.cuts; i++) {
		int64_t split = i / parts.cuts, first = split * tasks / parts.splits;

		for (int64_t task = first; task < (split + 1) * tasks / parts.splits; task++)
			task_back(&s, &parts, task, i % parts.cuts, sums + split * parts.values,
				task > first, dy, rows + omp_get_thread_num() * own);
	}
#pragma omp parallel for schedule(static) if (!small)
	for (int64_t from = 0; from < p->cout; from += COLUMNS)
		add_splits(p, &parts, from, dweight, dbias, sums);
}

int64_t conv2d_weight_work(const struct conv2d *p)
{
	struct conv s = conv_of(p);
	struct parts parts = parts_of(p, &s);

	return parts.splits * parts.values +
	       threads_of(&parts) * (conv_rows_size(&s) + dy_size(&s, &parts));
}
