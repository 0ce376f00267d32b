/* make-shapes: the micro-world's pictures, drawn from a seed. */
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/data/shapes_write.h"

static const char doc[] =
	"Draw pictures of coloured shapes with their classes: the micro-world's data sets, the "
	"same "
	"for the same seed on every machine.\v"
	"The set `cls` has 48 classes, shape and colour of the largest object. Training, "
	"validation and test pictures are drawn from separate streams.\n\n"
	"Formats: hdf5 (kind `images`), png and jpeg (a folder per class), cifar (the binary "
	"records of CIFAR-100: fine label = class, coarse label = shape; the names go beside "
	"them).\n\n"
	"Example:\n  make-shapes --set cls --split train -o train.h5\n"
	"  make-shapes --set cls --split test --format png -o test/";

enum { OPTION_SET = 1000, OPTION_SPLIT, OPTION_COUNT, OPTION_FORMAT };

static const struct argp_option options[] = {
	{"set", OPTION_SET, "NAME", 0, "What to draw: cls (default: cls)"},
	{"split", OPTION_SPLIT, "NAME", 0, "train, valid or test"},
	{"count", OPTION_COUNT, "N", 0,
		"Number of pictures (default: train 16000, valid and test 2000)"},
	{"format", OPTION_FORMAT, "NAME", 0, "hdf5, png, jpeg or cifar (default: hdf5)"},
	{"output", 'o', "FILE", 0, "File or folder to make; - is standard output (hdf5)"}, {0}};

enum format { HDF5, PNG, JPEG, CIFAR };
static const char *const sets[] = {"cls", NULL};
static const char *const splits[] = {"train", "valid", "test", NULL};
static const char *const formats[] = {"hdf5", "png", "jpeg", "cifar", NULL};

struct settings {
	int split;
	int64_t count;
	enum format format;
	const char *output;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;

	switch (key) {
	case OPTION_SET:
		cli_choice(state, "--set", arg, sets);
		return 0;
	case OPTION_SPLIT:
		s->split = cli_choice(state, "--split", arg, splits);
		return 0;
	case OPTION_COUNT:
		s->count = cli_integer(state, "--count", arg, 1, 100000000);
		return 0;
	case OPTION_FORMAT:
		s->format = (enum format)cli_choice(state, "--format", arg, formats);
		return 0;
	case 'o':
		s->output = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "%s: unexpected argument: outputs are named with -o", arg);
		return 0;
	case ARGP_KEY_END:
		if (s->split < 0)
			argp_error(state, "which part? Give --split train, valid or test");
		if (!s->output)
			argp_error(state, "where to? Give -o");
		if (s->output && !strcmp(s->output, "-") && s->format != HDF5)
			argp_error(state, "only --format hdf5 can go to standard output");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void report(void *context, int64_t done)
{
	progress_update(context, done, "%s", "");
}

static int make(const struct settings *s)
{
	struct shapes_set set = {cli.seed, (enum shapes_split)s->split, s->count};
	struct progress progress;
	int status;

	if (!set.count)
		set.count = shapes_usual_count(set.split);
	progress_start(&progress, "drawing", "pictures", 0, set.count);
	if (s->format == HDF5) {
		cli.provenance.seconds = cli_seconds();
		status = shapes_write_h5(&set, s->output, &cli.provenance, report, &progress);
	} else if (s->format == CIFAR) {
		status = shapes_write_cifar(&set, s->output, report, &progress);
	} else {
		enum shapes_picture type = s->format == PNG ? SHAPES_PNG : SHAPES_JPEG;

		status = shapes_write_folder(&set, type, s->output, report, &progress);
	}
	if (!status)
		progress_end(&progress);
	return status;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {options, parse, NULL, doc};
	struct settings settings = {.split = -1, .format = HDF5};

	cli_start(&argp, argc, argv, &settings, CLI_SEED | CLI_PROVENANCE);
	return cli_end(make(&settings));
}
