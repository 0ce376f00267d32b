/* Curves over seeds; see curves.h. */
#include "lib/report/curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/report/tsv.h"

struct point {
	double x, y;
	int file, row;
};

struct points {
	struct point *at;
	int count;
};

static int counts(const struct tsv *t, int row, const struct curve_filter *where)
{
	const char *text = where->column ? tsv_get(t, row, where->column) : NULL;

	return !where->column || (text && !strcmp(text, where->value));
}

static int add_file(struct points *p, const char *path, int file, const char *x, const char *y,
	const struct curve_filter *where)
{
	struct point *grown, new = {.file = file};
	struct tsv t;
	int status = 0;

	TRY(tsv_read(&t, path));
	if (tsv_column(&t, x) < 0 || tsv_column(&t, y) < 0)
		status = error(
			STATUS_DATA, "%s: has no column %s", path, tsv_column(&t, x) < 0 ? x : y);
	grown = status ? NULL : memory_grow(p->at, (size_t)(p->count + t.rows) + 1, sizeof(*p->at));
	if (!status && !grown)
		status = STATUS_SYSTEM;
	if (!status)
		p->at = grown;
	for (int i = 0; !status && i < t.rows; i++) {
		if (!counts(&t, i, where) || !tsv_number(tsv_get(&t, i, x), &new.x) ||
			!tsv_number(tsv_get(&t, i, y), &new.y))
			continue;
		new.row = i;
		p->at[p->count++] = new;
	}
	tsv_release(&t);
	return status;
}

static int by_x_then_file(const void *a, const void *b)
{
	const struct point *p = a, *q = b;

	if (p->x != q->x)
		return p->x < q->x ? -1 : 1;
	return p->file != q->file ? p->file - q->file : p->row - q->row;
}

/* Keeps one point per x and file, the last. */
static void thin(struct points *p)
{
	int kept = 0;

	for (int i = 0; i < p->count; i++) {
		if (i + 1 < p->count && p->at[i].x == p->at[i + 1].x &&
			p->at[i].file == p->at[i + 1].file)
			continue;
		p->at[kept++] = p->at[i];
	}
	p->count = kept;
}

static void average(struct curve *c, const struct points *p)
{
	for (int i = 0, end; i < p->count; i = end) {
		double sum = 0, squares = 0, mean;
		int n, k = c->points++;

		for (end = i; end < p->count && p->at[end].x == p->at[i].x; end++)
			sum += p->at[end].y;
		n = end - i;
		mean = sum / n;
		for (int j = i; j < end; j++)
			squares += (p->at[j].y - mean) * (p->at[j].y - mean);
		c->x[k] = p->at[i].x;
		c->mean[k] = mean;
		c->sd[k] = n > 1 ? sqrt(squares / (n - 1)) : 0;
		c->n[k] = n;
	}
}

int curve_make(struct curve *c, const char *label, char *const *files, int count, const char *x,
	const char *y, const struct curve_filter *where)
{
	struct points p = {0};
	int status = 0;

	*c = (struct curve){.label = label};
	for (int f = 0; f < count && !status; f++)
		status = add_file(&p, files[f], f, x, y, where);
	if (!status && !p.count)
		status = error(STATUS_DATA, "%s: no row has numbers in %s and %s", label, x, y);
	if (!status) {
		qsort(p.at, (size_t)p.count, sizeof(*p.at), by_x_then_file);
		thin(&p);
		c->x = memory_new((size_t)p.count, sizeof(double));
		c->mean = memory_new((size_t)p.count, sizeof(double));
		c->sd = memory_new((size_t)p.count, sizeof(double));
		c->n = memory_new((size_t)p.count, sizeof(int));
		if (!c->x || !c->mean || !c->sd || !c->n)
			status = STATUS_SYSTEM;
	}
	if (!status)
		average(c, &p);
	else
		curve_release(c);
	free(p.at);
	return status;
}

void curve_release(struct curve *c)
{
	free(c->x);
	free(c->mean);
	free(c->sd);
	free(c->n);
	*c = (struct curve){0};
}

double curve_reaches(const struct curve *c, double level, int falling)
{
	for (int i = 0; i < c->points; i++)
		if (falling ? c->mean[i] <= level : c->mean[i] >= level)
			return c->x[i];
	return NAN;
}
