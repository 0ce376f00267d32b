/* Fits the map from student to teacher space, the student frozen. */
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/cli/data_options.h"
#include "lib/cli/recipe.h"
#include "lib/models/weights.h"
#include "lib/train/fit_map.h"

#include <stdlib.h>

struct options {
	const char *student, *teacher, *features, *data, *out;
	struct recipe recipe;
	struct data_options loading;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	stop = 1;
}

enum { KEY_STUDENT = 0x1001, KEY_TEACHER, KEY_FEATURES, KEY_DATA };

static const struct argp_option table[] = {
	{"student", KEY_STUDENT, "FILE", 0, "Weights of the student", 0},
	{"teacher", KEY_TEACHER, "FILE", 0, "Weights of the teacher", 0},
	{"features", KEY_FEATURES, "FILE", 0, "Its features instead; - is standard input", 0},
	{"data", KEY_DATA, "FILE", 0, "Images the student will train on", 0},
	{"output", 'o', "FILE", 0, "Calibration to write; - is standard output", 0}, DATA_OPTIONS,
	RECIPE_OPTIONS, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	const char **paths[] = {&o->student, &o->teacher, &o->features, &o->data};

	if (key >= KEY_STUDENT && key <= KEY_DATA) {
		*paths[key - KEY_STUDENT] = arg;
		return 0;
	}
	switch (key) {
	case 'o':
		o->out = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->student || !o->data || (!o->out && !cli.dry_run) ||
			!o->teacher == !o->features)
			argp_error(state, "--student, --data, --output and either --teacher or "
					  "--features are needed");
		return 0;
	}
	if (!data_option(&o->loading, key, arg, state))
		return 0;
	return recipe_option(&o->recipe, key, arg, state);
}

struct session {
	const struct options *o;
	struct settings settings;
	const struct device *device;
	struct h5 *student;
	struct dataset *data;
	struct network *teacher;
	struct features *features;
	struct trainer *trainer;
};

/* The run's settings, with what this stage fixes. */
static int adjust(struct settings *s)
{
	if (s->distill.method == METHOD_TASK)
		s->distill.method = METHOD_WSAB;
	if (!distill_wants_map(&s->distill))
		return error(STATUS_USAGE, "these settings (method, calib) have no map to fit");
	s->train.schedule = SCHEDULE_CONSTANT;
	s->train.optimizer = OPTIMIZER_ADAMW;
	return 0;
}

static int open_inputs(struct session *r)
{
	const struct options *o = r->o;
	struct weights_source source = {.path = o->teacher};
	struct h5 *f;

	TRY(h5_open(&r->student, o->student, "weights"));
	TRY(provenance_input(&cli.provenance, r->student));
	TRY(data_open(&r->data, &o->loading, o->data, 0));
	TRY(provenance_input(&cli.provenance, r->data->file));
	if (o->teacher) {
		TRY(weights_open(&r->teacher, &f, &source, r->device));
		model_freeze(r->teacher->model, 0, 1);
		TRY(provenance_input(&cli.provenance, f));
		h5_close(&f);
		return 0;
	}
	TRY(features_open(&r->features, o->features, &r->settings, cli.seed, r->data->count));
	return provenance_input(&cli.provenance, r->features->file);
}

static void show(void *data, const struct loop_tick *t)
{
	struct progress *p = data;

	if (!p->what)
		progress_start(p, "calibrating", "steps", 0, t->total);
	progress_update(p, t->step, "loss %.4f", t->loss);
}

static int write_map(const struct session *r)
{
	struct h5 *f;

	TRY(h5_create(&f, r->o->out, "calibration"));
	return provenance_commit(&cli.provenance, &f, calibration_save(r->trainer->map, f));
}

static int worker_threads(const struct session *r)
{
	return data_workers(&r->o->loading, r->trainer->student->config.image, r->device);
}

static void print_memory(const struct session *r)
{
	struct memory_part parts[TRAINER_PARTS + 2];
	struct batches_settings b;

	trainer_memory(r->trainer, parts);
	trainer_batches(r->trainer, worker_threads(r), &b);
	parts[TRAINER_PARTS] = (struct memory_part){"batches", batches_memory(&b, r->data->count)};
	parts[TRAINER_PARTS + 1] = (struct memory_part){"data", dataset_bytes(r->data)};
	memory_print(parts, TRAINER_PARTS + 2);
}

static int fit(struct session *r)
{
	struct progress progress = {0};
	struct fit_report report;
	int status;

	TRY(trainer_allocate(r->trainer));
	TRY(weights_load(r->trainer->student, r->student, ""));
	TRY(model_init(r->trainer->model, GROUP_MAP, cli.seed));
	status = fit_map(r->trainer, r->data, worker_threads(r), &stop, show, &progress, &report);
	if (progress.what)
		progress_end(&progress);
	TRY(status);
	cli_say("held-back loss %.4f before, %.4f after %lld steps", report.before, report.after,
		(long long)report.steps);
	cli.provenance.seconds = report.seconds;
	return write_map(r);
}

static int work(struct session *r)
{
	struct trainer_inputs in = {.settings = &r->settings, .map_only = 1};

	TRY(recipe_apply(&r->o->recipe, &r->settings));
	TRY(adjust(&r->settings));
	TRY(cli_open_device(&r->device));
	cli.provenance.settings = settings_text(&r->settings);
	TRY(open_inputs(r));
	in.seed = cli.seed;
	in.device = r->device;
	in.teacher = r->teacher;
	in.features = r->features;
	TRY(weights_config(r->student, &in.student));
	TRY(trainer_new(&r->trainer, &in));
	if (cli.dry_run) {
		print_memory(r);
		return 0;
	}
	return fit(r);
}

static int run(const struct options *o)
{
	struct session r = {.o = o};
	int status;

	signal(SIGTERM, on_signal);
	signal(SIGUSR1, on_signal);
	status = work(&r);
	trainer_free(r.trainer);
	features_close(r.features);
	network_free(r.teacher);
	dataset_close(r.data);
	h5_close(&r.student);
	return status;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {table, parse, 0,
		"Fits the map from a student's features to its teacher's, the student frozen: one "
		"pass "
		"over the data, judged on 5 % held back.\v"
		"Example:\n"
		"  calibrate --student s.h5 --teacher t.h5 --data train.h5 --set lr=3e-3 -o c.h5\n",
		0, 0, 0};
	struct options o = {.loading = DATA_DEFAULT};

	cli_start(&argp, argc, argv, &o,
		CLI_DEVICE | CLI_THREADS | CLI_SEED | CLI_DRY_RUN | CLI_PROVENANCE | CLI_JSON);
	return cli_end(run(&o));
}
