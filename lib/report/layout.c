/* The layout of a table; see layout.h. */
#include "lib/report/layout.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

enum { MOST = 1 << 20 };

static char *trim(char *s)
{
	char *end = s + strlen(s);

	while (isspace((unsigned char)*s))
		s++;
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = 0;
	return s;
}

static int add_line(struct layout_list *list, char *value, int most, int may_be_empty)
{
	struct layout_line line = {{0}}, *grown;
	int n = 0;

	for (char *rest = value, *field; (field = strsep(&rest, "|")); n++) {
		if (n >= most)
			return error(STATUS_DATA, "more than %d fields", most);
		field = trim(field);
		line.field[n] = *field && strcmp(field, "-") ? field : NULL;
	}
	if (!line.field[0] && !may_be_empty)
		return error(STATUS_DATA, "the first field is empty");
	grown = memory_grow(list->line, (size_t)list->count + 1, sizeof(line));
	if (!grown)
		return STATUS_SYSTEM;
	list->line = grown;
	list->line[list->count++] = line;
	return 0;
}

static int set(struct layout *l, const char *key, char *value)
{
	char *end;

	if (!strcmp(key, "title"))
		l->title = value;
	else if (!strcmp(key, "key"))
		l->key = value;
	else if (!strcmp(key, "measure"))
		return add_line(&l->measures, value, LAYOUT_FIELDS, 1);
	else if (!strcmp(key, "info"))
		return add_line(&l->infos, value, 2, 0);
	else if (!strcmp(key, "row"))
		return add_line(&l->rows, value, 4, 0);
	else if (!strcmp(key, "note"))
		return add_line(&l->notes, value, 1, 0);
	else if (!strcmp(key, "decimals")) {
		l->decimals = (int)strtol(value, &end, 10);
		if (end == value || *end || l->decimals < 0 || l->decimals > 9)
			return error(STATUS_DATA, "decimals is a number from 0 to 9");
	} else {
		return error(STATUS_DATA,
			"%s is no key: title, key, measure, info, row, decimals, note are", key);
	}
	return 0;
}

static int read_line(struct layout *l, char *line)
{
	char *comment = strchr(line, '#'), *equals;

	if (comment)
		*comment = 0;
	line = trim(line);
	if (!*line)
		return 0;
	equals = strchr(line, '=');
	if (!equals)
		return error(STATUS_DATA, "a line is `key = value`");
	*equals = 0;
	return set(l, trim(line), trim(equals + 1));
}

static int complete(const struct layout *l)
{
	if (!l->title || !l->rows.count || !l->measures.count)
		return error(STATUS_DATA, "title, measure and row are needed");
	for (int i = 0; i < l->rows.count; i++) {
		const char *base = l->rows.line[i].field[ROW_BASELINE];

		if (layout_row(l, l->rows.line[i].field[ROW_NAME]) != i)
			return error(STATUS_DATA, "row %s is there twice",
				l->rows.line[i].field[ROW_NAME]);
		if (base && layout_row(l, base) < 0)
			return error(STATUS_DATA, "baseline %s is no row", base);
	}
	for (int i = 0; i < l->measures.count; i++)
		if (!l->measures.line[i].field[MEASURE_METRIC] ||
			!l->measures.line[i].field[MEASURE_HEADING])
			return error(STATUS_DATA, "measure %d has no metric or no heading", i + 1);
	return 0;
}

int layout_read(struct layout *l, const char *path)
{
	FILE *f = fopen(path, "r");
	int number = 0, status = 0;
	size_t size;
	char *rest, *line;

	*l = (struct layout){.decimals = 2};
	if (!f)
		return error(STATUS_NOINPUT, "%s: %s", path, strerror(errno));
	l->text = memory_new(MOST + 1, 1);
	size = l->text ? fread(l->text, 1, MOST + 1, f) : 0;
	if (!l->text)
		status = STATUS_SYSTEM;
	else if (ferror(f))
		status = error(STATUS_NOINPUT, "%s: %s", path, strerror(errno));
	else if (size > MOST || memchr(l->text, 0, size))
		status = error(STATUS_DATA, "%s: is no layout of a table", path);
	fclose(f);
	for (rest = l->text; !status && (line = strsep(&rest, "\n"));) {
		number++;
		status = error_context(read_line(l, line), "%s:%d", path, number);
	}
	if (!status)
		status = error_context(complete(l), "%s", path);
	if (status)
		layout_release(l);
	return status;
}

void layout_release(struct layout *l)
{
	free(l->text);
	free(l->measures.line);
	free(l->infos.line);
	free(l->rows.line);
	free(l->notes.line);
	*l = (struct layout){0};
}

int layout_row(const struct layout *l, const char *name)
{
	for (int i = 0; i < l->rows.count; i++)
		if (!strcmp(l->rows.line[i].field[ROW_NAME], name))
			return i;
	return -1;
}
