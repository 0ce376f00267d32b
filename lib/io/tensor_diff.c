#include "lib/io/tensor_diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/h5_internal.h"

struct side {
	struct h5 *f;
	enum h5_type type;
	int dims;
	int64_t shape[H5_DIMS];
	void *own, *wide; /* a block in the file's type, and as f64, i64 or u64 */
};

static int is_float(enum h5_type t)
{
	return t == H5_F32 || t == H5_F64 || t == H5_F16 || t == H5_BF16;
}

/* Where value i of the whole tensor lies. */
static void place(struct tensor_diff *d, const struct side *a, int64_t i)
{
	for (int k = a->dims - 1; k >= 0; k--) {
		d->where[k] = i % a->shape[k];
		i /= a->shape[k];
	}
}

static void differs(struct tensor_diff *d, const struct side *a, int64_t i, double abs, double rel)
{
	if (!d->count++ || abs > d->max_abs) {
		d->max_abs = abs;
		place(d, a, i);
	}
	if (rel > d->max_rel)
		d->max_rel = rel;
	d->what = "values";
}

static void compare_float(
	struct tensor_diff *d, const struct side *at, int64_t i, double a, double b)
{
	double gap = fabs(a - b);
	int exact = d->rtol == 0 && d->atol == 0;

	if (isnan(a) && isnan(b))
		return;
	if (a == b && (!exact || signbit(a) == signbit(b)))
		return;
	if (!isfinite(a) || !isfinite(b)) {
		differs(d, at, i, INFINITY, INFINITY);
		return;
	}
	if (exact || !(gap <= d->atol + d->rtol * fabs(b)))
		differs(d, at, i, gap, gap == 0 ? 0 : gap / fabs(b));
}

/* Exact below 2^53, and never 0 for unequal ones. */
static void compare_int(struct tensor_diff *d, const struct side *at, int64_t i, uint64_t x,
	uint64_t y, int is_unsigned)
{
	double gap, size;
	int less = is_unsigned ? x < y : (int64_t)x < (int64_t)y;

	if (x == y)
		return;
	gap = (double)(less ? y - x : x - y);
	size = is_unsigned ? (double)y : fabs((double)(int64_t)y);
	if (!(gap <= d->atol + d->rtol * size))
		differs(d, at, i, gap, gap / size);
}

static int compare_block(
	struct tensor_diff *d, struct side *a, struct side *b, int64_t first, int64_t count)
{
	int floats = is_float(a->type);
	int is_unsigned = !floats && a->type == H5_U64 && b->type == H5_U64;
	enum h5_type wide = floats ? H5_F64 : is_unsigned ? H5_U64 : H5_I64;
	int64_t bad;

	if (a->type == b->type && !memcmp(a->own, b->own, (size_t)count * h5_type_size(a->type)))
		return 0;
	if (h5_convert(a->wide, wide, a->own, a->type, count, &bad) ||
		h5_convert(b->wide, wide, b->own, b->type, count, &bad))
		return error(STATUS_DATA, "values beyond 63 bits cannot be compared across types");
	for (int64_t i = 0; i < count; i++)
		if (floats)
			compare_float(
				d, a, first + i, ((double *)a->wide)[i], ((double *)b->wide)[i]);
		else
			compare_int(d, a, first + i, ((uint64_t *)a->wide)[i],
				((uint64_t *)b->wide)[i], is_unsigned);
	return 0;
}

static int compare_text(struct tensor_diff *d, struct side *a, struct side *b, const char *name)
{
	char **x, **y;
	int64_t n, m;

	TRY(h5_get_strings(a->f, name, &n, &x));
	if (h5_get_strings(b->f, name, &m, &y)) {
		free(x);
		return STATUS_DATA;
	}
	for (int64_t i = 0; i < n; i++)
		if (strcmp(x[i], y[i]))
			differs(d, a, i, INFINITY, INFINITY);
	free(x);
	free(y);
	return 0;
}

static int compare_rows(struct tensor_diff *d, struct side *a, struct side *b, const char *name)
{
	int64_t rows = a->dims ? a->shape[0] : 1, row = 1, step;
	int status = 0;

	for (int i = 1; i < a->dims; i++)
		row *= a->shape[i];
	if (!rows || !row)
		return 0;
	step = H5_BLOCK / 8 / row;
	step = step < 1 ? 1 : step > rows ? rows : step;
	a->own = memory_new((size_t)(step * row), 8);
	a->wide = memory_new((size_t)(step * row), 8);
	b->own = memory_new((size_t)(step * row), 8);
	b->wide = memory_new((size_t)(step * row), 8);
	if (!a->own || !a->wide || !b->own || !b->wide)
		status = STATUS_SYSTEM;
	for (int64_t at = 0, n; at < rows && !status; at += n) {
		n = rows - at < step ? rows - at : step;
		status = h5_read(a->f, name, a->type, at, n, a->own);
		if (!status)
			status = h5_read(b->f, name, b->type, at, n, b->own);
		if (!status)
			status = compare_block(d, a, b, at * row, n * row);
	}
	free(a->own);
	free(a->wide);
	free(b->own);
	free(b->wide);
	return status;
}

int tensor_compare(struct tensor_diff *d, struct h5 *fa, struct h5 *fb, const char *name)
{
	struct side a = {.f = fa}, b = {.f = fb};
	int exact = d->rtol == 0 && d->atol == 0;

	d->what = NULL;
	d->count = 0;
	d->max_abs = d->max_rel = 0;
	TRY(h5_shape(fa, name, &a.type, &a.dims, a.shape));
	TRY(h5_shape(fb, name, &b.type, &b.dims, b.shape));
	d->dims = a.dims;
	if (a.dims != b.dims || memcmp(a.shape, b.shape, sizeof(a.shape)))
		d->what = "shape";
	else if (a.type != b.type && (exact || a.type == H5_TEXT || b.type == H5_TEXT ||
					     is_float(a.type) != is_float(b.type)))
		d->what = "type";
	if (d->what)
		return 0;
	if (a.type == H5_TEXT)
		return compare_text(d, &a, &b, name);
	return compare_rows(d, &a, &b, name);
}
