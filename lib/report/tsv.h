/*
 * Tab separated text with a header line. Lines that begin with # are skipped, every other line has
 * as many fields as the header. Errors: STATUS_NOINPUT, STATUS_DATA (another count of fields, zero
 * bytes, no header, a column twice, more than 64 MiB).
 */
#ifndef REPORT_TSV_H
#define REPORT_TSV_H

struct tsv {
	char *path, *text; /* text: the file, cut into the cells below */
	int columns, rows;
	char **names; /* columns */
	char **cells; /* rows x columns */
};

/* path "-": standard input. */
int tsv_read(struct tsv *t, const char *path);
void tsv_release(struct tsv *t);

/* Index of a column, -1 when absent. */
int tsv_column(const struct tsv *t, const char *name);
/* A cell by column name, NULL when the column is absent. */
const char *tsv_get(const struct tsv *t, int row, const char *column);

/* 1 and the number; 0 when text is NULL, empty, "-", "NA" or not a finite number as a whole. */
int tsv_number(const char *text, double *value);

#endif
