/* The gnuplot script of a chart; see chart.h. */
#include <math.h>
#include <string.h>
#include "lib/report/chart_internal.h"
#include "lib/report/gnuplot.h"

/*
 * Data blocks are called $dP_S: panel P, series S (a part of bars and lines, else a group). A row's
 * place along a named axis is its number from 1. Functions that write a series give its number of
 * points; without a file they count alone.
 */

static const char *words_of(const struct chart_part *y)
{
	return y->words ? y->words : y->column;
}

/* --- data --- */

static int put_bars(FILE *f, const struct chart_view *v, const struct chart_panel *panel, int part)
{
	int points = 0;

	for (int row = 0; row < v->rows->rows; row++) {
		double low = 0, value;

		for (int y = 0; y < part; y++)
			if (chart_number(v, row, panel->y[y].column, &value))
				low += value;
		if (!chart_number(v, row, panel->y[part].column, &value))
			continue;
		if (f)
			fprintf(f, "%d %.10g %.10g %.10g\n", row + 1, low + value, low,
				low + value);
		points++;
	}
	return points;
}

static double largest(const struct chart_view *v, const char *column)
{
	double most = 0, value;

	for (int row = 0; row < v->rows->rows; row++)
		if (chart_number(v, row, column, &value) && value > most)
			most = value;
	return most;
}

double chart_point_size(const struct chart_view *v, int row)
{
	double most = largest(v, v->c->size), size;

	if (!chart_number(v, row, v->c->size, &size) || !(size >= 0))
		return 0;
	return 1 + 5 * sqrt(most > 0 ? size / most : 0);
}

/*
 * x y third: the spread of points and lines, the diameter of bubbles. Points lie along x, a row
 * under the other.
 */
static int put_group(FILE *f, const struct chart_view *v, const char *column, int group)
{
	double x, y, third;
	int points = 0;

	for (int row = 0; row < v->rows->rows; row++) {
		if (chart_group(v, row) != group || !chart_number(v, row, column, &y))
			continue;
		if (v->c->kind == CHART_POINTS) {
			x = y;
			y = v->rows->rows - row;
		} else if (!chart_number(v, row, v->c->x, &x)) {
			continue;
		}
		if ((v->c->log_x && !(x > 0)) || (v->c->log_y && !(y > 0)))
			continue;
		third = 0;
		if (v->c->kind == CHART_BUBBLES) {
			third = chart_point_size(v, row);
			if (!(third > 0))
				continue;
		} else {
			chart_number(v, row, v->c->error, &third);
		}
		if (f)
			fprintf(f, "%.10g %.10g %.10g\n", x, y, third);
		points++;
	}
	return points;
}

/* The width of cells: the least distance between two values of x. */
static double cell_width(const struct chart_view *v)
{
	double least = INFINITY, a, b;

	for (int i = 0; i < v->rows->rows; i++)
		for (int j = 0; j < i; j++)
			if (chart_number(v, i, v->c->x, &a) && chart_number(v, j, v->c->x, &b) &&
				a != b && fabs(a - b) < least)
				least = fabs(a - b);
	return isfinite(least) ? least : 1;
}

static int put_cells(FILE *f, const struct chart_view *v, const char *column)
{
	double half = cell_width(v) / 2, x, y;
	int points = 0;

	for (int row = 0; row < v->rows->rows; row++) {
		int at = v->label_count - chart_label(v, row);

		if (!chart_number(v, row, v->c->x, &x) || !chart_number(v, row, column, &y))
			continue;
		if (f)
			fprintf(f, "%.10g %d %.10g %.10g %.10g %.10g %.10g\n", x, at, x - half,
				x + half, at - 0.5, at + 0.5, y);
		points++;
	}
	return points;
}

/* Series of a panel: parts, or groups. */
static int series_of(const struct chart_view *v, const struct chart_panel *panel)
{
	if (v->c->kind == CHART_BARS || (v->c->kind == CHART_LINES && !v->c->group))
		return panel->count;
	return v->c->kind == CHART_CELLS || !v->c->group ? 1 : v->group_count;
}

static int put_series(FILE *f, const struct chart_view *v, const struct chart_panel *panel, int s)
{
	switch (v->c->kind) {
	case CHART_BARS:
		return put_bars(f, v, panel, s);
	case CHART_CELLS:
		return put_cells(f, v, panel->y[0].column);
	default:
		if (!v->c->group)
			return put_group(f, v, panel->y[s].column, 0);
		return put_group(f, v, panel->y[0].column, s);
	}
}

static void put_settings(FILE *f, const struct chart_view *v)
{
	if (v->c->kind == CHART_CELLS)
		fputs("set palette defined (0 '#440154', 0.25 '#3b528b', 0.5 '#21918c', 0.75 "
		      "'#5ec962', 1 '#fde725')\nset rmargin 14\nunset grid\nunset "
		      "key\n",
			f);
	if (v->c->kind == CHART_POINTS)
		fputs("unset key\n", f);
	if (v->c->log_x)
		fputs("set logscale x\n", f);
	if (v->c->log_y)
		fputs("set logscale y\n", f);
	if (v->c->kind == CHART_BUBBLES)
		fputs("set lmargin 12\n", f);
}

void chart_put_data(FILE *f, const void *view)
{
	const struct chart_view *v = view;

	put_settings(f, v);
	for (int p = 0; p < v->c->panel_count; p++) {
		const struct chart_panel *panel = &v->c->panels[p];

		for (int s = 0; s < series_of(v, panel); s++) {
			fprintf(f, "$d%d_%d << END\n", p, s);
			put_series(f, v, panel, s);
			fputs("END\n", f);
		}
	}
}

/* --- drawing --- */

static void put_label_tics(FILE *f, const struct chart_view *v)
{
	fprintf(f, "set xtics rotate by -%d (", v->rows->rows > 15 ? 60 : 35);
	for (int row = 0; row < v->rows->rows; row++) {
		if (row)
			fputs(", ", f);
		gnuplot_quote(f, tsv_get(v->rows, row, v->c->label));
		fprintf(f, " %d", row + 1);
	}
	fprintf(f, ")\nset xrange [0.4:%d.6]\n", v->rows->rows);
}

/* The names of the rows of a map, or of points, along y from the top down. */
static void put_name_tics(FILE *f, const char *const *names, int count)
{
	size_t widest = 0;

	fputs("set ytics (", f);
	for (int i = 0; i < count; i++) {
		if (strlen(names[i]) > widest)
			widest = strlen(names[i]);
		if (i)
			fputs(", ", f);
		gnuplot_quote(f, names[i]);
		fprintf(f, " %d", count - i);
	}
	fprintf(f, ")\nset yrange [0.5:%d.5]\nset lmargin %zu\n", count, widest + 3);
}

static void put_colour_scale(FILE *f, const char *words)
{
	fputs("set cblabel ", f);
	gnuplot_quote(f, words);
	fputc('\n', f);
}

/* The row that others are compared with: a line, and a band of its spread. */
static void put_base(FILE *f, const struct chart_view *v, const char *column)
{
	double value, spread = 0;

	for (int row = 0; v->c->base && row < v->rows->rows; row++) {
		if (strcmp(tsv_get(v->rows, row, v->c->label), v->c->base) ||
			!chart_number(v, row, column, &value))
			continue;
		chart_number(v, row, v->c->error, &spread);
		fprintf(f,
			"set object 1 rect from first %.10g, graph 0 to first %.10g, graph 1 "
			"behind fs solid 0.15 noborder fc rgb '#666666'\n"
			"set arrow 1 from first %.10g, graph 0 to first %.10g, graph 1 nohead lw 1 "
			"lc rgb '#666666'\n",
			value - spread, value + spread, value, value);
		return;
	}
}

static void put_how(FILE *f, const struct chart_view *v, int p, int s)
{
	const char *colour = gnuplot_colour(s);

	fprintf(f, "$d%d_%d using ", p, s);
	switch (v->c->kind) {
	case CHART_BARS:
		fprintf(f,
			"1:2:($1-0.36):($1+0.36):3:4 with boxxyerror fs solid 0.8 noborder lc rgb "
			"'%s'",
			colour);
		break;
	case CHART_POINTS:
		fprintf(f, "1:2:3 with xerrorbars pt 7 ps 0.8 lw 1.5 lc rgb '%s'", colour);
		break;
	case CHART_BUBBLES:
		fprintf(f, "1:2:3 with points pt 7 ps variable lc rgb '#60%s'", colour + 1);
		break;
	case CHART_CELLS:
		fputs("1:2:3:4:5:6:7 with boxxyerror fs solid noborder lc palette", f);
		break;
	case CHART_LINES:
		fprintf(f,
			"1:($2-$3):($2+$3) with filledcurves fs transparent solid 0.15 noborder lc "
			"rgb '%s' notitle, $d%d_%d using 1:2 with linespoints pt 7 ps 0.5 lw 2 lc "
			"rgb '%s'",
			colour, p, s, colour);
	}
}

static void put_title(FILE *f, const struct chart_view *v, const struct chart_panel *panel, int s)
{
	const char *words = v->c->kind == CHART_BARS || (v->c->kind == CHART_LINES && !v->c->group)
				    ? words_of(&panel->y[s])
			    : v->c->group && v->c->kind != CHART_CELLS ? v->groups[s]
								       : NULL;

	if (!words) {
		fputs(" notitle", f);
		return;
	}
	fputs(" title ", f);
	gnuplot_quote(f, words);
}

static int has_points(const struct chart_view *v, const struct chart_panel *panel, int s)
{
	return put_series(NULL, v, panel, s) > 0;
}

static void put_empty(FILE *f)
{
	fputs("set label 99 'not measured' at graph 0.5, graph 0.5 center\nunset xtics\nunset "
	      "ytics\n"
	      "set yrange [1:2]\nset xrange [1:2]\nplot NaN notitle\nunset label 99\nset xtics\n"
	      "set ytics\nset autoscale\n",
		f);
}

/* What the panel's axes say; points have their numbers along x. */
static void put_axes(FILE *f, const struct chart_view *v, const struct chart_panel *panel)
{
	const char *x = v->c->x_words ? v->c->x_words : v->c->x;
	int sideways = v->c->kind == CHART_POINTS;

	fputs("set xlabel ", f);
	gnuplot_quote(f, sideways ? panel->words : x ? x : "");
	fputs("\nset ylabel ", f);
	gnuplot_quote(f, sideways || v->c->kind == CHART_CELLS ? "" : panel->words);
	fputs("\nset autoscale\n", f);
}

static void put_tics(FILE *f, const struct chart_view *v, const struct chart_panel *panel)
{
	switch (v->c->kind) {
	case CHART_BARS:
		put_label_tics(f, v);
		fputs("set yrange [0:*]\n", f);
		break;
	case CHART_POINTS:
		/* a name that comes twice is two rows */
		put_name_tics(f, v->names, v->rows->rows);
		put_base(f, v, panel->y[0].column);
		break;
	case CHART_CELLS:
		put_name_tics(f, v->labels, v->label_count);
		put_colour_scale(f, panel->words);
		break;
	case CHART_BUBBLES:
		chart_put_bubbles(f, v, panel->y[0].column);
		break;
	case CHART_LINES:
		break;
	}
}

void chart_put_panel(FILE *f, const void *view, int p)
{
	const struct chart_view *v = view;
	const struct chart_panel *panel = &v->c->panels[p];
	const char *mark = "plot ";

	put_axes(f, v, panel);
	put_tics(f, v, panel);
	for (int s = 0; s < series_of(v, panel); s++) {
		if (!has_points(v, panel, s))
			continue;
		fputs(mark, f);
		put_how(f, v, p, s);
		put_title(f, v, panel, s);
		mark = ", ";
	}
	if (!strcmp(mark, ", "))
		fputc('\n', f);
	else
		put_empty(f);
}
