/*
 * A table as text: Markdown and LaTeX for people (mean ± deviation (seeds) in one cell, a dash for
 * what was not run), TSV for programs (a column each for mean, sd, n, difference).
 *
 * Over the table stands where its numbers come from: scale, data, seeds, hardware, version. A
 * difference of the paper that its own values do not give is followed by the reckoned one in
 * brackets.
 */
#ifndef REPORT_RENDER_H
#define REPORT_RENDER_H

#include <stdio.h>
#include "lib/report/table.h"

enum render_format { RENDER_MARKDOWN, RENDER_TSV, RENDER_LATEX };

/*
 * notes: further lines under the table. STATUS_SYSTEM; whether the stream took it all is the
 * caller's to ask.
 */
int render_table(const struct table *t, enum render_format format, char *const *notes,
	int note_count, FILE *f);

#endif
