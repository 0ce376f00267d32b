/* Joining result rows with the paper's values; see table.h. */
#include "lib/report/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

static const char *row_field(const struct table *t, int row, enum row_field field)
{
	return t->layout.rows.line[row].field[field];
}

static const char *measure_field(const struct table *t, int m, enum measure_field field)
{
	return t->layout.measures.line[m].field[field];
}

/* Does the result belong to the row called prefix + name? */
static int is_row(const struct tsv *r, int i, const char *prefix, const char *name)
{
	const char *have = tsv_get(r, i, "name");
	size_t n = prefix ? strlen(prefix) : 0;

	return (!n || !strncmp(have, prefix, n)) && !strcmp(have + n, name);
}

/* --- checks --- */

static int needed(const struct tsv *r)
{
	static const char *const columns[] = {"name", "set", "seed"};

	for (int c = 0; c < 3; c++)
		if (tsv_column(r, columns[c]) < 0)
			return error(STATUS_DATA, "%s: has no column %s: is it a row of results?",
				r->path, columns[c]);
	return 0;
}

static int same(const struct tsv *a, int i, const struct tsv *b, int j, const char *column)
{
	const char *x = tsv_get(a, i, column), *y = tsv_get(b, j, column);

	return !strcmp(x ? x : "", y ? y : "");
}

static int check_pair(const struct tsv *a, int i, const struct tsv *b, int j)
{
	if (!same(a, i, b, j, "scale"))
		return error(STATUS_DATA,
			"%s and %s are of scales %s and %s: a table shows one scale", a->path,
			b->path, tsv_get(a, i, "scale"), tsv_get(b, j, "scale"));
	if (same(a, i, b, j, "name") && same(a, i, b, j, "set") && same(a, i, b, j, "seed"))
		return error(STATUS_DATA,
			"%s and %s hold the same run twice (%s, seed %s): give it once", a->path,
			b->path, tsv_get(a, i, "name"), tsv_get(a, i, "seed"));
	return 0;
}

static int check(const struct table *t)
{
	for (int r = 0; r < t->result_count; r++)
		TRY(needed(&t->results[r]));
	for (int r = 0; r < t->result_count; r++)
		for (int i = 0; i < t->results[r].rows; i++)
			for (int q = 0; q <= r; q++)
				for (int j = 0; j < (q < r ? t->results[q].rows : i); j++)
					TRY(check_pair(&t->results[q], j, &t->results[r], i));
	return 0;
}

static int is_known(const struct table *t, const struct tsv *r, int i)
{
	for (int row = 0; row < t->layout.rows.count; row++) {
		const char *name = row_field(t, row, ROW_NAME);

		if (is_row(r, i, NULL, name))
			return 1;
		for (int m = 0; m < t->layout.measures.count; m++)
			if (is_row(r, i, measure_field(t, m, MEASURE_PREFIX), name))
				return 1;
	}
	return 0;
}

/* --- figures --- */

/* Two passes, so that equal values have a deviation of exactly 0. */
static struct cell gather(const struct table *t, int m, const char *prefix, const char *name)
{
	const char *metric = measure_field(t, m, MEASURE_METRIC);
	const char *set = measure_field(t, m, MEASURE_SET);
	struct cell cell = {0};
	double value, sum = 0;

	for (int pass = 0; pass < 2; pass++) {
		cell.n = 0;
		for (int r = 0; r < t->result_count; r++)
			for (int i = 0; i < t->results[r].rows; i++) {
				const struct tsv *f = &t->results[r];

				if (!is_row(f, i, prefix, name) ||
					(set && strcmp(set, tsv_get(f, i, "set"))) ||
					!tsv_number(tsv_get(f, i, metric), &value))
					continue;
				cell.n++;
				sum += pass ? (value - cell.mean) * (value - cell.mean) : value;
			}
		if (!pass && cell.n)
			cell.mean = sum / cell.n;
		sum = pass ? sum : 0;
	}
	cell.sd = cell.n > 1 ? sqrt(sum / (cell.n - 1)) : 0;
	return cell;
}

static double paper_value(const struct table *t, const char *name, const char *column)
{
	double value;

	for (int i = 0; name && column && t->layout.key && i < t->paper.rows; i++) {
		const char *key = tsv_get(&t->paper, i, t->layout.key);

		if (key && !strcmp(key, name) && tsv_number(tsv_get(&t->paper, i, column), &value))
			return value;
	}
	return NAN;
}

static void compare(struct table *t, struct measure *m, int index, int row)
{
	const char *base = row_field(t, row, ROW_BASELINE);
	const char *prefix = measure_field(t, index, MEASURE_PREFIX);
	const char *against = measure_field(t, index, MEASURE_AGAINST);
	struct cell other = {0};

	if (against) {
		other = gather(t, index, against, row_field(t, row, ROW_NAME));
	} else if (base && !prefix) {
		const char *theirs = row_field(t, layout_row(&t->layout, base), ROW_PAPER);

		other = gather(t, index, NULL, base);
		m->paper_reckoned[row] =
			m->paper[row] -
			paper_value(t, theirs, measure_field(t, index, MEASURE_PAPER));
	}
	if (m->ours[row].n && other.n) {
		m->delta[row] =
			(struct cell){.n = other.n < m->ours[row].n ? other.n : m->ours[row].n,
				.mean = m->ours[row].mean - other.mean};
		m->any_delta = 1;
	}
	m->paper_delta[row] = paper_value(
		t, row_field(t, row, ROW_PAPER), measure_field(t, index, MEASURE_DELTA));
	if (isnan(m->paper_delta[row]))
		m->paper_delta[row] = m->paper_reckoned[row];
	m->any_paper_delta |= !isnan(m->paper_delta[row]);
}

static int fill(struct table *t, struct measure *m, int index)
{
	size_t rows = (size_t)t->layout.rows.count;
	const char *column = measure_field(t, index, MEASURE_PAPER);
	int run = 0;

	if (column && tsv_column(&t->paper, column) < 0)
		return error(STATUS_DATA, "%s: has no column %s",
			t->paper.path ? t->paper.path : "the paper's values (none given)", column);
	m->ours = memory_new(rows, sizeof(*m->ours));
	m->delta = memory_new(rows, sizeof(*m->delta));
	m->paper = memory_new(rows, sizeof(double));
	m->paper_delta = memory_new(rows, sizeof(double));
	m->paper_reckoned = memory_new(rows, sizeof(double));
	if (!m->ours || !m->delta || !m->paper || !m->paper_delta || !m->paper_reckoned)
		return STATUS_SYSTEM;
	for (int row = 0; row < t->layout.rows.count; row++) {
		m->ours[row] = gather(t, index, measure_field(t, index, MEASURE_PREFIX),
			row_field(t, row, ROW_NAME));
		m->paper[row] = paper_value(t, row_field(t, row, ROW_PAPER), column);
		m->paper_reckoned[row] = NAN;
		run += m->ours[row].n;
		t->shown[row] |= m->ours[row].n || !isnan(m->paper[row]);
	}
	for (int row = 0; row < t->layout.rows.count; row++)
		compare(t, m, index, row);
	if (!run) {
		free(m->ours);
		m->ours = NULL;
	}
	if (!column) {
		free(m->paper);
		m->paper = NULL;
	}
	return 0;
}

static int make(struct table *t, const char *layout, const char *paper, char *const *results,
	int result_count, void (*unknown)(const char *path, const char *name))
{
	TRY(layout_read(&t->layout, layout));
	if (paper)
		TRY(tsv_read(&t->paper, paper));
	t->results = memory_new((size_t)result_count, sizeof(*t->results));
	t->measures = memory_new((size_t)t->layout.measures.count, sizeof(*t->measures));
	t->shown = memory_new((size_t)t->layout.rows.count, 1);
	if (!t->results || !t->measures || !t->shown)
		return STATUS_SYSTEM;
	for (; t->result_count < result_count; t->result_count++)
		TRY(tsv_read(&t->results[t->result_count], results[t->result_count]));
	TRY(check(t));
	for (int r = 0; unknown && r < t->result_count; r++)
		for (int i = 0; i < t->results[r].rows; i++)
			if (!is_known(t, &t->results[r], i))
				unknown(t->results[r].path, tsv_get(&t->results[r], i, "name"));
	for (int m = 0; m < t->layout.measures.count; m++)
		TRY(fill(t, &t->measures[m], m));
	return 0;
}

int table_make(struct table *t, const char *layout, const char *paper, char *const *results,
	int result_count, void (*unknown)(const char *path, const char *name))
{
	int status;

	*t = (struct table){0};
	status = make(t, layout, paper, results, result_count, unknown);
	if (status)
		table_release(t);
	return status;
}

void table_release(struct table *t)
{
	for (int m = 0; t->measures && m < t->layout.measures.count; m++) {
		free(t->measures[m].ours);
		free(t->measures[m].delta);
		free(t->measures[m].paper);
		free(t->measures[m].paper_delta);
		free(t->measures[m].paper_reckoned);
	}
	for (int r = 0; r < t->result_count; r++)
		tsv_release(&t->results[r]);
	free(t->measures);
	free(t->results);
	free(t->shown);
	tsv_release(&t->paper);
	layout_release(&t->layout);
	*t = (struct table){0};
}

/* --- what the runs have in common --- */

/* Numbers by size, words by letters. */
static int compare_values(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	double p, q;

	if (tsv_number(x, &p) && tsv_number(y, &q) && p != q)
		return p < q ? -1 : 1;
	return strcmp(x, y);
}

static char *join(const char **values, int count)
{
	size_t room = 1;
	char *text, *end;

	qsort(values, (size_t)count, sizeof(*values), compare_values);
	for (int i = 0; i < count; i++)
		room += strlen(values[i]) + 2;
	text = end = memory_new(room, 1);
	for (int i = 0; text && i < count; i++)
		if (!i || strcmp(values[i], values[i - 1]))
			end = stpcpy(stpcpy(end, i ? ", " : ""), values[i]);
	return text;
}

char *table_row_values(const struct table *t, int row, const char *column)
{
	const char **values;
	char *text;
	int count = 0;

	for (int r = 0; r < t->result_count; r++)
		count += t->results[r].rows;
	values = memory_new((size_t)count, sizeof(*values));
	if (!values)
		return NULL;
	count = 0;
	for (int r = 0; r < t->result_count; r++)
		for (int i = 0; i < t->results[r].rows; i++) {
			const char *value = tsv_get(&t->results[r], i, column);

			if (value && *value && strcmp(value, "-") &&
				(row < 0 || is_row(&t->results[r], i, NULL,
						    row_field(t, row, ROW_NAME))))
				values[count++] = value;
		}
	text = join(values, count);
	free(values);
	return text;
}

char *table_values(const struct table *t, const char *column)
{
	return table_row_values(t, -1, column);
}
