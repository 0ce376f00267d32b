/* Images in folders, lists, archives, CIFAR-100 batches and packed files into one `images` file. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/data/archive.h"
#include "lib/data/pack.h"
#include "lib/data/strip.h"
#include "lib/data/subset.h"

struct settings {
	char **inputs;
	int input_count;
	const char *output, *holdout_output, *classes, *split, *show, *augment;
	const char *labels, *parts;
	enum source_format format;
	enum pack_store store;
	enum pack_check check;
	struct share share;
	int64_t holdout, size, skip_damaged;
	int no_labels, shared;
};

enum {
	OPTION_FORMAT = 256,
	OPTION_CLASSES,
	OPTION_SHARE,
	OPTION_HOLDOUT,
	OPTION_HOLDOUT_OUTPUT,
	OPTION_STORE,
	OPTION_SIZE,
	OPTION_SKIP,
	OPTION_NO_LABELS,
	OPTION_SPLIT,
	OPTION_SHOW,
	OPTION_AUGMENT,
	OPTION_CHECK,
	OPTION_LABELS,
	OPTION_PARTS,
};

static const struct argp_option options[] = {
	{"output", 'o', "FILE", 0, "Write the packed images there"},
	{"format", OPTION_FORMAT, "NAME", 0,
		"What the inputs are: auto, folder, list, tar, cifar100 or hdf5 (default: auto)"},
	{"labels", OPTION_LABELS, "LIST", 0, "Classes of an archive's images: lines 'FILE CLASS'"},
	{"parts", OPTION_PARTS, "FOLDER", 0,
		"Keep an archive's part files there (default: OUTPUT.parts, removed at the end)"},
	{"classes", OPTION_CLASSES, "LIST", 0,
		"Take these classes, one a line, in this order; numbers in a list of images count "
		"its lines from 0"},
	{"share", OPTION_SHARE, "F", 0,
		"Take this share of each class: 0.25, 25%, 1/4, 1/1.3; smaller shares lie inside "
		"larger ones"},
	{"holdout", OPTION_HOLDOUT, "N", 0,
		"Before that, put N images, equally of each class, into --holdout-output"},
	{"holdout-output", OPTION_HOLDOUT_OUTPUT, "FILE", 0, "Where they go"},
	{"store", OPTION_STORE, "HOW", 0,
		"encoded (files as they are; default for files) or pixels (default for CIFAR)"},
	{"size", OPTION_SIZE, "N", 0,
		"With pixels: resize the short side to N and keep the central square"},
	{"check", OPTION_CHECK, "HOW", 0,
		"decode every image (default), or look at its structure alone: markers, header, "
		"size"},
	{"skip-damaged", OPTION_SKIP, "N", 0,
		"Leave out up to N damaged images (default: 0); each is named"},
	{"no-labels", OPTION_NO_LABELS, NULL, 0, "Images without classes, to be predicted"},
	{"split", OPTION_SPLIT, "NAME", 0,
		"Note in the file which split it is: train, valid, test"},
	{"show", OPTION_SHOW, "FILE.png", 0,
		"Write a picture of augmented views of the packed images; with a packed file as "
		"the "
		"only input, --output may be left out"},
	{"augment", OPTION_AUGMENT, "NAME", 0,
		"For --show: none, tiny or imagenet (default: imagenet)"},
	{0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const stores[] = {"encoded", "pixels", NULL};
	struct settings *s = state->input;

	switch (key) {
	case 'o':
		s->output = arg;
		return 0;
	case OPTION_FORMAT:
		s->format = cli_choice(state, "--format", arg, source_formats);
		return 0;
	case OPTION_CLASSES:
		s->classes = arg;
		return 0;
	case OPTION_SHARE:
		s->shared = 1;
		if (share_parse(&s->share, arg))
			argp_error(state, "%s", error_message());
		return 0;
	case OPTION_HOLDOUT:
		s->holdout = cli_integer(state, "--holdout", arg, 1, INT64_MAX);
		return 0;
	case OPTION_HOLDOUT_OUTPUT:
		s->holdout_output = arg;
		return 0;
	case OPTION_STORE:
		s->store = PACK_ENCODED + cli_choice(state, "--store", arg, stores);
		return 0;
	case OPTION_SIZE:
		s->size = cli_integer(state, "--size", arg, 1, 4096);
		return 0;
	case OPTION_SKIP:
		s->skip_damaged = cli_integer(state, "--skip-damaged", arg, 0, INT64_MAX);
		return 0;
	case OPTION_NO_LABELS:
		s->no_labels = 1;
		return 0;
	case OPTION_SPLIT:
		s->split = arg;
		return 0;
	case OPTION_SHOW:
		s->show = arg;
		return 0;
	case OPTION_AUGMENT:
		s->augment = arg;
		return 0;
	case OPTION_CHECK:
		s->check = cli_choice(state, "--check", arg, pack_checks);
		return 0;
	case OPTION_LABELS:
		s->labels = arg;
		return 0;
	case OPTION_PARTS:
		s->parts = arg;
		return 0;
	case ARGP_KEY_ARGS:
		s->inputs = state->argv + state->next;
		s->input_count = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no INPUT is given");
		return 0;
	case ARGP_KEY_END:
		if (!s->output && !s->show && !cli.dry_run)
			argp_error(state, "no --output is given");
		if (!s->holdout != !s->holdout_output)
			argp_error(state, "--holdout and --holdout-output belong together");
		if (s->size && s->store == PACK_ENCODED)
			argp_error(state, "--size needs --store pixels");
		if (s->show && cli.part.count)
			argp_error(state, "--show needs the whole, not a --part");
		if (s->classes && s->no_labels)
			argp_error(state, "--classes and --no-labels exclude each other");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {options, parse, "INPUT...",
	"Pack images into one HDF5 file.\v"
	"An INPUT is a folder of class folders, a list of lines 'path<TAB>class' or 'path label', "
	"a "
	"CIFAR-100 batch (train.bin) or a packed file; several are joined. Or it is one tar "
	"archive, "
	"of an archive a class as ImageNet's training set, of images as its validation set, or of "
	"class folders; - with --format tar is one from a pipe.\n\n"
	"  pack-images train -o train.h5 --split train\n"
	"  pack-images cifar-100-binary/train.bin -o train.h5 --holdout 5000 --holdout-output "
	"valid.h5\n"
	"  pack-images train.h5 -o quarter.h5 --share 1/4 --seed 1\n"
	"  pack-images train.h5 --show views.png --augment imagenet\n"
	"  pack-images ILSVRC2012_img_train.tar --classes data/imagenet100.txt -o train.h5\n"
	"  pack-images ILSVRC2012_img_val.tar --labels val.txt -o val.h5\n\n"
	"Of an archive, each inner one (or each thousand images) becomes a part file first; a run "
	"that "
	"was stopped goes on after the parts that are there.\n\n"
	"--part I/N packs the I-th of N slices of what would be packed else, to be put together by "
	"join-parts; --skip-damaged counts in each part, and part 1 writes what is held out."};

static int inputs_note(
	struct collection *c, const struct settings *s, const struct archive_result *a)
{
	if (a->parts)
		return provenance_note(&cli.provenance, s->inputs[0], a->hash);
	for (int64_t i = 0; i < c->source_count; i++) {
		const struct source *s = &c->sources[i];

		if (s->data)
			TRY(provenance_input(&cli.provenance, s->data->file));
		else if (s->format != SOURCE_FOLDER)
			TRY(provenance_file(&cli.provenance, s->path));
	}
	return 0;
}

static void damaged_say(const char *message)
{
	cli_warn("%s", message);
}

static void progress_say(void *data, int64_t done)
{
	progress_update(data, done, "%s", "");
}

static int pack(
	struct collection *c, const struct settings *s, enum pack_check check, const char *output)
{
	struct progress progress;
	struct pack_settings p = {.store = s->store,
		.size = s->size,
		.check = check,
		.skip_damaged = s->skip_damaged,
		.threads = cli.threads,
		.split = s->split,
		.provenance = &cli.provenance,
		.on_damaged = damaged_say,
		.on_progress = progress_say,
		.data = &progress};
	struct pack_result result;
	double start = cli_seconds();

	cli.provenance.seconds = start;
	progress_start(&progress, "packing", "images", 0, c->count);
	TRY(pack_write(c, &p, output, &result));
	progress_end(&progress);
	cli_say("%s: %lld images, %lld classes, %.1f MB, %lld damaged left out, %.0f images/s",
		output, (long long)result.images, (long long)c->class_count,
		(double)result.bytes / 1e6, (long long)result.damaged,
		(double)c->count / (cli_seconds() - start + 1e-9));
	return 0;
}

/* Images of each class, as a table */
static int counts_print(const struct collection *c, const struct collection *rest)
{
	struct result *r = result_new(stdout);
	int64_t classes = c->labelled ? c->class_count : 1;
	int64_t *count = calloc((size_t)classes * 2, sizeof(*count));

	if (!r || !count)
		return error(STATUS_SYSTEM, "out of memory");
	for (int64_t i = 0; i < c->count; i++)
		count[c->labelled ? c->items[i].label : 0]++;
	for (int64_t i = 0; i < rest->count; i++)
		count[classes + (c->labelled ? rest->items[i].label : 0)]++;
	for (int64_t i = 0; i < classes; i++) {
		result_text(r, "class", c->labelled ? c->classes[i] : "-");
		result_int(r, "images", count[i]);
		result_int(r, "held_out", count[classes + i]);
		result_row(r);
	}
	result_free(r);
	free(count);
	return 0;
}

static int show(const struct settings *s)
{
	const char *path = s->output ? s->output : s->inputs[0];
	struct dataset *d;
	struct augment a;
	int64_t size;
	int status;

	TRY(dataset_open(&d, path, 0));
	size = s->size ? s->size : d->height ? d->height : 224;
	status = augment_preset(&a, s->augment ? s->augment : "imagenet", size);
	if (!status)
		status = strip_write(s->show, d, &a, cli.seed, d->count < 8 ? d->count : 8, 8);
	dataset_close(d);
	return status;
}

/* The one input that is an archive */
static int find_archive(const struct settings *s, int *is_archive)
{
	enum source_format format = s->format;

	*is_archive = 0;
	for (int i = 0; i < s->input_count; i++) {
		if (s->format == SOURCE_AUTO)
			TRY(source_format_find(s->inputs[i], &format));
		if (format == SOURCE_TAR && s->input_count > 1)
			return error(STATUS_USAGE,
				"%s: an archive is packed alone: join packed files afterwards",
				s->inputs[i]);
		*is_archive = format == SOURCE_TAR;
	}
	if (!*is_archive && (s->labels || s->parts))
		return error(STATUS_USAGE, "--labels and --parts go with an archive");
	if (*is_archive && s->output && !strcmp(s->output, "-") && !s->parts)
		return error(STATUS_USAGE, "an archive to standard output needs --parts FOLDER");
	if (*is_archive && cli.part.count)
		return error(STATUS_USAGE, "an archive is packed whole, not by --part");
	return 0;
}

static int add_archive(
	struct collection *c, const struct settings *s, const char *parts, struct archive_result *r)
{
	struct progress progress;
	struct archive_settings a = {.path = s->inputs[0],
		.parts = parts,
		.labels = s->labels,
		.check = s->check,
		.threads = cli.threads,
		.skip_damaged = s->skip_damaged,
		.on_damaged = damaged_say,
		.on_progress = progress_say,
		.data = &progress};
	double start = cli_seconds(), seconds;

	if (cli.dry_run)
		return archive_list(c, &a, r);
	progress_start(&progress, "reading", "images", 0, 0);
	TRY(archive_pack(c, &a, r));
	progress_end(&progress);
	seconds = cli_seconds() - start + 1e-9;
	cli_say("%s: %lld parts, %lld of them were there, %lld images read, %.1f MB, %.0f "
		"images/s, "
		"%.0f MB/s",
		a.path, (long long)r->parts, (long long)r->parts_kept, (long long)r->images,
		(double)r->bytes / 1e6, (double)r->images / seconds,
		(double)r->bytes / 1e6 / seconds);
	return 0;
}

static int add_inputs(
	struct collection *c, const struct settings *s, const char *parts, struct archive_result *r)
{
	int is_archive;

	if (s->classes)
		TRY(collection_want(c, s->classes));
	TRY(find_archive(s, &is_archive));
	if (is_archive)
		return add_archive(c, s, parts, r);
	for (int i = 0; i < s->input_count; i++)
		TRY(collection_add(c, s->inputs[i], s->format));
	return 0;
}

static int pack_both(struct collection *c, const struct settings *s, struct archive_result *r)
{
	/* parts were checked when they were made */
	enum pack_check check = r->parts ? PACK_UNCHECKED : s->check;
	struct collection rest = {0};
	int status = 0;

	TRY(collection_finish(c));
	if (s->holdout)
		status = collection_holdout(c, s->holdout, cli.seed, &rest);
	if (!status && s->shared)
		status = collection_share(c, &s->share, cli.seed);
	if (!status && cli.part.count)
		status = collection_part(c, &cli.part);
	/* the first part writes what is held out */
	if (cli.part.index > 1)
		collection_release_rest(&rest);
	if (!status && cli.dry_run)
		status = counts_print(c, &rest);
	else if (!status) {
		status = inputs_note(c, s, r);
		if (!status)
			status = pack(c, s, check, s->output);
		if (!status && s->holdout && cli.part.index <= 1)
			status = pack(&rest, s, check, s->holdout_output);
	}
	collection_release_rest(&rest);
	return status;
}

static int pack_inputs(struct collection *c, const struct settings *s)
{
	struct archive_result r = {0};
	char *parts = s->parts ? memory_string(s->parts)
			       : memory_format("%s.parts", s->output ? s->output : "");
	int status = parts ? add_inputs(c, s, parts, &r) : STATUS_SYSTEM;

	if (!status)
		status = pack_both(c, s, &r);
	if (!status && !s->parts && !cli.dry_run)
		archive_remove_parts(&(struct archive_settings){.parts = parts}, &r);
	archive_release(&r);
	free(parts);
	return status;
}

static int run(const struct settings *s)
{
	struct collection c;
	int status = 0;

	collection_init(&c, !s->no_labels);
	if (s->output || cli.dry_run)
		status = pack_inputs(&c, s);
	collection_release(&c);
	if (!status && s->show && !cli.dry_run)
		status = show(s);
	return status;
}

int main(int argc, char **argv)
{
	struct settings s = {0};

	cli_start(&argp, argc, argv, &s,
		CLI_THREADS | CLI_SEED | CLI_DRY_RUN | CLI_PROVENANCE | CLI_JSON | CLI_PART);
	return cli_end(run(&s));
}
