/* render-table: rows of results beside the paper's values. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/cli/cli.h"
#include "lib/report/render.h"

static const char doc[] =
	"Print one table from the result rows of many runs, beside the values of the paper: mean "
	"and "
	"standard deviation over seeds, number of seeds, difference to the baseline.\v"
	"Rows are TSV files with a header as the eval tools print them (columns name, data, seed, "
	"and "
	"the metrics the layout names). What was not run is a dash. lib/report/layout.h describes "
	"the "
	"layout.\n\n"
	"Example:\n  render-table --layout pipelines/tables/table2.conf \\\n"
	"    --paper pipelines/paper/table2.tsv --rows build/results/tiny/table2/*.tsv";

enum { OPTION_LAYOUT = 1000, OPTION_PAPER, OPTION_ROWS, OPTION_FORMAT, OPTION_NOTE };

static const struct argp_option options[] = {
	{"layout", OPTION_LAYOUT, "FILE", 0, "What the table shows (key = value lines)"},
	{"paper", OPTION_PAPER, "FILE", 0, "The paper's values (TSV)"},
	{"rows", OPTION_ROWS, "FILE", 0,
		"Result rows (TSV); all further arguments are rows too; - is standard input"},
	{"note", OPTION_NOTE, "TEXT", 0, "A line under the table; may come several times"},
	{"format", OPTION_FORMAT, "NAME", 0, "markdown, tsv or latex (default: markdown)"}, {0}};

static const char *const formats[] = {"markdown", "tsv", "latex", NULL};

struct settings {
	const char *layout, *paper;
	enum render_format format;
	char **rows, **notes;
	int count, note_count;
};

static error_t add_text(char ***list, int *count, char *text)
{
	char **grown = memory_grow(*list, (size_t)*count + 1, sizeof(char *));

	if (!grown)
		return ENOMEM;
	*list = grown;
	grown[(*count)++] = text;
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;

	switch (key) {
	case OPTION_LAYOUT:
		s->layout = arg;
		return 0;
	case OPTION_PAPER:
		s->paper = arg;
		return 0;
	case OPTION_ROWS:
	case ARGP_KEY_ARG:
		return add_text(&s->rows, &s->count, arg);
	case OPTION_NOTE:
		return add_text(&s->notes, &s->note_count, arg);
	case OPTION_FORMAT:
		s->format = (enum render_format)cli_choice(state, "--format", arg, formats);
		return 0;
	case ARGP_KEY_END:
		if (!s->layout)
			argp_error(state, "which table? Give --layout");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void unknown(const char *path, const char *name)
{
	cli_warn("%s: row %s is not in the layout and is left out", path, name);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {options, parse, "[ROW...]", doc};
	struct settings s = {0};
	struct table table;
	int status;

	cli_start(&argp, argc, argv, &s, 0);
	status = table_make(&table, s.layout, s.paper, s.rows, s.count, unknown);
	if (!status) {
		status = render_table(&table, s.format, s.notes, s.note_count, stdout);
		table_release(&table);
	}
	free(s.rows);
	free(s.notes);
	return cli_end(status);
}
