/* show-tensors: what is in a file. */
#include <stdlib.h>
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/io/h5.h"
#include "lib/io/tensor_text.h"

struct settings {
	const char *path;
	char **names;
	int count;
	int attributes, diffable, provenance;
};

static const struct argp_option options[] = {
	{"attributes", 'a', NULL, 0, "The file's attributes: its kind, settings, step and so on"},
	{"diffable", 'd', NULL, 0,
		"Everything but provenance as text in full precision, one value a line, for diff"},
	{"provenance", 'p', NULL, 0, "The chain of tools that made the file"},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;

	switch (key) {
	case 'a':
		s->attributes = 1;
		return 0;
	case 'd':
		s->diffable = 1;
		return 0;
	case 'p':
		s->provenance = 1;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num == 0)
			s->path = arg;
		return 0;
	case ARGP_KEY_END:
		if (!s->path)
			argp_error(state, "which file? give one, or - for standard input");
		s->names =
			state->argv + state->argc - (state->arg_num > 1 ? state->arg_num - 1 : 0);
		s->count = state->arg_num > 1 ? (int)state->arg_num - 1 : 0;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {options, parse, "FILE [NAME...]",
	"Lists the tensors of a file of transmamba; with names, their values and statistics.\v"
	"Examples:\n"
	"  show-tensors student.h5\n"
	"  show-tensors student.h5 head.bias\n"
	"  diff <(show-tensors -d a.h5) <(show-tensors -d b.h5)"};

/* One row per tensor. */
static int list(struct h5 *f)
{
	struct result *r = result_new(stdout);
	char **names;
	int count, status;

	status = h5_names(f, &names, &count);
	for (int i = 0; i < count && !status; i++) {
		int64_t shape[H5_DIMS];
		enum h5_type type;
		int dims;
		char text[200];

		status = h5_shape(f, names[i], &type, &dims, shape);
		if (status)
			break;
		result_text(r, "name", names[i]);
		result_text(r, "type", h5_type_name(type));
		result_text(r, "shape", tensor_shape_text(dims, shape, text));
		result_row(r);
	}
	free(names);
	result_free(r);
	return status;
}

/* Minimum, maximum and mean over all values that are numbers. */
static int statistics(struct h5 *f, struct result *r, const char *name)
{
	struct tensor_statistics s;
	char text[200];

	TRY(tensor_statistics(f, name, &s));
	result_text(r, "name", name);
	result_text(r, "type", h5_type_name(s.type));
	result_text(r, "shape", tensor_shape_text(s.dims, s.shape, text));
	result_real(r, "min", s.min, "%.9g");
	result_real(r, "max", s.max, "%.9g");
	result_real(r, "mean", s.mean, "%.9g");
	result_int(r, "zero", s.zero);
	result_int(r, "nan", s.nan);
	result_int(r, "inf", s.inf);
	result_row(r);
	return 0;
}

static int show_named(struct h5 *f, const struct settings *s)
{
	struct result *r = result_new(stdout);
	int status = 0;

	for (int i = 0; i < s->count && !status; i++)
		status = statistics(f, r, s->names[i]);
	result_free(r);
	for (int i = 0; i < s->count && !status && !cli.json; i++)
		status = tensor_print_values(f, s->names[i], stdout);
	return status;
}

static int show_attributes(struct h5 *f)
{
	char **names;
	int count, status = h5_attributes(f, &names, &count);

	for (int i = 0; i < count && !status; i++)
		status = tensor_print_attribute(f, names[i], stdout);
	free(names);
	return status;
}

static int show_diffable(struct h5 *f)
{
	char **names;
	int count, status;

	TRY(show_attributes(f));
	TRY(h5_names(f, &names, &count));
	status = 0;
	for (int i = 0; i < count && !status; i++)
		status = tensor_print_values(f, names[i], stdout);
	free(names);
	return status;
}

static int show_provenance(struct h5 *f)
{
	int links, status = provenance_links(f, &links);

	for (int i = 0; i < links && !status; i++) {
		char **names;
		int count;

		TRY(provenance_attributes(f, i, &names, &count));
		printf("%04d\n", i + 1);
		for (int k = 0; k < count && !status; k++) {
			char *text;

			status = provenance_get(f, i, names[k], &text);
			if (!status)
				tensor_print_text("  ", names[k], text, stdout);
			free(text);
		}
		free(names);
	}
	return status;
}

static int run(const struct settings *s)
{
	struct h5 *f;
	int status;

	TRY(h5_open(&f, s->path, NULL));
	if (s->provenance)
		status = show_provenance(f);
	else if (s->attributes)
		status = show_attributes(f);
	else if (s->diffable)
		status = show_diffable(f);
	else if (s->count)
		status = show_named(f, s);
	else
		status = list(f);
	h5_close(&f);
	return status;
}

int main(int argc, char **argv)
{
	struct settings s = {0};

	cli_start(&argp, argc, argv, &s, CLI_JSON);
	return cli_end(run(&s));
}
