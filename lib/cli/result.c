/* Result rows: TSV with a header, or JSON lines. */
#include "lib/cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

struct result {
	FILE *f;
	char **columns;
	char *line; /* of the row so far */
	int count, at, rows;
};

/* Wrong use is our mistake: the tool cannot go on. */
static void bug(const char *what, const char *column)
{
	fprintf(stderr, "%s: BUG: result: %s: %s\n", cli.tool, what, column);
	exit(STATUS_BUG);
}

static void *need(void *p)
{
	if (!p) {
		fprintf(stderr, "%s: %s\n", cli.tool, error_message());
		exit(STATUS_SYSTEM);
	}
	return p;
}

struct result *result_new(FILE *f)
{
	struct result *r = need(memory_new(1, sizeof(*r)));

	r->f = f;
	r->line = need(memory_string(""));
	return r;
}

/* Tab, newline and backslash become \t, \n and \\. */
static char *escape_tsv(const char *text)
{
	char *out = need(memory_new(2, strlen(text) + 1)), *p = out;

	for (; *text; text++) {
		char code = *text == '\t' ? 't' : *text == '\n' ? 'n' : *text == '\r' ? 'r' : 0;

		if (code || *text == '\\') {
			*p++ = '\\';
			*p++ = code ? code : '\\';
		} else {
			*p++ = *text;
		}
	}
	return out;
}

static char *escape_json(const char *text)
{
	char *out = need(memory_new(6, strlen(text) + 1)), *p = out;

	*p++ = '"';
	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\') {
			*p++ = '\\';
			*p++ = c;
		} else if (c < 0x20 || c == 0x7f) {
			p += sprintf(p, "\\u%04x", c);
		} else {
			*p++ = c;
		}
	}
	*p++ = '"';
	return out;
}

/* Adds a value that is already text for the format at hand. */
static void add(struct result *r, const char *column, const char *value)
{
	char *line;

	if (r->rows == 0) {
		r->columns = need(memory_grow(r->columns, r->count + 1, sizeof(char *)));
		r->columns[r->count++] = need(memory_string(column));
	} else if (r->at >= r->count || strcmp(r->columns[r->at], column)) {
		bug("columns differ from the first row's", column);
	}
	if (cli.json) {
		char *name = escape_json(column);

		line = memory_format("%s%s%s: %s", r->line, r->at ? ", " : "", name, value);
		free(name);
	} else {
		line = memory_format("%s%s%s", r->line, r->at ? "\t" : "", value);
	}
	free(r->line);
	r->line = need(line);
	r->at++;
}

void result_text(struct result *r, const char *column, const char *value)
{
	char *text = cli.json ? escape_json(value) : escape_tsv(value);

	add(r, column, text);
	free(text);
}

void result_int(struct result *r, const char *column, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	add(r, column, text);
}

void result_real(struct result *r, const char *column, double value, const char *format)
{
	char text[400];

	if (isnan(value))
		snprintf(text, sizeof(text), cli.json ? "null" : "nan"); /* JSON has no NaN */
	else if (isinf(value))
		snprintf(text, sizeof(text), cli.json ? "null" : value < 0 ? "-inf" : "inf");
	else
		snprintf(text, sizeof(text), format ? format : "%.9g", value);
	add(r, column, text);
}

void result_row(struct result *r)
{
	if (r->at != r->count)
		bug("a row lacks a column", r->columns[r->at]);
	if (!cli.json && r->rows == 0)
		for (int i = 0; i < r->count; i++)
			fprintf(r->f, "%s%c", r->columns[i], i + 1 < r->count ? '\t' : '\n');
	fprintf(r->f, cli.json ? "{%s}\n" : "%s\n", r->line);
	fflush(r->f);
	r->rows++;
	r->at = 0;
	r->line[0] = 0;
}

void result_free(struct result *r)
{
	if (!r)
		return;
	for (int i = 0; i < r->count; i++)
		free(r->columns[i]);
	free(r->columns);
	free(r->line);
	free(r);
}

void memory_print(const struct memory_part *parts, int count)
{
	struct result *r = result_new(stdout);
	const struct memory_part all = {"all", memory_sum(parts, count)};

	for (int i = 0; i <= count; i++) {
		const struct memory_part *part = i < count ? &parts[i] : &all;

		result_text(r, "memory", part->what);
		result_real(r, "mib", part->bytes / 1048576.0, "%.1f");
		result_row(r);
	}
	result_free(r);
}
