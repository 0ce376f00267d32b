/* diff-tensors: do two files hold the same? */
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/io/h5.h"
#include "lib/io/tensor_diff.h"
#include "lib/io/tensor_text.h"

struct settings {
	const char *path[2];
	double rtol, atol;
};

enum { KEY_RTOL = 256, KEY_ATOL };

static const struct argp_option options[] = {
	{"rtol", KEY_RTOL, "X", 0, "Equal when |a - b| <= atol + X |b| (0)"},
	{"atol", KEY_ATOL, "X", 0, "Equal when |a - b| <= X + rtol |b| (0)"},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;

	switch (key) {
	case KEY_RTOL:
		s->rtol = cli_number(state, "--rtol", arg, 0, 1e300);
		return 0;
	case KEY_ATOL:
		s->atol = cli_number(state, "--atol", arg, 0, 1e300);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			return ARGP_ERR_UNKNOWN;
		s->path[state->arg_num] = arg;
		return 0;
	case ARGP_KEY_END:
		if (!s->path[1])
			argp_error(state, "two files are compared");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {options, parse, "A B",
	"Compares the tensors and attributes of two files, provenance left out. Exits 0 when they "
	"are "
	"equal, 1 when they differ, after a table of what does.\v"
	"Without tolerances bits are compared, any NaN equals any other. With tolerances the types "
	"may "
	"differ too (f32 and bf16).\n"
	"Examples:\n"
	"  diff-tensors once.h5 again.h5\n"
	"  diff-tensors --rtol 1e-5 --atol 1e-7 ours.h5 theirs.h5"};

/* A difference becomes a row; "" for figures that make no sense. */
static void row(struct result *r, const char *name, const char *what, const struct tensor_diff *d)
{
	char where[200] = "";
	int figures = d && !strcmp(what, "values");

	if (figures)
		tensor_shape_text(d->dims, d->where, where);
	result_text(r, "name", name);
	result_text(r, "differs", what);
	if (figures) {
		result_int(r, "count", d->count);
		result_real(r, "max_abs", d->max_abs, "%.9g");
		result_real(r, "max_rel", d->max_rel, "%.9g");
	} else {
		result_text(r, "count", "");
		result_text(r, "max_abs", "");
		result_text(r, "max_rel", "");
	}
	result_text(r, "at", where);
	result_row(r);
}

static int compare_attribute(struct h5 *a, struct h5 *b, const char *name, int *equal)
{
	char *x, *y;

	TRY(tensor_attribute_text(a, name, &x));
	if (tensor_attribute_text(b, name, &y)) {
		free(x);
		return STATUS_DATA;
	}
	*equal = !strcmp(x, y);
	free(x);
	free(y);
	return 0;
}

/* All attributes of the root but the hash, which follows from the tensors. */
static int compare_attributes(struct h5 *a, struct h5 *b, struct result *r, int *differences)
{
	char **names;
	int count, status = 0, equal;

	TRY(h5_attributes(a, &names, &count));
	for (int i = 0; i < count && !status; i++) {
		if (!strcmp(names[i], "content_hash"))
			continue;
		equal = 0;
		if (h5_has_attribute(b, names[i]))
			status = compare_attribute(a, b, names[i], &equal);
		if (!status && !equal) {
			row(r, names[i], "attribute", NULL);
			++*differences;
		}
	}
	free(names);
	TRY(status);
	TRY(h5_attributes(b, &names, &count));
	for (int i = 0; i < count; i++)
		if (!h5_has_attribute(a, names[i]) && strcmp(names[i], "content_hash")) {
			row(r, names[i], "attribute", NULL);
			++*differences;
		}
	free(names);
	return 0;
}

static int compare_tensors(
	struct h5 *a, struct h5 *b, struct result *r, const struct settings *s, int *differences)
{
	struct tensor_diff d = {.rtol = s->rtol, .atol = s->atol};
	char **names;
	int count, status = 0;

	TRY(h5_names(a, &names, &count));
	for (int i = 0; i < count && !status; i++) {
		if (!h5_has(b, names[i]))
			d.what = "only in A";
		else
			status = tensor_compare(&d, a, b, names[i]);
		if (!status && d.what) {
			row(r, names[i], d.what, &d);
			++*differences;
		}
	}
	free(names);
	TRY(status);
	TRY(h5_names(b, &names, &count));
	for (int i = 0; i < count; i++)
		if (!h5_has(a, names[i])) {
			row(r, names[i], "only in B", NULL);
			++*differences;
		}
	free(names);
	return 0;
}

static int run(const struct settings *s)
{
	struct h5 *a = NULL, *b = NULL;
	struct result *r = result_new(stdout);
	int differences = 0, status;

	if (!strcmp(s->path[0], "-") && !strcmp(s->path[1], "-"))
		status = error(STATUS_USAGE, "standard input can be only one of the two");
	else
		status = h5_open(&a, s->path[0], NULL);
	if (!status)
		status = h5_open(&b, s->path[1], NULL);
	if (!status)
		status = compare_attributes(a, b, r, &differences);
	if (!status)
		status = compare_tensors(a, b, r, s, &differences);
	h5_close(&a);
	h5_close(&b);
	result_free(r);
	return status ? status : differences ? STATUS_NO : 0;
}

int main(int argc, char **argv)
{
	struct settings s = {0};

	cli_start(&argp, argc, argv, &s, CLI_JSON);
	return cli_end(run(&s));
}
