/* Trains a network: the task alone, or with a teacher by one of the methods. */
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/cli/data_options.h"
#include "lib/cli/recipe.h"
#include "lib/models/weights.h"
#include "lib/train/job_end.h"
#include "lib/train/loop.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct options {
	const char *init, *data, *teacher, *features, *calibration, *state, *out, *valid, *best,
		*metrics;
	struct recipe recipe;
	struct data_options loading;
	char *made[RECIPE_MAX]; /* settings of the short options, freed at the end */
	int n_made;
	double save_every, stop_before;
	int64_t stop_after;
	int profile;
};

static volatile sig_atomic_t stop;

/* The first asks for a tidy end; a second SIGINT ends at once. */
static void on_signal(int number)
{
	static volatile sig_atomic_t interrupted;

	if (number == SIGINT && interrupted) {
		signal(SIGINT, SIG_DFL);
		raise(SIGINT);
	}
	interrupted |= number == SIGINT;
	stop = 1;
}

enum {
	KEY_INIT = 0x1001,
	KEY_DATA,
	KEY_TEACHER,
	KEY_FEATURES,
	KEY_CALIBRATION,
	KEY_STATE,
	KEY_VALID,
	KEY_BEST,
	KEY_METRICS,
	KEY_METHOD,
	KEY_EPOCHS,
	KEY_STEPS,
	KEY_BATCH,
	KEY_SHARDS,
	KEY_OPTIMIZER,
	KEY_VALID_EVERY,
	KEY_SAVE_EVERY,
	KEY_STOP_AFTER,
	KEY_STOP_BEFORE,
	KEY_PROFILE,
	KEY_NO_GRAPH,
};

static const struct argp_option table[] = {
	{"init", KEY_INIT, "FILE", 0, "Weights to start from", 0},
	{"data", KEY_DATA, "FILE", 0, "Images to train on", 0},
	{"teacher", KEY_TEACHER, "FILE", 0, "Weights of the frozen teacher", 0},
	{"features", KEY_FEATURES, "FILE", 0, "Its features instead (extract-teacher-features)", 0},
	{"calibration", KEY_CALIBRATION, "FILE", 0, "Calibration map to start from (calibrate)", 0},
	{"output", 'o', "FILE", 0, "Weights after the last step", 0},
	{"state", KEY_STATE, "FILE", 0, "Rolling state: taken up when it exists", 0},
	{"valid", KEY_VALID, "FILE", 0, "Images to validate on", 0},
	{"best", KEY_BEST, "FILE", 0, "Weights of the best validation", 0},
	{"metrics", KEY_METRICS, "FILE", 0, "Losses and rates, a line per step and epoch (TSV)", 0},
	DATA_OPTIONS, RECIPE_OPTIONS,
	{"method", KEY_METHOD, "NAME", 0, "Short for --set method=NAME", 1},
	{"epochs", KEY_EPOCHS, "N", 0, "Short for --set epochs=N", 1},
	{"steps", KEY_STEPS, "N", 0, "Short for --set steps=N", 1},
	{"batch", KEY_BATCH, "N", 0, "Short for --set batch=N", 1},
	{"shards", KEY_SHARDS, "N", 0, "Short for --set shards=N", 1},
	{"optimizer", KEY_OPTIMIZER, "NAME", 0, "Short for --set optimizer=NAME", 1},
	{"valid-every", KEY_VALID_EVERY, "N", 0, "Short for --set valid_every=N", 1},
	{"save-every", KEY_SAVE_EVERY, "SECONDS", 0, "Between rolling states (default 60)", 2},
	{"stop-after", KEY_STOP_AFTER, "N", 0,
		"Stop after N steps of this run as if asked to by a signal", 2},
	{"stop-before", KEY_STOP_BEFORE, "SECONDS", 0,
		"Stop so long before the end of the Slurm job that this is", 2},
	{"no-cuda-graph", KEY_NO_GRAPH, 0, 0,
		"On a GPU, launch ops one by one; the bits are the same", 2},
	{"profile", KEY_PROFILE, 0, 0, "Print the seconds per op to stdout at the end", 2}, {0}};

/* --method X and its like are settings by another name. */
static int shorthand(struct options *o, int key, char *arg, struct argp_state *state)
{
	static const char *const names[] = {
		"method", "epochs", "steps", "batch", "shards", "optimizer", "valid_every"};
	char *text;

	if (key < KEY_METHOD || key > KEY_VALID_EVERY)
		return ARGP_ERR_UNKNOWN;
	if (asprintf(&text, "%s=%s", names[key - KEY_METHOD], arg) < 0)
		exit(STATUS_SYSTEM);
	if (o->n_made < RECIPE_MAX) /* recipe_option refuses more */
		o->made[o->n_made++] = text;
	return recipe_option(&o->recipe, RECIPE_SET, text, state);
}

/* One file cannot be two outputs, a pipe none that is written again. */
static void check_outputs(const struct options *o, struct argp_state *state)
{
	const char *const paths[] = {o->out, o->state, o->best, o->metrics};

	for (int i = 0; i < 4; i++)
		for (int j = 0; j < i; j++)
			if (paths[i] && paths[j] && !strcmp(paths[i], paths[j]))
				argp_error(state, "%s is given for two outputs", paths[i]);
	if ((o->state && !strcmp(o->state, "-")) || (o->best && !strcmp(o->best, "-")))
		argp_error(state, "--state and --best are written more than once: not to a pipe");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	const char **paths[] = {&o->init, &o->data, &o->teacher, &o->features, &o->calibration,
		&o->state, &o->valid, &o->best, &o->metrics};

	if (key >= KEY_INIT && key <= KEY_METRICS) {
		*paths[key - KEY_INIT] = arg;
		return 0;
	}
	switch (key) {
	case 'o':
		o->out = arg;
		return 0;
	case KEY_SAVE_EVERY:
		o->save_every = cli_number(state, "--save-every", arg, 0, 1e9);
		return 0;
	case KEY_STOP_AFTER:
		o->stop_after = cli_integer(state, "--stop-after", arg, 1, INT64_MAX);
		return 0;
	case KEY_STOP_BEFORE:
		o->stop_before = cli_number(state, "--stop-before", arg, 0, 1e9);
		return 0;
	case KEY_NO_GRAPH:
		device_use_graphs(0);
		return 0;
	case KEY_PROFILE:
		o->profile = 1;
		return 0;
	case ARGP_KEY_END:
		if (!o->init || !o->data || (!o->out && !cli.dry_run))
			argp_error(state, "--init, --data and --output are needed");
		if (o->teacher && o->features)
			argp_error(state, "either --teacher or --features");
		if (o->best && !o->valid)
			argp_error(state, "--best needs --valid");
		check_outputs(o, state);
		return 0;
	}
	if (!shorthand(o, key, arg, state))
		return 0;
	if (!data_option(&o->loading, key, arg, state))
		return 0;
	return recipe_option(&o->recipe, key, arg, state);
}

/* All that a run holds open. */
struct training {
	json_t *files; /* role: content hash */
	char *files_text;
	const struct options *o;
	struct settings settings;
	const struct device *device;
	struct h5 *init, *calibration;
	struct dataset *data, *valid;
	struct network *teacher;
	struct features *features;
	struct trainer *trainer;
};

/* An input goes into the provenance, and its hash into the state. */
static int take_input(struct training *r, const char *role, struct h5 *f)
{
	char hash[80];

	TRY(provenance_input(&cli.provenance, f));
	TRY(h5_content_hash(f, hash));
	return json_object_set_new(r->files, role, json_string(hash)) ? STATUS_SYSTEM : 0;
}

static int open_inputs(struct training *r)
{
	const struct options *o = r->o;
	struct weights_source source = {.path = o->teacher};
	struct h5 *f;

	r->settings.train.valid_every =
		r->settings.train.valid_every < 1 ? 1 : r->settings.train.valid_every;
	TRY(h5_open(&r->init, o->init, "weights"));
	TRY(take_input(r, "init", r->init));
	TRY(data_open(&r->data, &o->loading, o->data, 0));
	TRY(take_input(r, "data", r->data->file));
	if (o->valid) {
		TRY(data_open(&r->valid, &o->loading, o->valid, 0));
		TRY(take_input(r, "valid", r->valid->file));
	}
	if (o->teacher && r->settings.distill.method != METHOD_TASK) {
		TRY(weights_open(&r->teacher, &f, &source, r->device));
		model_freeze(r->teacher->model, 0, 1);
		TRY(take_input(r, "teacher", f));
		h5_close(&f);
	}
	if (o->features && r->settings.distill.method != METHOD_TASK) {
		TRY(features_open(
			&r->features, o->features, &r->settings, cli.seed, r->data->count));
		TRY(take_input(r, "features", r->features->file));
	}
	if (o->calibration && r->settings.distill.method != METHOD_TASK) {
		TRY(h5_open(&r->calibration, o->calibration, "calibration"));
		TRY(take_input(r, "calibration", r->calibration));
	}
	r->files_text = json_dumps(r->files, JSON_COMPACT);
	return r->files_text ? 0 : STATUS_SYSTEM;
}

static int check_classes(const struct training *r, const struct network_config *c)
{
	const struct dataset *sets[] = {r->data, r->valid};
	const char *paths[] = {r->o->data, r->o->valid};

	for (int i = 0; i < 2; i++)
		if (sets[i])
			TRY(weights_check_classes(r->o->init, c, paths[i], sets[i]->classes));
	return 0;
}

static int make_trainer(struct training *r)
{
	struct trainer_inputs in = {.settings = &r->settings,
		.seed = cli.seed,
		.device = r->device,
		.teacher = r->teacher,
		.features = r->features,
		.evaluates = r->valid != NULL,
		.files = r->files_text};

	TRY(weights_config(r->init, &in.student));
	TRY(check_classes(r, &in.student));
	return trainer_new(&r->trainer, &in);
}

static int worker_threads(const struct training *r)
{
	return data_workers(&r->o->loading, r->trainer->student->config.image, r->device);
}

/* Batches in flight; those of a validation beside those of training. */
static size_t batches_bytes(const struct training *r)
{
	struct batches_settings b;
	size_t bytes;

	trainer_batches(r->trainer, worker_threads(r), &b);
	bytes = batches_memory(&b, r->data->count);
	if (!r->valid)
		return bytes;
	b = (struct batches_settings){
		.augment = b.augment, .batch = r->settings.train.eval_batch, .workers = b.workers};
	return bytes + batches_memory(&b, r->valid->count);
}

static void print_memory(const struct training *r)
{
	size_t data = dataset_bytes(r->data) + (r->valid ? dataset_bytes(r->valid) : 0);
	struct memory_part parts[TRAINER_PARTS + 2];

	trainer_memory(r->trainer, parts);
	parts[TRAINER_PARTS] = (struct memory_part){"batches", batches_bytes(r)};
	parts[TRAINER_PARTS + 1] = (struct memory_part){"data", data};
	memory_print(parts, TRAINER_PARTS + 2);
}

/* First values: the init file's weights, the map from its file or fresh. */
static int fill(struct training *r)
{
	struct trainer *t = r->trainer;

	TRY(weights_load(t->student, r->init, ""));
	if (!t->map)
		return 0;
	if (r->calibration)
		return calibration_load(t->map, r->calibration);
	if (r->settings.distill.calib_teacher == TEACHER_FROZEN)
		return error(STATUS_USAGE,
			"calib_teacher=frozen is fitted by calibrate: give its file as "
			"--calibration");
	return model_init(t->model, GROUP_MAP, cli.seed);
}

static void show(void *data, const struct loop_tick *t)
{
	struct progress *p = data;

	if (!p->what)
		progress_start(p, "training", "steps", t->step, t->total);
	if (t->scores)
		cli_say("epoch %.4g: validation top-1 %.2f %%, top-5 %.2f %% of %lld", t->epoch,
			100.0 * t->scores->top1 / (t->scores->count ? t->scores->count : 1),
			100.0 * t->scores->top5 / (t->scores->count ? t->scores->count : 1),
			(long long)t->scores->count);
	else
		progress_update(p, t->step, "loss %.4f, %.0f images/s", t->loss, t->images_per_s);
}

static void catch_signals(void)
{
	struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGUSR1, &a, NULL);
	sigaction(SIGINT, &a, NULL);
}

/* 0: never */
static double stop_time(const struct options *o)
{
	double end = o->stop_before >= 0 ? job_end() : 0;

	if (o->stop_before >= 0 && end <= 0)
		cli_say("no end of a job is known: --stop-before changes nothing");
	return end > 0 ? end - o->stop_before : 0;
}

static int train(struct training *r)
{
	struct progress progress = {0};
	const struct options *o = r->o;
	struct loop_inputs in = {.trainer = r->trainer,
		.data = r->data,
		.valid = r->valid,
		.state = o->state,
		.last = o->out,
		.best = o->best,
		.metrics = o->metrics,
		.save_every = o->save_every,
		.workers = worker_threads(r),
		.provenance = &cli.provenance,
		.stop = &stop,
		.stop_after = o->stop_after,
		.stop_at = stop_time(o),
		.tick = show,
		.tick_data = &progress};
	struct loop_report report;
	int status;

	TRY(trainer_allocate(r->trainer));
	if (!loop_resumes(&in))
		TRY(fill(r));
	if (o->profile)
		program_profile(r->trainer->train, 1);
	catch_signals();
	status = train_loop(&in, &report);
	if (progress.what)
		progress_end(&progress);
	if (o->profile)
		program_profile_print(r->trainer->train, stdout);
	if (!status)
		cli_say("%lld steps in %.1f s (%.0f images/s)", (long long)report.steps,
			report.seconds, report.seconds > 0 ? report.images / report.seconds : 0);
	return status;
}

static int work(struct training *r)
{
	TRY(recipe_apply(&r->o->recipe, &r->settings));
	if (r->settings.distill.method == METHOD_TASK && (r->o->teacher || r->o->features))
		return error(STATUS_USAGE,
			"method=task has no use for a teacher: leave it out, or set a method that "
			"has (--method wsab, logits, feature or rc)");
	TRY(cli_open_device(&r->device));
	cli.provenance.settings = settings_text(&r->settings);
	TRY(open_inputs(r));
	TRY(make_trainer(r));
	if (cli.dry_run) {
		print_memory(r);
		return 0;
	}
	return train(r);
}

static int run(const struct options *o)
{
	struct training r = {.o = o, .files = json_object()};
	int status = r.files ? work(&r) : STATUS_SYSTEM;

	trainer_free(r.trainer);
	features_close(r.features);
	network_free(r.teacher);
	dataset_close(r.data);
	dataset_close(r.valid);
	h5_close(&r.init);
	h5_close(&r.calibration);
	json_decref(r.files);
	free(r.files_text);
	return status;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {table, parse, 0,
		"Trains a network on images: the task alone (teachers, scratch students, probes), "
		"or "
		"with a frozen teacher by a method of distillation.\v"
		"Examples:\n"
		"  distill-step --init deit.h5 --data train.h5 --method task --epochs 18 -o t.h5\n"
		"  distill-step --init student.h5 --data train.h5 --teacher t.h5 --calibration "
		"c.h5 \\\n"
		"    --recipe wsab.conf --state run.state -o last.h5 --valid valid.h5 --best "
		"best.h5\n"
		"\nSIGTERM, SIGUSR1 and SIGINT finish the step, save the state and exit 75; the "
		"same "
		"command goes on to the same bytes. --dry-run prints the memory that is needed.\n",
		0, 0, 0};
	struct options o = {.save_every = 60, .stop_before = -1, .loading = DATA_DEFAULT};
	int status;

	cli_start(&argp, argc, argv, &o,
		CLI_DEVICE | CLI_THREADS | CLI_SEED | CLI_DRY_RUN | CLI_PROVENANCE | CLI_JSON);
	status = run(&o);
	while (o.n_made)
		free(o.made[--o.n_made]);
	return cli_end(status);
}
