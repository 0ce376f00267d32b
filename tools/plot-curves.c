/* plot-curves: what several runs measured, as PNG, SVG and TSV. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/cli/cli.h"
#include "lib/report/plot.h"

static const char doc[] =
	"Draw columns of the metrics files of several runs, one curve a series, with a band of one "
	"standard deviation where a series has several runs (seeds).\v"
	"Makes STEM.png, STEM.svg and STEM.tsv (the points drawn). Prints for every series its "
	"last "
	"value and where it first reaches the last value of the first series.\n\n"
	"Example:\n  plot-curves --series scratch=s0/metrics.tsv,s1/metrics.tsv \\\n"
	"    --series Trans=t0/metrics.tsv,t1/metrics.tsv --y 'valid_top1=top-1 (%)' -o figure3";

enum { OPTION_SERIES = 1000, OPTION_X, OPTION_Y, OPTION_TITLE, OPTION_WHERE };
enum { MOST_SERIES = 16, MOST_PANELS = 6, MOST_FILES = 64 };

static const struct argp_option options[] = {
	{"series", OPTION_SERIES, "NAME=FILE[,FILE...]", 0, "A curve: the runs to average"},
	{"x", OPTION_X, "COLUMN", 0, "Along the axis (default: epoch)"},
	{"y", OPTION_Y, "COLUMN[=WORDS]", 0,
		"What to draw, and how to call it; several times for several panels"},
	{"where", OPTION_WHERE, "COLUMN=VALUE", 0,
		"Use only rows that read so (metrics files: event=epoch)"},
	{"title", OPTION_TITLE, "TEXT", 0, "Words over the picture"},
	{"output", 'o', "STEM", 0, "Files to make, without .png, .svg and .tsv"}, {0}};

struct series {
	char *label, *files[MOST_FILES];
	int count;
};

struct settings {
	struct series series[MOST_SERIES];
	const char *y[MOST_PANELS], *y_words[MOST_PANELS], *x, *title, *output;
	int series_count, y_count;
	struct curve_filter where;
};

static void add_series(struct settings *s, char *arg, struct argp_state *state)
{
	struct series *new = &s->series[s->series_count];
	char *rest = strchr(arg, '='), *file;

	if (!rest || rest == arg || !rest[1]) {
		argp_error(state, "--series %s: give NAME=FILE[,FILE...]", arg);
		return;
	}
	if (s->series_count == MOST_SERIES) {
		argp_error(state, "at most %d series", MOST_SERIES);
		return;
	}
	*rest++ = 0;
	new->label = arg;
	while ((file = strsep(&rest, ","))) {
		if (new->count == MOST_FILES) {
			argp_error(state, "at most %d runs a series", MOST_FILES);
			return;
		}
		new->files[new->count++] = file;
	}
	s->series_count++;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;
	char *equals;

	switch (key) {
	case OPTION_SERIES:
		add_series(s, arg, state);
		return 0;
	case OPTION_X:
		s->x = arg;
		return 0;
	case OPTION_Y:
		if (s->y_count == MOST_PANELS)
			argp_error(state, "at most %d times --y", MOST_PANELS);
		equals = strchr(arg, '=');
		s->y[s->y_count] = arg;
		s->y_words[s->y_count] = equals ? equals + 1 : NULL;
		if (equals)
			*equals = 0;
		s->y_count++;
		return 0;
	case OPTION_WHERE:
		equals = strchr(arg, '=');
		if (!equals) {
			argp_error(state, "--where %s: give COLUMN=VALUE", arg);
			return 0;
		}
		*equals = 0;
		s->where = (struct curve_filter){arg, equals + 1};
		return 0;
	case OPTION_TITLE:
		s->title = arg;
		return 0;
	case 'o':
		s->output = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "%s: unexpected argument: runs are named with --series", arg);
		return 0;
	case ARGP_KEY_END:
		if (!s->series_count || !s->y_count || !s->output)
			argp_error(state, "--series, --y and -o are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int make_panel(struct panel *panel, const struct settings *s, int y)
{
	*panel = (struct panel){
		.x = s->x, .y = s->y[y], .words = s->y_words[y] ? s->y_words[y] : s->y[y]};
	panel->curves = memory_new((size_t)s->series_count, sizeof(*panel->curves));
	if (!panel->curves)
		return STATUS_SYSTEM;
	for (; panel->count < s->series_count; panel->count++) {
		const struct series *one = &s->series[panel->count];

		TRY(curve_make(&panel->curves[panel->count], one->label, one->files, one->count,
			s->x, s->y[y], &s->where));
	}
	return 0;
}

static int write_points(const char *stem, const struct panel *panels, int count)
{
	char *path = memory_format("%s.tsv", stem);
	char *temporary = memory_format("%s.%d.tmp.tsv", stem, getpid());
	FILE *f = path && temporary ? fopen(temporary, "w") : NULL;
	int status = 0;

	if (!path || !temporary)
		status = STATUS_SYSTEM;
	else if (!f)
		status = error(STATUS_CANTCREATE, "%s: %s", path, strerror(errno));
	if (f) {
		fprintf(f, "series\tmeasure\t%s\tmean\tsd\tn\n", panels[0].x);
		for (int p = 0; p < count; p++)
			for (int c = 0; c < panels[p].count; c++)
				for (int i = 0; i < panels[p].curves[c].points; i++) {
					const struct curve *k = &panels[p].curves[c];

					fprintf(f, "%s\t%s\t%.10g\t%.6g\t%.6g\t%d\n", k->label,
						panels[p].y, k->x[i], k->mean[i], k->sd[i],
						k->n[i]);
				}
		if (fflush(f) || fsync(fileno(f)))
			status = error(STATUS_IO, "%s: %s", path, strerror(errno));
		if (fclose(f) && !status)
			status = error(STATUS_IO, "%s: %s", path, strerror(errno));
		if (!status && rename(temporary, path))
			status = error(STATUS_CANTCREATE, "%s: %s", path, strerror(errno));
		if (status)
			unlink(temporary);
	}
	free(path);
	free(temporary);
	return status;
}

static void print_ends(const struct panel *panels, int count)
{
	struct result *r = result_new(stdout);

	for (int p = 0; p < count; p++) {
		const struct curve *first = &panels[p].curves[0];
		double level = first->mean[first->points - 1];
		int falling = level < first->mean[0];

		for (int c = 0; c < panels[p].count; c++) {
			const struct curve *k = &panels[p].curves[c];

			result_text(r, "measure", panels[p].y);
			result_text(r, "series", k->label);
			result_int(r, "runs", k->n[k->points - 1]);
			result_real(r, "last", k->mean[k->points - 1], "%.4g");
			result_real(
				r, "reaches_first_at", curve_reaches(k, level, falling), "%.6g");
			result_row(r);
		}
	}
	result_free(r);
}

static int draw(const struct settings *s)
{
	struct panel panels[MOST_PANELS] = {{0}};
	int status = 0;

	for (int y = 0; y < s->y_count && !status; y++)
		status = make_panel(&panels[y], s, y);
	if (!status)
		status = plot_write(s->output, s->title, panels, s->y_count);
	if (!status)
		status = write_points(s->output, panels, s->y_count);
	if (!status)
		print_ends(panels, s->y_count);
	for (int y = 0; y < s->y_count; y++) {
		for (int c = 0; c < panels[y].count; c++)
			curve_release(&panels[y].curves[c]);
		free(panels[y].curves);
	}
	return status;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {options, parse, NULL, doc};
	static struct settings settings = {.x = "epoch", .title = ""};

	cli_start(&argp, argc, argv, &settings, CLI_JSON);
	return cli_end(draw(&settings));
}
