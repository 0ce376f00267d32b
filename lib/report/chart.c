/* What a chart is made of, checked; see chart.h. */
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/report/chart_internal.h"
#include "lib/report/gnuplot.h"

enum { NAME_HEIGHT = 16, ROW_WIDTH = 26, WIDEST = 4000, HIGHEST = 4000 };

int chart_number(const struct chart_view *v, int row, const char *column, double *value)
{
	return column && tsv_number(tsv_get(v->rows, row, column), value);
}

static int place_of(const char *const *texts, int count, const char *text)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(texts[i], text))
			return i;
	return -1;
}

int chart_group(const struct chart_view *v, int row)
{
	if (!v->c->group)
		return 0;
	return place_of(v->groups, v->group_count, tsv_get(v->rows, row, v->c->group));
}

int chart_label(const struct chart_view *v, int row)
{
	return place_of(v->labels, v->label_count, tsv_get(v->rows, row, v->c->label));
}

/* --- checks --- */

static int needs(const char *kind, const char *option, const char *column)
{
	return column ? 0 : error(STATUS_USAGE, "%s need %s", kind, option);
}

static int check_kind(const struct chart *c)
{
	static const char *const names[] = {"bars", "points", "bubbles", "lines", "cells"};
	const char *kind = names[c->kind];

	if (c->kind != CHART_LINES)
		TRY(needs(kind, "--label", c->label));
	if (c->kind == CHART_BUBBLES)
		TRY(needs(kind, "--size", c->size));
	if (c->kind != CHART_BARS && c->kind != CHART_POINTS)
		TRY(needs(kind, "--x", c->x));
	if (c->base && c->kind != CHART_POINTS)
		return error(STATUS_USAGE, "%s have no --base: points do", kind);
	for (int p = 0; p < c->panel_count; p++)
		if (!c->panels[p].count || (c->panels[p].count > 1 && c->kind != CHART_BARS &&
						   (c->kind != CHART_LINES || c->group)))
			return error(STATUS_USAGE, "%s: one --y a panel", kind);
	return 0;
}

static int has_column(const struct tsv *rows, const char *column)
{
	if (!column || tsv_column(rows, column) >= 0)
		return 0;
	return error(STATUS_DATA, "%s: has no column %s", rows->path, column);
}

static int check_columns(const struct chart *c, const struct tsv *rows)
{
	const char *const columns[] = {c->label, c->group, c->x, c->size, c->error};

	for (int i = 0; i < 5; i++)
		TRY(has_column(rows, columns[i]));
	for (int p = 0; p < c->panel_count && !c->if_measured; p++)
		for (int y = 0; y < c->panels[p].count; y++)
			TRY(has_column(rows, c->panels[p].y[y].column));
	return 0;
}

/* Words of the command line; those of the file are cut at tabs and line ends. */
static int check_words(const struct chart *c, const struct tsv *rows)
{
	TRY(gnuplot_check_name(c->x_words));
	for (int p = 0; p < c->panel_count; p++) {
		TRY(gnuplot_check_name(c->panels[p].words));
		for (int y = 0; y < c->panels[p].count; y++)
			TRY(gnuplot_check_name(c->panels[p].y[y].words));
	}
	for (int i = 0; i < rows->columns; i++)
		TRY(gnuplot_check_name(rows->names[i]));
	for (int row = 0; row < rows->rows; row++) {
		TRY(gnuplot_check_name(c->label ? tsv_get(rows, row, c->label) : NULL));
		TRY(gnuplot_check_name(c->group ? tsv_get(rows, row, c->group) : NULL));
	}
	return 0;
}

/* --- distinct texts --- */

static int collect(const struct tsv *rows, const char *column, const char ***texts, int *count)
{
	*texts = memory_new((size_t)rows->rows, sizeof(**texts));
	if (!*texts)
		return STATUS_SYSTEM;
	for (int row = 0; column && row < rows->rows; row++) {
		const char *text = tsv_get(rows, row, column);

		if (place_of(*texts, *count, text) < 0)
			(*texts)[(*count)++] = text;
	}
	return 0;
}

static int height_of(const struct chart_view *v)
{
	int rows = v->c->kind == CHART_CELLS	? v->label_count
		   : v->c->kind == CHART_POINTS ? v->rows->rows
						: 0;
	int panel = rows * NAME_HEIGHT + 120;

	if (panel > HIGHEST)
		panel = HIGHEST;
	return (panel > CHART_PANEL_HEIGHT ? panel : CHART_PANEL_HEIGHT) * v->c->panel_count;
}

/* Room for the names of many rows. */
static int width_of(const struct chart_view *v)
{
	int rows = v->rows->rows * ROW_WIDTH + 300;

	if (v->c->kind != CHART_BARS || rows < CHART_WIDTH)
		return CHART_WIDTH;
	return rows < WIDEST ? rows : WIDEST;
}

static int draw(const char *stem, struct chart_view *v)
{
	TRY(collect(v->rows, v->c->group, &v->groups, &v->group_count));
	TRY(collect(v->rows, v->c->label, &v->labels, &v->label_count));
	v->names = memory_new((size_t)v->rows->rows, sizeof(*v->names));
	if (!v->names)
		return STATUS_SYSTEM;
	for (int row = 0; v->c->label && row < v->rows->rows; row++)
		v->names[row] = tsv_get(v->rows, row, v->c->label);
	if (v->group_count > CHART_GROUPS)
		return error(STATUS_DATA, "%s: more than %d texts in column %s", v->rows->path,
			CHART_GROUPS, v->c->group);
	return gnuplot_draw(&(struct picture){.stem = stem,
		.title = v->c->title,
		.width = width_of(v),
		.height = height_of(v),
		.panels = v->c->panel_count,
		.what = v,
		.put_data = chart_put_data,
		.put_panel = chart_put_panel});
}

int chart_write(const char *stem, const struct chart *c, const struct tsv *rows)
{
	struct chart_view v = {.c = c, .rows = rows};
	int status;

	TRY(check_kind(c));
	TRY(check_columns(c, rows));
	TRY(check_words(c, rows));
	status = draw(stem, &v);
	free(v.names);
	free(v.groups);
	free(v.labels);
	return status;
}
