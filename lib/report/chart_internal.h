/* What the drawing of charts takes from their checking. */
#ifndef REPORT_CHART_INTERNAL_H
#define REPORT_CHART_INTERNAL_H

#include <stdio.h>
#include "lib/report/chart.h"

enum { CHART_WIDTH = 1000, CHART_PANEL_HEIGHT = 420 }; /* of a picture, of a panel, in pixels */

struct chart_view {
	const struct chart *c;
	const struct tsv *rows;
	const char **names; /* the label of each row */
	/* distinct texts in order of appearance: of the group column, of the label column */
	const char **groups, **labels;
	int group_count, label_count;
};

/* The number in a row's column; 0 when it has none there, or the column is NULL. */
int chart_number(const struct chart_view *v, int row, const char *column, double *value);
/* Index of a row's text among v->groups (0 without groups) and v->labels. */
int chart_group(const struct chart_view *v, int row);
/* A bubble's diameter as gnuplot's point size, its area by the column of sizes; 0: it has none. */
double chart_point_size(const struct chart_view *v, int row);
int chart_label(const struct chart_view *v, int row);

void chart_put_data(FILE *f, const void *view);
void chart_put_panel(FILE *f, const void *view, int panel);
/* The ranges of a panel of bubbles, and the names of these (chart_bubbles.c). */
void chart_put_bubbles(FILE *f, const struct chart_view *v, const char *column);

#endif
