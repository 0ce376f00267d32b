/*
 * A table: rows of results of many runs, joined with the paper's values.
 *
 * Result rows are TSV as eval-cls prints them, with further columns. Columns read here: `name` (the
 * layout's row), `set` (the data set's name), `seed`, and the layout's metrics and infos; where
 * present `scale`, `n`, `hardware`, `version`, named in the table's heading.
 */
#ifndef REPORT_TABLE_H
#define REPORT_TABLE_H

#include "lib/report/layout.h"
#include "lib/report/tsv.h"

/* Figures of one cell over the seeds. sd: of a sample (n - 1); 0 when n is 1. */
struct cell {
	int n; /* 0: not run */
	double mean, sd;
};

struct measure {
	struct cell *ours;	/* rows; NULL: none of its cells was run */
	struct cell *delta;	/* rows: ours less the baseline's, n 0 where there is none */
	double *paper;		/* rows; NaN: nothing printed. NULL: not in the paper */
	double *paper_delta;	/* rows; as printed, or reckoned where nothing is printed; NaN */
	double *paper_reckoned; /* rows; from the paper's own values; NaN */
	int any_delta, any_paper_delta;
};

struct table {
	struct layout layout;
	struct tsv paper;
	struct tsv *results;
	int result_count;
	struct measure *measures; /* layout.measures.count */
	char *shown;		  /* layout.rows.count: has anything to show */
};

/*
 * STATUS_DATA: a run counted twice (same name, set and seed), several scales in one
 * table, a needed column that is absent. paper may be NULL. unknown, when not NULL, is called for
 * every result row that the layout does not list.
 */
int table_make(struct table *t, const char *layout, const char *paper, char *const *results,
	int result_count, void (*unknown)(const char *path, const char *name));
void table_release(struct table *t);

/* Distinct values of a result column, sorted, joined with ", "; "" for none. malloc'ed. */
char *table_values(const struct table *t, const char *column);
/* The same for one row of the layout. */
char *table_row_values(const struct table *t, int row, const char *column);

#endif
