/*
 * Curves over the seeds of one experiment: at each step the mean and deviation of the runs that
 * have a value there.
 */
#ifndef REPORT_CURVES_H
#define REPORT_CURVES_H

struct curve {
	const char *label;
	int points;
	double *x, *mean, *sd; /* sd of a sample; 0 where n is 1 */
	int *n;
};

/* Only rows whose `column` reads `value` count; column NULL: all rows. */
struct curve_filter {
	const char *column, *value;
};

/*
 * Columns x and y of TSV files, one per run; rows without a number in either are passed over, of
 * rows with equal x in one file the last counts. STATUS_DATA when a column is absent, or no file
 * has a point.
 */
int curve_make(struct curve *c, const char *label, char *const *files, int count, const char *x,
	const char *y, const struct curve_filter *where);
void curve_release(struct curve *c);

/* The first x from which on the mean is once at level or beyond (below it when falling); NaN. */
double curve_reaches(const struct curve *c, double level, int falling);

#endif
