/* Costs of stages from chains written by hand: interrupted runs, energy that is not everywhere. */
#include "lib/io/cost.h"

#include "lib/base/error.h"
#include "lib/io/provenance.h"
#include "tests/folder.h"
#include "tests/tap.h"

static double reads; /* what the meter says */

static double meter(void)
{
	return reads;
}

struct part {
	const char *tool, *state, *data;
	double seconds, joules; /* joules < 0: no meter */
	const char *settings;
};

/* A file with one more link than `before`, which may be NULL. */
static const char *link_of(const char *name, const char *before, const struct part *part)
{
	char *argv[] = {(char *)part->tool, "--states", "x", "--data", (char *)part->data,
		"--state", (char *)part->state, "-o", "out.h5", NULL};
	struct provenance p = {.tool = part->tool,
		.version = "1",
		.argc = part->state ? 9 : 5,
		.argv = argv,
		.device = "cpu some",
		.settings = (char *)part->settings,
		.seconds = part->seconds,
		.meter = part->joules < 0 ? NULL : meter,
		.meter_from = 100};
	char *path = in_folder(name);
	struct h5 *f = NULL, *in = NULL;
	float x = 1;
	int status = before ? h5_open(&in, before, NULL) : 0;

	reads = 100 + part->joules;
	if (in) {
		status = provenance_input(&p, in);
		h5_close(&in);
	}
	status = status ? status : h5_create(&f, path, "weights");
	status = status ? status : h5_put(f, "x", H5_F32, 0, NULL, &x);
	status = status ? status : provenance_write(&p, f);
	status = status ? status : h5_commit(&f);
	if (status)
		diag("%s", error_message());
	provenance_release(&p);
	return path;
}

static void check_resumed(void)
{
	const struct part first = {"init-weights", NULL, "d.h5", 1, 5, NULL};
	const struct part teacher = {"distill-step", "t/state.h5", "d.h5", 10, 20, NULL};
	const struct part begun = {"distill-step", "s/state.h5", "d.h5", 100, 200, NULL};
	const struct part ended = {"distill-step", "s/state.h5", "d.h5", 1000, 2000, NULL};
	const char *a = link_of("a.h5", NULL, &first), *b = link_of("b.h5", a, &teacher);
	const char *c = link_of("c.h5", b, &begun), *d = link_of("d.h5", c, &ended);
	struct stage_cost cost;

	ok(!stage_cost_read(&cost, d), "a chain of four");
	near(cost.seconds, 1100, 1e-9, "both parts of the run, not what came before");
	near(cost.joules, 2200, 1e-9, "their energy");
	ok(cost.links == 2 && !strcmp(cost.origin, "init-weights") && !strcmp(cost.data, "d.h5"),
		"where it begins, and its data");
	stage_cost_release(&cost);
	ok(!stage_cost_read(&cost, b) && cost.seconds == 10 && cost.links == 1, "the stage before");
	stage_cost_release(&cost);
}

static void check_unmeasured(void)
{
	const struct part begun = {"distill-step", "s/state.h5", "d.h5", 3, -1, NULL};
	const struct part ended = {"distill-step", "s/state.h5", "it's.h5", 4, 50, NULL};
	const char *a = link_of("a.h5", NULL, &begun), *b = link_of("b.h5", a, &ended);
	struct stage_cost cost;

	ok(!stage_cost_read(&cost, b) && cost.seconds == 7, "a run that moved to a GPU");
	ok(cost.joules < 0, "energy of a part is not that of the whole");
	ok(!cost.data, "a name that a shell would quote is not guessed at");
	stage_cost_release(&cost);
}

static void check_images(void)
{
	struct stage_cost cost = {
		.settings = "{\"batch\":64,\"epochs\":20,\"steps\":0,\"limit\":0,\"first\":0}"};
	int64_t used, distinct;

	stage_cost_images(&cost, 3000, &used, &distinct);
	ok(used == 20 * 46 * 64 && distinct == 3000, "whole batches of every epoch");
	cost.settings = "{\"batch\":64,\"epochs\":20,\"steps\":7,\"limit\":100,\"first\":50}";
	stage_cost_images(&cost, 3000, &used, &distinct);
	ok(used == 7 * 64 && distinct == 100, "steps that are given, a part of the data");
	cost.settings = "{\"batch\":64";
	stage_cost_images(&cost, 3000, &used, &distinct);
	ok(used == -1 && distinct == -1, "settings that are none");
	cost.settings = NULL;
	stage_cost_images(&cost, 3000, &used, &distinct);
	ok(used == -1, "no settings");
}

static void check_refused(void)
{
	struct stage_cost cost;
	struct h5 *f = NULL;
	float x = 1;
	int status = h5_create(&f, in_folder("none.h5"), "weights");

	status = status ? status : h5_put(f, "x", H5_F32, 0, NULL, &x);
	status = status ? status : h5_commit(&f);
	ok(!status && stage_cost_read(&cost, in_folder("none.h5")) == STATUS_DATA,
		"a file without provenance: %s", error_message());
	ok(stage_cost_read(&cost, in_folder("absent.h5")) == STATUS_NOINPUT, "no file");
}

int main(void)
{
	check_resumed();
	check_unmeasured();
	check_images();
	check_refused();
	return done();
}
