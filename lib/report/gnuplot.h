/*
 * Pictures by gnuplot, called as a child: one script draws the same thing as PNG and as SVG.
 */
#ifndef REPORT_GNUPLOT_H
#define REPORT_GNUPLOT_H

#include <stdio.h>

struct picture {
	const char *stem, *title;
	int width, height, panels; /* pixels; panels one under the other */
	const void *what;
	void (*put_data)(FILE *f, const void *what); /* data blocks and settings, once */
	void (*put_panel)(FILE *f, const void *what, int panel); /* one plot command */
};

/*
 * Makes <stem>.png and <stem>.svg, each whole or not at all. STATUS_UNAVAILABLE when gnuplot is not
 * installed, STATUS_CANTCREATE or STATUS_IO when a picture cannot be written.
 */
int gnuplot_draw(const struct picture *p);

/* A text in gnuplot's single quotes. */
void gnuplot_quote(FILE *f, const char *text);
/* STATUS_USAGE for names with control characters, which no quotes protect. NULL is plain. */
int gnuplot_check_name(const char *text);
/* Colours that the colour-blind tell apart, as "#rrggbb"; from 0 on, in a circle. */
const char *gnuplot_colour(int i);

#endif
