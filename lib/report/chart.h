/*
 * Charts of the rows of one TSV file: stacked bars, bubbles, points with their spread, lines, and
 * maps of cells, as PNG and SVG through gnuplot. Panels stand one under the other. What a row does
 * not have ("-") is not drawn; a panel without a single number says so.
 *
 *	bars	label; y...		a bar a row, its parts stacked
 *	points	label, group; y [error]	a point a row along x, names beside it, a colour a group;
 *				base: that row's value is a line across, its spread a band
 *	bubbles	label, x, size, group; y	a disc a row, its area by size
 *	lines	x, group; y [error]	a line a group; without one, a line for every y
 *	cells	x, label; y		a cell for every x and label, its colour by y
 */
#ifndef REPORT_CHART_H
#define REPORT_CHART_H

#include "lib/report/tsv.h"

enum chart_kind { CHART_BARS, CHART_POINTS, CHART_BUBBLES, CHART_LINES, CHART_CELLS };
enum { CHART_PANELS = 6, CHART_PARTS = 8, CHART_GROUPS = 64 };

struct chart_part {
	const char *column, *words; /* words NULL: the column's name */
};

struct chart_panel {
	const char *words; /* y's axis */
	struct chart_part y[CHART_PARTS];
	int count;
};

struct chart {
	enum chart_kind kind;
	const char *title, *x_words; /* x_words NULL: x's column */
	/* columns; NULL: none */
	const char *label, *group, *x, *size, *error;
	const char *base; /* the label of a row */
	int log_x, log_y;
	int if_measured; /* y columns that the file lacks count as not measured */
	struct chart_panel panels[CHART_PANELS];
	int panel_count;
};

/*
 * Makes <stem>.png and <stem>.svg. STATUS_USAGE when the kind needs a column that is not named,
 * STATUS_DATA when the file has no such column or too many groups; and as gnuplot_draw.
 */
int chart_write(const char *stem, const struct chart *c, const struct tsv *rows);

#endif
