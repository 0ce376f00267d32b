/* Runs a frozen teacher over views of a data set, once, for many students. */
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/cli/cli.h"
#include "lib/cli/data_options.h"
#include "lib/cli/recipe.h"
#include "lib/io/join.h"
#include "lib/models/weights.h"
#include "lib/train/features.h"

#include <stdlib.h>
#include <string.h>

struct options {
	const char *teacher, *data, *out;
	struct recipe recipe;
	struct data_options loading;
};

enum { KEY_TEACHER = 0x1001, KEY_DATA };

static const struct argp_option table[] = {
	{"teacher", KEY_TEACHER, "FILE", 0, "Weights of the teacher", 0},
	{"data", KEY_DATA, "FILE", 0, "Images the student will train on", 0},
	{"output", 'o', "FILE", 0, "Features to write; - is standard output", 0}, DATA_OPTIONS,
	RECIPE_OPTIONS, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case KEY_TEACHER:
		o->teacher = arg;
		return 0;
	case KEY_DATA:
		o->data = arg;
		return 0;
	case 'o':
		o->out = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->teacher || !o->data || (!o->out && !cli.dry_run))
			argp_error(state, "--teacher, --data and --output are needed");
		return 0;
	}
	if (!data_option(&o->loading, key, arg, state))
		return 0;
	return recipe_option(&o->recipe, key, arg, state);
}

struct extraction {
	const struct options *o;
	struct settings settings;
	const struct device *device;
	struct network *teacher;
	struct dataset *data;
	struct batches *batches;
	struct program *program;
	tensor pixels, erase, mix, tokens, logits;
	void *block;
	real *host_tokens, *host_logits, *host_mix;
	uint8_t *host_pixels; /* of a batch that is not full, as the next */
	int32_t *host_erase;
	int64_t views, rows;
	int64_t first, count; /* rows of this part */
	char weights[80];     /* hash of the teacher */
	int mixing;
};

static void batches_of(const struct extraction *x, struct batches_settings *b)
{
	const struct train_settings *t = &x->settings.train;

	*b = (struct batches_settings){.augment = x->settings.augment,
		.train = 1,
		.shuffle = x->mixing,
		.batch = t->batch,
		.shards = t->shards,
		.repeats = t->repeat_aug,
		.limit = x->mixing ? t->limit : 0,
		.first = x->mixing ? t->first : 0,
		.seed = cli.seed,
		.workers = data_workers(&x->o->loading, x->teacher->config.image, x->device)};

	b->augment.size = x->teacher->config.image;
	/* with mixing an epoch has an order, of which a part takes some batches */
	if (cli.part.count && !x->mixing) {
		b->first = x->first;
		b->limit = x->count;
	}
}

static int build(struct extraction *x)
{
	int64_t b = x->settings.train.batch, S = x->teacher->config.image;
	struct network_want want = {0};
	struct network_out y;
	tensor image;

	x->program = program_new(PROGRAM_EVAL);
	if (!x->program)
		return STATUS_SYSTEM;
	program_set_half(x->program, x->device->half);
	x->pixels = program_input(x->program, "pixels", TYPE_U8, 4, (int64_t[]){b, S, S, 3});
	image = image_input(x->program, x->pixels, b / x->settings.train.shards);
	x->erase = program_find(x->program, "erase");
	x->mix = program_find(x->program, "mix");
	network_build(x->teacher, x->program, image, &want, &y);
	if (y.tokens) {
		x->tokens = x->settings.distill.target == TARGET_PRENORM ? y.last : y.tokens;
		program_keep(x->program, x->tokens, "tokens");
		x->logits = program_keep(x->program, y.logits, "logits");
	}
	return program_plan(x->program, x->device);
}

static void print_memory(const struct extraction *x)
{
	struct batches_settings b;

	batches_of(x, &b);
	const struct memory_part parts[] = {
		{"parameters", model_bytes(x->teacher->model, x->device, 0)},
		{"activations", program_bytes(x->program)},
		{"outputs", (x->tokens->count + x->logits->count) * sizeof(real)},
		{"inputs", x->pixels->count + x->mix->count * sizeof(real) +
				   x->erase->count * sizeof(*x->host_erase)},
		{"batches", batches_memory(&b, x->data->count)}, {"data", dataset_bytes(x->data)}};

	memory_print(parts, sizeof(parts) / sizeof(parts[0]));
}

static int allocate(struct extraction *x)
{
	x->block = x->device->alloc(program_bytes(x->program));
	x->host_tokens = memory_new(x->tokens->count, sizeof(real));
	x->host_logits = memory_new(x->logits->count, sizeof(real));
	x->host_mix = memory_new(x->mix->count, sizeof(real));
	x->host_pixels = memory_new(x->pixels->count, 1);
	x->host_erase = memory_new(x->erase->count, sizeof(*x->host_erase));
	if (!x->block || !x->host_tokens || !x->host_logits || !x->host_mix || !x->host_pixels ||
		!x->host_erase)
		return STATUS_SYSTEM;
	return program_bind(x->program, x->block);
}

/* A last batch that is not full is filled up with what was there before. */
static void run_batch(struct extraction *x, const struct batch *b)
{
	int64_t full = x->settings.train.batch, size = x->pixels->count / full;
	struct step step = {.seed = cli.seed, .epoch = b->epoch, .divisor = 1, .scale = 1};
	const uint8_t *pixels = b->pixels;
	const int32_t *erase = b->erase;

	if (b->count < full) {
		pixels = memcpy(x->host_pixels, pixels, b->count * size);
		erase = memcpy(x->host_erase, erase, b->count * 6 * sizeof(*erase));
	}
	for (int64_t i = 0; i < x->mix->count; i++)
		x->host_mix[i] = b->mix[i];
	tensor_put(x->program, x->pixels, pixels);
	tensor_put(x->program, x->erase, erase);
	tensor_put(x->program, x->mix, x->host_mix);
	program_forward(x->program, &step);
	tensor_get(x->program, x->tokens, x->host_tokens);
	tensor_get(x->program, x->logits, x->host_logits);
}

/* Notes which part it is, and all that tells it from one of another run beside its settings. */
static int mark(const struct extraction *x, struct h5 *f)
{
	char data[80];

	TRY(h5_content_hash(x->data->file, data));
	return part_mark(f, &cli.part, "teacher %s\ndata %s\n%lld rows by %lld, %s", x->weights,
		data, (long long)x->rows, (long long)x->settings.train.batch, cli.precision);
}

static int extract(struct extraction *x, struct h5 *f)
{
	int64_t batch = x->settings.train.batch, n = (x->count + batch - 1) / batch;
	int64_t first = x->mixing ? x->first : 0; /* of the batches' positions */
	struct progress progress;

	TRY(mark(x, f));
	progress_start(&progress, "extracting", "batches", 0, n * x->views);
	for (int64_t v = 0; v < x->views; v++) {
		TRY(batches_seek(x->batches, v, first / batch));
		for (int64_t i = 0; i < n; i++) {
			struct batch b;

			TRY(batches_next(x->batches, &b));
			run_batch(x, &b);
			TRY(features_write(f, &x->teacher->config, v, b.position - first, b.count,
				x->host_tokens, x->host_logits));
			progress_update(&progress, v * n + i + 1, "%s", "");
		}
	}
	progress_end(&progress);
	cli.provenance.seconds = cli_seconds();
	return 0;
}

static int check(struct extraction *x)
{
	const struct train_settings *t = &x->settings.train;

	x->views = features_views(&x->settings, x->data->count);
	x->rows = features_rows(&x->settings, x->data->count);
	if (t->repeat_aug > 1 && !x->mixing)
		return error(STATUS_USAGE, "repeat_aug=%lld: rows are kept per image: use 1",
			(long long)t->repeat_aug);
	if (t->shards < 1 || t->batch % t->shards)
		return error(STATUS_USAGE, "batch %lld does not deal into %lld shards",
			(long long)t->batch, (long long)t->shards);
	TRY(part_range(&cli.part, x->rows, t->batch, &x->first, &x->count));
	cli_say("%lld images, %lld views: %.1f MiB of features", (long long)x->count,
		(long long)x->views,
		features_bytes(&x->teacher->config, x->count, x->views) / 1048576.0);
	return 0;
}

static int work(struct extraction *x)
{
	struct weights_source source = {.path = x->o->teacher};
	struct batches_settings b;
	struct h5 *f;

	TRY(recipe_apply(&x->o->recipe, &x->settings));
	TRY(cli_open_device(&x->device));
	cli.provenance.settings = settings_text(&x->settings);
	TRY(weights_open(&x->teacher, &f, &source, x->device));
	TRY(provenance_input(&cli.provenance, f));
	TRY(h5_content_hash(f, x->weights));
	h5_close(&f);
	x->mixing = features_mixing(&x->settings);
	TRY(data_open(&x->data, &x->o->loading, x->o->data, cli.part.count && !x->mixing));
	TRY(provenance_input(&cli.provenance, x->data->file));
	TRY(check(x));
	TRY(build(x));
	if (cli.dry_run) {
		print_memory(x);
		return 0;
	}
	batches_of(x, &b);
	TRY(batches_open(&x->batches, x->data, &b));
	TRY(allocate(x));
	TRY(features_create(
		&f, x->o->out, &x->teacher->config, &x->settings, cli.seed, x->count, x->views));
	return provenance_commit(&cli.provenance, &f, extract(x, f));
}

static int run(const struct options *o)
{
	struct extraction x = {.o = o};
	int status = work(&x);

	batches_close(x.batches);
	program_free(x.program);
	if (x.block)
		x.device->release(x.block);
	network_free(x.teacher);
	dataset_close(x.data);
	free(x.host_tokens);
	free(x.host_logits);
	free(x.host_mix);
	free(x.host_pixels);
	free(x.host_erase);
	return status;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {table, parse, 0,
		"Runs a teacher over every view of a data set and keeps its final tokens and "
		"logits.\v"
		"The settings must be those of the distillation that will read the file (seed, "
		"augmentation, epochs or views; with mixing also batch and shards).\n\n"
		"Example:\n"
		"  extract-teacher-features --teacher t.h5 --data train.h5 --recipe wsab.conf \\\n"
		"    --set views=1 -o features.h5\n\n"
		"--part I/N takes the I-th of N slices of the batches, for a job array: join-parts "
		"--help shows one.\n",
		0, 0, 0};
	struct options o = {.loading = DATA_DEFAULT};

	cli_start(&argp, argc, argv, &o,
		CLI_DEVICE | CLI_THREADS | CLI_SEED | CLI_DRY_RUN | CLI_PROVENANCE | CLI_JSON |
			CLI_PART);
	return cli_end(run(&o));
}
