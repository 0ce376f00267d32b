/*
 * Curves as PNG and SVG through gnuplot, called as a child. The pictures hold a panel per measured
 * column, one under the other, and a band of one deviation round every mean over several runs.
 */
#ifndef REPORT_PLOT_H
#define REPORT_PLOT_H

#include "lib/report/curves.h"

struct panel {
	const char *x, *y; /* columns; x is also the axis's name */
	const char *words; /* y's axis */
	struct curve *curves;
	int count;
};

/*
 * Makes <stem>.png and <stem>.svg, each whole or not at all. STATUS_UNAVAILABLE when gnuplot is not
 * installed, STATUS_CANTCREATE or STATUS_IO when a picture cannot be written, STATUS_USAGE for
 * names with control characters.
 */
int plot_write(const char *stem, const char *title, const struct panel *panels, int count);

#endif
