/* Times whole training steps of a network, with its teacher, on random images or clips. */
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/cli/cli.h"
#include "lib/cli/network_options.h"
#include "lib/cli/recipe.h"
#include "lib/program/energy.h"
#include "kernels/philox.h"
#include "lib/train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct options {
	const char *arch, *teacher;
	struct recipe recipe;
	struct network_options network;
	int64_t steps, repeat;
	int profile, forward;
};

enum { KEY_TEACHER = 0x1001, KEY_STEPS, KEY_REPEAT, KEY_PROFILE, KEY_FORWARD };

static const struct argp_option table[] = {
	{"arch", 'a', "NAME", 0, "Architecture that is trained", 0},
	{"teacher", KEY_TEACHER, "NAME", 0, "Architecture of the frozen teacher", 0},
	{"steps", KEY_STEPS, "N", 0, "Steps that are timed, after three (default 20)", 0},
	{"repeat", KEY_REPEAT, "N", 0, "Times they are timed; the best time counts (default 1)", 0},
	{"profile", KEY_PROFILE, 0, 0, "Seconds per op of one more step, call by call", 0},
	{"forward", KEY_FORWARD, 0, 0, "Evaluation alone: no loss, no backward, no update", 0},
	NETWORK_OPTIONS, RECIPE_OPTIONS, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'a':
		o->arch = arg;
		return 0;
	case KEY_TEACHER:
		o->teacher = arg;
		return 0;
	case KEY_STEPS:
		o->steps = cli_integer(state, "--steps", arg, 1, 1000000);
		return 0;
	case KEY_REPEAT:
		o->repeat = cli_integer(state, "--repeat", arg, 1, 1000000);
		return 0;
	case KEY_PROFILE:
		o->profile = 1;
		return 0;
	case KEY_FORWARD:
		o->forward = 1;
		return 0;
	case ARGP_KEY_END:
		if (!o->arch)
			argp_error(state, "--arch is needed");
		if (o->forward && o->teacher)
			argp_error(state, "--forward has no use for --teacher");
		if (o->forward && cli.dry_run)
			argp_error(state, "--dry-run is of training, not of --forward");
		return 0;
	}
	if (!network_option(&o->network, key, arg, state))
		return 0;
	return recipe_option(&o->recipe, key, arg, state);
}

struct bench {
	const struct options *o;
	struct settings settings;
	const struct device *device;
	struct network *teacher;
	struct trainer *trainer;
	struct network *network; /* --forward: instead of the trainer */
	struct evaluator *evaluator;
	struct batch batch;
	uint8_t *pixels;
	int32_t *labels, *erase;
	int64_t *index;
	float *mix;
};

/* It sees the student's images and has its classes. */
static int make_teacher(struct bench *b, const struct network_config *student)
{
	struct network_config c;

	if (!b->o->teacher)
		return 0;
	TRY(network_find(b->o->teacher, &c));
	c.image = student->image;
	c.classes = student->classes;
	TRY(network_new(&b->teacher, &c, NULL));
	TRY(model_allocate(b->teacher->model, b->device, 0));
	TRY(model_init(b->teacher->model, 0, 7));
	model_freeze(b->teacher->model, 0, 1);
	return 0;
}

static int make_batch(struct bench *b, const struct network_config *c)
{
	int64_t n = b->settings.train.batch, frames = network_frames(c);
	int64_t size = frames * c->image * c->image * 3;

	b->pixels = memory_new(n * size, 1);
	b->labels = memory_new(n, sizeof(*b->labels));
	b->erase = memory_new(n * frames * 6, sizeof(*b->erase));
	b->index = memory_new(n, sizeof(*b->index));
	b->mix = memory_new(b->settings.train.shards * 6, sizeof(*b->mix));
	if (!b->pixels || !b->labels || !b->erase || !b->index || !b->mix)
		return STATUS_SYSTEM;
	for (int64_t i = 0; i < n * size; i++) {
		struct philox r = philox(1, PURPOSE_TEST, 0, (uint64_t)i >> 30, (uint32_t)i / 16);

		b->pixels[i] = (uint8_t)(r.v[i / 4 % 4] >> 8 * (i % 4));
	}
	for (int64_t i = 0; i < n; i++)
		b->labels[i] = (int32_t)(i % c->classes);
	b->batch = (struct batch){.count = n,
		.pixels = b->pixels,
		.labels = b->labels,
		.index = b->index,
		.erase = b->erase,
		.mix = b->mix};
	return 0;
}

static int prepare(struct bench *b)
{
	struct trainer_inputs in = {.settings = &b->settings, .seed = cli.seed};

	TRY(recipe_apply(&b->o->recipe, &b->settings));
	TRY(cli_open_device(&b->device));
	TRY(network_find(b->o->arch, &in.student));
	network_options_apply(&b->o->network, &in.student);
	TRY(make_teacher(b, &in.student));
	in.clips = in.student.frames > 0;
	in.device = b->device;
	in.teacher = b->teacher;
	TRY(trainer_new(&b->trainer, &in));
	TRY(trainer_allocate(b->trainer));
	TRY(model_init(b->trainer->model, -1, 1));
	TRY(trainer_start(b->trainer, 1000, 100000));
	return make_batch(b, &in.student);
}

static int prepare_forward(struct bench *b)
{
	struct network_config c;

	TRY(recipe_apply(&b->o->recipe, &b->settings));
	TRY(cli_open_device(&b->device));
	TRY(network_find(b->o->arch, &c));
	network_options_apply(&b->o->network, &c);
	TRY(network_new(&b->network, &c, NULL));
	TRY(model_allocate(b->network->model, b->device, 0));
	TRY(model_init(b->network->model, -1, 1));
	TRY(evaluator_new(
		&b->evaluator, b->network, b->settings.train.batch, c.frames > 0, b->device));
	TRY(evaluator_bind(b->evaluator, NULL));
	TRY(make_batch(b, &c));
	tensor_put(b->evaluator->program, b->evaluator->pixels, b->pixels);
	return 0;
}

/* What the training would need, from its plan alone */
static int dry_run(struct bench *b)
{
	struct memory_part parts[TRAINER_PARTS];
	struct trainer_inputs in = {.settings = &b->settings, .seed = cli.seed};

	TRY(recipe_apply(&b->o->recipe, &b->settings));
	TRY(cli_open_device(&b->device));
	TRY(network_find(b->o->arch, &in.student));
	network_options_apply(&b->o->network, &in.student);
	TRY(make_teacher(b, &in.student));
	in.device = b->device;
	in.teacher = b->teacher;
	TRY(trainer_new(&b->trainer, &in));
	trainer_memory(b->trainer, parts);
	memory_print(parts, TRAINER_PARTS);
	return 0;
}

static int finish(const struct bench *b)
{
	return b->device->finish ? b->device->finish() : 0;
}

static int one_step(struct bench *b)
{
	struct step step = {.divisor = (real)b->settings.train.batch, .scale = 1};

	if (!b->o->forward)
		return trainer_enqueue(b->trainer, &b->batch);
	program_forward(b->evaluator->program, &step);
	return 0;
}

static int run_steps(struct bench *b, int64_t n, double *seconds)
{
	double from;

	TRY(finish(b));
	from = cli_seconds();
	for (int64_t i = 0; i < n; i++)
		TRY(one_step(b));
	TRY(finish(b));
	*seconds = cli_seconds() - from;
	return 0;
}

static size_t memory_of(const struct bench *b)
{
	struct memory_part parts[TRAINER_PARTS];

	if (b->o->forward)
		return evaluator_bytes(b->evaluator) + model_bytes(b->network->model, b->device, 0);
	trainer_memory(b->trainer, parts);
	return memory_sum(parts, TRAINER_PARTS);
}

static void print(const struct bench *b, double seconds, double joules)
{
	struct result *r = result_new(stdout);
	int64_t images = b->o->steps * b->settings.train.batch;

	result_text(r, "arch", b->o->arch);
	result_text(r, "teacher", b->o->teacher ? b->o->teacher : "-");
	result_int(r, "batch", b->settings.train.batch);
	result_text(r, "precision", cli.precision);
	result_text(r, "device", b->device->name);
	result_real(r, "ms", 1e3 * seconds / b->o->steps, "%.3f");
	result_real(r, "images_per_s", images / seconds, "%.1f");
	if (joules > 0)
		result_real(r, "joules_per_image", joules / (images * b->o->repeat), "%.4f");
	else
		result_text(r, "joules_per_image", "-");
	result_real(r, "memory_mib", memory_of(b) / 1048576.0, "%.0f");
	result_text(r, "hardware",
		b->device->half || b->device->finish ? b->device->name : hardware_name());
	result_row(r);
	result_free(r);
}

static int profile(struct bench *b)
{
	struct program *p = b->o->forward ? b->evaluator->program : b->trainer->train;
	double seconds;

	program_profile(p, 1);
	TRY(run_steps(b, 1, &seconds));
	program_profile_print(p, stdout);
	return 0;
}

static int work(struct bench *b)
{
	struct step_report report;
	double seconds, best = INFINITY, joules;

	if (cli.dry_run)
		return dry_run(b);
	TRY(b->o->forward ? prepare_forward(b) : prepare(b));
	if (!b->o->forward)
		TRY(trainer_step(b->trainer, &b->batch, &report));
	TRY(run_steps(b, 2, &seconds));
	joules = energy_joules(0);
	for (int64_t i = 0; i < b->o->repeat; i++) {
		TRY(run_steps(b, b->o->steps, &seconds));
		best = fmin(best, seconds);
	}
	print(b, best, joules < 0 ? -1 : energy_joules(0) - joules);
	return b->o->profile ? profile(b) : 0;
}

static int run(const struct options *o)
{
	struct bench b = {.o = o};
	int status = work(&b);

	trainer_free(b.trainer);
	evaluator_free(b.evaluator);
	network_free(b.network);
	network_free(b.teacher);
	free(b.pixels);
	free(b.labels);
	free(b.erase);
	free(b.index);
	free(b.mix);
	return status;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {table, parse, 0,
		"Times whole training steps (teacher, forward, backward, update), or forward "
		"alone, "
		"on random images, or with --frames on clips, which count as images.\v"
		"Examples:\n"
		"  bench-step --arch pmamba-t --teacher deit-t --set method=rc --set batch=256 \\\n"
		"    --device cuda --precision bf16\n"
		"  bench-step --arch videomamba-t --frames 2 --set batch=4\n",
		0, 0, 0};
	struct options o = {.steps = 20, .repeat = 1};

	cli_start(&argp, argc, argv, &o,
		CLI_DEVICE | CLI_THREADS | CLI_SEED | CLI_DRY_RUN | CLI_JSON);
	return cli_end(run(&o));
}
