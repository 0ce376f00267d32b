/* show-cost: what a run took: time, data, energy, CO2. */
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/data/dataset.h"
#include "lib/io/cost.h"
#include "lib/report/tsv.h"

static const char doc[] =
	"Print what a trained network cost, from the provenance of the files of its stages: "
	"seconds, "
	"joules where the device counts them, images, and CO2 when the grid's factor is given.\v"
	"Each stage counts by itself; `own` is all but the teacher, `all` everything. A dash: the "
	"stage did not happen, or was not measured. A teacher whose weights were published counts "
	"with what was done to it here.\n\n"
	"Example:\n"
	"  show-cost --student s/last.h5 --calibration s/map.h5 --subcloning s/start.h5 \\\n"
	"    --probe p/last.h5 --teacher t/last.h5 --row rows/s.tsv --grid 400";

enum { STUDENT, CALIBRATION, SUBCLONING, PROBE, TEACHER, STAGES };
enum { OPTION_STAGE = 1000, OPTION_ROW = OPTION_STAGE + STAGES, OPTION_GRID };

static const char *const stages[] = {"student", "calibration", "subcloning", "probe", "teacher"};

static const struct argp_option options[] = {
	{"student", OPTION_STAGE + STUDENT, "FILE", 0, "The trained network"},
	{"calibration", OPTION_STAGE + CALIBRATION, "FILE", 0, "Its map"},
	{"subcloning", OPTION_STAGE + SUBCLONING, "FILE", 0, "Its first weights"},
	{"probe", OPTION_STAGE + PROBE, "FILE", 0, "The teacher after its short fine-tune"},
	{"teacher", OPTION_STAGE + TEACHER, "FILE", 0, "The teacher"},
	{"row", OPTION_ROW, "FILE", 0, "A row of eval-cls, whose columns come first"},
	{"grid", OPTION_GRID, "G", 0, "Grams of CO2 per kWh, for the columns of CO2"}, {0}};

struct settings {
	const char *stage[STAGES], *row;
	double grid; /* < 0: not given */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;

	if (key >= OPTION_STAGE && key < OPTION_STAGE + STAGES) {
		s->stage[key - OPTION_STAGE] = arg;
		return 0;
	}
	switch (key) {
	case OPTION_ROW:
		s->row = arg;
		return 0;
	case OPTION_GRID:
		s->grid = cli_number(state, "--grid", arg, 0, 1e6);
		return 0;
	case ARGP_KEY_END:
		if (!s->stage[STUDENT])
			argp_error(state, "--student is needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Sums over stages: seconds, and joules, < 0 as soon as one was not measured. */
struct total {
	double seconds, joules;
};

/* Subcloning is a moment of a processor, which no meter sees. */
static void add(struct total *t, const struct stage_cost *c, int stage)
{
	t->seconds += c->seconds;
	if (stage == SUBCLONING)
		return;
	t->joules = t->joules < 0 || c->joules < 0 ? -1 : t->joules + c->joules;
}

static void put(struct result *r, const char *stage, const char *what, double value)
{
	char column[64];

	snprintf(column, sizeof(column), "%s_%s", stage, what);
	if (value < 0)
		result_text(r, column, "-");
	else
		result_real(r, column, value, "%.6g");
}

static void put_cost(
	struct result *r, const char *stage, double seconds, double joules, double grid)
{
	put(r, stage, "s", seconds);
	put(r, stage, "kj", joules < 0 ? -1 : joules / 1e3);
	put(r, stage, "co2_g", joules < 0 || grid < 0 ? -1 : joules / 3.6e6 * grid);
}

/* Only of a file that is still there: the count of its images. */
static int64_t images_of(const struct stage_cost *c)
{
	struct dataset *d;
	int64_t count;

	if (!c->data || dataset_open(&d, c->data, 0))
		return -1;
	count = d->count;
	dataset_close(d);
	return count;
}

static void put_images(struct result *r, const char *stage, const struct stage_cost *c)
{
	int64_t used = -1, distinct = -1, count = c ? images_of(c) : -1;

	if (count >= 0)
		stage_cost_images(c, count, &used, &distinct);
	put(r, stage, "images", (double)distinct);
	put(r, stage, "used", (double)used);
}

static int put_row(struct result *r, const char *path)
{
	struct tsv row;

	TRY(tsv_read(&row, path));
	for (int i = 0; i < row.columns && row.rows == 1; i++)
		result_text(r, row.names[i], row.cells[i]);
	if (row.rows != 1) {
		int rows = row.rows;

		tsv_release(&row);
		return error(STATUS_DATA, "%s: holds %d rows, not one", path, rows);
	}
	tsv_release(&row);
	return 0;
}

static void put_stages(struct result *r, const struct stage_cost *cost, const struct settings *s)
{
	struct total own = {0}, all = {0};

	for (int i = 0; i < STAGES; i++) {
		if (!s->stage[i]) {
			put_cost(r, stages[i], -1, -1, -1);
			continue;
		}
		put_cost(r, stages[i], cost[i].seconds, cost[i].joules, s->grid);
		add(&all, &cost[i], i);
		if (i != TEACHER)
			add(&own, &cost[i], i);
	}
	put_cost(r, "own", own.seconds, own.joules, s->grid);
	put_cost(r, "all", all.seconds, all.joules, s->grid);
	put_images(r, stages[STUDENT], &cost[STUDENT]);
	put_images(r, stages[TEACHER], s->stage[TEACHER] ? &cost[TEACHER] : NULL);
	result_text(r, "teacher_from", s->stage[TEACHER] ? cost[TEACHER].origin : "-");
	result_text(r, "trained_on",
		cost[STUDENT].device && strncmp(cost[STUDENT].device, "cpu", 3)
			? cost[STUDENT].device
			: cost[STUDENT].hardware);
}

static int run(const struct settings *s)
{
	struct stage_cost cost[STAGES] = {{0}};
	struct result *r;
	int status = 0;

	for (int i = 0; i < STAGES && !status; i++)
		if (s->stage[i])
			status = stage_cost_read(&cost[i], s->stage[i]);
	if (!status) {
		r = result_new(stdout);
		if (s->row)
			status = put_row(r, s->row);
		if (!status) {
			put_stages(r, cost, s);
			result_row(r);
		}
		result_free(r);
	}
	for (int i = 0; i < STAGES; i++)
		stage_cost_release(&cost[i]);
	return status;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {options, parse, NULL, doc};
	struct settings s = {.grid = -1};

	cli_start(&argp, argc, argv, &s, CLI_JSON);
	return cli_end(run(&s));
}
