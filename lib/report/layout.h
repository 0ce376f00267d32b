/*
 * What a table shows, from a text that people write: `key = field | field ...` lines, '#' begins a
 * comment, "-" is an empty field.
 *
 *	title    = words over the table
 *	key      = the paper's column that names its rows
 *	measure  = set | metric | heading | paper's column | paper's difference | prefix | against
 *	info     = column of the result rows | heading        shown in front, as it stands
 *	row      = name | label | paper's row | baseline's name
 *	decimals = digits after the point (2)
 *	note     = a line under the table; may come several times
 *
 * A measure shows `metric` of the result rows whose `set` is given (-: of any set). With a
 * prefix the cells belong to the result rows named prefix + name; `against` is the prefix of those
 * they are compared with, in place of the baseline.
 * Errors: STATUS_NOINPUT, STATUS_DATA with file and line.
 */
#ifndef REPORT_LAYOUT_H
#define REPORT_LAYOUT_H

enum { LAYOUT_FIELDS = 7 };

struct layout_line {
	char *field[LAYOUT_FIELDS]; /* NULL: absent or "-" */
};
enum measure_field {
	MEASURE_SET,
	MEASURE_METRIC,
	MEASURE_HEADING,
	MEASURE_PAPER,
	MEASURE_DELTA,
	MEASURE_PREFIX,
	MEASURE_AGAINST
};
enum info_field { INFO_COLUMN, INFO_HEADING };
enum row_field { ROW_NAME, ROW_LABEL, ROW_PAPER, ROW_BASELINE };

struct layout_list {
	struct layout_line *line;
	int count;
};

struct layout {
	char *text; /* what the fields point into */
	const char *title, *key;
	int decimals;
	struct layout_list measures, infos, rows, notes;
};

int layout_read(struct layout *l, const char *path);
void layout_release(struct layout *l);
/* Index of a row by name, -1 when absent. */
int layout_row(const struct layout *l, const char *name);

#endif
