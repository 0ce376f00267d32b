/* What the drawing of charts takes from their checking. */
#ifndef REPORT_CHART_INTERNAL_H
#define REPORT_CHART_INTERNAL_H

#include <stdio.h>
#include "lib/report/chart.h"

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
int chart_label(const struct chart_view *v, int row);

void chart_put_data(FILE *f, const void *view);
void chart_put_panel(FILE *f, const void *view, int panel);

#endif
