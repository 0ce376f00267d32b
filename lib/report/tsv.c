/* Reading tab separated text; see tsv.h. */
#include "lib/report/tsv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

enum { MOST = 64 << 20 };

static int read_all(FILE *f, char **text, size_t *size, const char *path)
{
	size_t room = 0, n;

	*size = 0;
	do {
		if (room - *size < 4096) {
			char *grown = memory_grow(*text, room += room + 65536, 1);

			if (!grown)
				return STATUS_SYSTEM;
			*text = grown;
		}
		n = fread(*text + *size, 1, room - *size - 1, f);
		*size += n;
	} while (n && *size <= MOST);
	if (ferror(f))
		return error(STATUS_NOINPUT, "%s: %s", path, strerror(errno));
	if (*size > MOST)
		return error(STATUS_DATA, "%s: more than 64 MiB is no table of results", path);
	(*text)[*size] = 0;
	if (memchr(*text, 0, *size))
		return error(STATUS_DATA, "%s: holds zero bytes, so it is no text", path);
	return 0;
}

static int count_fields(const char *line)
{
	int n = 1;

	for (; *line; line++)
		n += *line == '\t';
	return n;
}

static void cut_fields(char *line, char **cells)
{
	for (; line; cells++)
		*cells = strsep(&line, "\t");
}

/* Cuts the text into lines; each that counts goes to the header or to a new row. */
static int cut(struct tsv *t)
{
	char *rest = t->text, *line;
	int number = 0, room = 0;

	while ((line = strsep(&rest, "\n"))) {
		size_t length = strlen(line);
		char ***into = t->names ? &t->cells : &t->names, **grown;
		int fields, before = t->names ? t->rows : 0;

		number++;
		if (length && line[length - 1] == '\r')
			line[length - 1] = 0;
		if (!*line || *line == '#')
			continue;
		fields = count_fields(line);
		if (t->names && fields != t->columns)
			return error(STATUS_DATA, "%s: line %d has %d fields, the header has %d",
				t->path, number, fields, t->columns);
		if (!t->names || before >= room) {
			room = t->names ? 2 * room + 8 : 0;
			grown = memory_grow(*into,
				t->names ? (size_t)room * (size_t)fields : (size_t)fields,
				sizeof(char *));
			if (!grown)
				return STATUS_SYSTEM;
			*into = grown;
		}
		cut_fields(line, *into + (size_t)before * (size_t)fields);
		t->rows += into == &t->cells;
		t->columns = fields;
	}
	if (!t->names)
		return error(STATUS_DATA, "%s: is empty, a header line was expected", t->path);
	for (int c = 0; c < t->columns; c++)
		if (tsv_column(t, t->names[c]) != c)
			return error(
				STATUS_DATA, "%s: column %s is there twice", t->path, t->names[c]);
	return 0;
}

int tsv_read(struct tsv *t, const char *path)
{
	int standard = !strcmp(path, "-"), status;
	FILE *f = standard ? stdin : fopen(path, "r");
	size_t size;

	*t = (struct tsv){0};
	if (!f)
		return error(STATUS_NOINPUT, "%s: %s", path, strerror(errno));
	t->path = memory_string(standard ? "standard input" : path);
	status = t->path ? read_all(f, &t->text, &size, t->path) : STATUS_SYSTEM;
	if (!standard)
		fclose(f);
	if (!status)
		status = cut(t);
	if (status)
		tsv_release(t);
	return status;
}

void tsv_release(struct tsv *t)
{
	free(t->path);
	free(t->text);
	free(t->names);
	free(t->cells);
	*t = (struct tsv){0};
}

int tsv_column(const struct tsv *t, const char *name)
{
	for (int c = 0; c < t->columns; c++)
		if (!strcmp(t->names[c], name))
			return c;
	return -1;
}

const char *tsv_get(const struct tsv *t, int row, const char *column)
{
	int c = tsv_column(t, column);

	return c < 0 ? NULL : t->cells[(size_t)row * (size_t)t->columns + (size_t)c];
}

int tsv_number(const char *text, double *value)
{
	char *end;

	if (!text || !*text || !strcmp(text, "-") || !strcmp(text, "NA"))
		return 0;
	*value = strtod(text, &end);
	return !*end && isfinite(*value);
}
