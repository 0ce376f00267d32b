/* plot-chart: rows of a table as a chart, PNG and SVG. */
#include <string.h>
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/report/chart.h"

static const char doc[] =
	"Draw the rows of a TSV file: stacked bars, points with their spread, bubbles, lines, or "
	"cells coloured by a value.\v"
	"Makes STEM.png and STEM.svg. What a row does not have (-) is left out.\n\n"
	"bars: --label and --y, which stack. points: --label, --y; --error, --group, --base. "
	"bubbles: --label, --x, --y, --size; --group. lines: --x, --y; --group, --error. cells: "
	"--x, --label, --y.\n\n"
	"Examples:\n"
	"  plot-chart --kind bars --label method --panel seconds --y student --y teacher \\\n"
	"    -o cost times.tsv\n"
	"  plot-chart --kind lines --x pixels --group network --log xy --y ms -o length l.tsv";

enum {
	OPTION_KIND = 1000,
	OPTION_LABEL,
	OPTION_GROUP,
	OPTION_X,
	OPTION_SIZE,
	OPTION_ERROR,
	OPTION_BASE,
	OPTION_PANEL,
	OPTION_Y,
	OPTION_LOG,
	OPTION_TITLE,
	OPTION_IF_MEASURED
};

static const struct argp_option options[] = {
	{"kind", OPTION_KIND, "NAME", 0, "bars, points, bubbles, lines or cells"},
	{"label", OPTION_LABEL, "COLUMN", 0, "What a row is called"},
	{"group", OPTION_GROUP, "COLUMN", 0, "Rows that read the same here share a colour"},
	{"x", OPTION_X, "COLUMN[=WORDS]", 0, "Along the axis"},
	{"size", OPTION_SIZE, "COLUMN", 0, "Area of a bubble"},
	{"error", OPTION_ERROR, "COLUMN", 0, "Standard deviation of y"},
	{"base", OPTION_BASE, "LABEL", 0, "The row that the others are compared with"},
	{"panel", OPTION_PANEL, "WORDS", 0,
		"Begin a panel, its axis called so; --y after it belong to it"},
	{"y", OPTION_Y, "COLUMN[=WORDS]", 0, "What to draw; several times where it stacks"},
	{"log", OPTION_LOG, "AXES", 0, "Logarithmic axes: x, y or xy"},
	{"if-measured", OPTION_IF_MEASURED, NULL, 0,
		"Columns of --y that the file has not were not measured: no error"},
	{"title", OPTION_TITLE, "TEXT", 0, "Words over the picture"},
	{"output", 'o', "STEM", 0, "Files to make, without .png and .svg"}, {0}};

static const char *const kinds[] = {"bars", "points", "bubbles", "lines", "cells", NULL};
static const char *const axes[] = {"x", "y", "xy", NULL};

struct settings {
	struct chart chart;
	int kind_given;
	const char *output, *data;
};

/* Cuts COLUMN=WORDS; NULL when there are no words. */
static char *words_after(char *arg)
{
	char *equals = strchr(arg, '=');

	if (equals)
		*equals++ = 0;
	return equals;
}

static void add_panel(struct chart *c, const char *words, struct argp_state *state)
{
	if (c->panel_count == CHART_PANELS)
		argp_error(state, "at most %d panels", CHART_PANELS);
	else
		c->panels[c->panel_count++].words = words;
}

static void add_y(struct chart *c, char *arg, struct argp_state *state)
{
	struct chart_panel *panel;
	char *words = words_after(arg);

	if (!c->panel_count)
		add_panel(c, words ? words : arg, state);
	panel = &c->panels[c->panel_count - 1];
	if (panel->count == CHART_PARTS)
		argp_error(state, "at most %d times --y in a panel", CHART_PARTS);
	else
		panel->y[panel->count++] = (struct chart_part){arg, words};
}

static void set_log(struct chart *c, const char *arg, struct argp_state *state)
{
	int which = cli_choice(state, "--log", arg, axes);

	c->log_x = which != 1;
	c->log_y = which != 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;
	struct chart *c = &s->chart;

	switch (key) {
	case OPTION_KIND:
		c->kind = (enum chart_kind)cli_choice(state, "--kind", arg, kinds);
		s->kind_given = 1;
		return 0;
	case OPTION_LABEL:
		c->label = arg;
		return 0;
	case OPTION_GROUP:
		c->group = arg;
		return 0;
	case OPTION_X:
		c->x_words = words_after(arg);
		c->x = arg;
		return 0;
	case OPTION_SIZE:
		c->size = arg;
		return 0;
	case OPTION_ERROR:
		c->error = arg;
		return 0;
	case OPTION_BASE:
		c->base = arg;
		return 0;
	case OPTION_PANEL:
		add_panel(c, arg, state);
		return 0;
	case OPTION_Y:
		add_y(c, arg, state);
		return 0;
	case OPTION_LOG:
		set_log(c, arg, state);
		return 0;
	case OPTION_IF_MEASURED:
		c->if_measured = 1;
		return 0;
	case OPTION_TITLE:
		c->title = arg;
		return 0;
	case 'o':
		s->output = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (s->data)
			argp_error(state, "%s: one file of rows, please", arg);
		s->data = arg;
		return 0;
	case ARGP_KEY_END:
		if (!s->kind_given || !s->data || !s->output || !c->panel_count)
			argp_error(state, "--kind, --y, -o and a file are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int run(const struct settings *s)
{
	struct tsv rows;
	int status;

	TRY(tsv_read(&rows, s->data));
	status = chart_write(s->output, &s->chart, &rows);
	tsv_release(&rows);
	return status;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {options, parse, "FILE", doc};
	static struct settings settings = {.chart = {.title = ""}};

	cli_start(&argp, argc, argv, &settings, 0);
	return cli_end(run(&settings));
}
