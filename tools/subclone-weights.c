/* The student's first weights from a teacher before and after a short fine-tune. */
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/cli/recipe.h"
#include "lib/models/weights.h"

#include <stdlib.h>

struct options {
	const char *before, *after, *student, *out;
	struct recipe recipe;
};

enum { KEY_BEFORE = 0x1001, KEY_AFTER, KEY_STUDENT };

static const struct argp_option table[] = {
	{"before", KEY_BEFORE, "FILE", 0, "Teacher before the probe", 0},
	{"after", KEY_AFTER, "FILE", 0, "Teacher after it; its values are copied", 0},
	{"student", KEY_STUDENT, "FILE", 0, "Student whose weights are replaced (init-weights)", 0},
	{"output", 'o', "FILE", 0, "Student to write; - is standard output", 0}, RECIPE_OPTIONS,
	{0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	const char **paths[] = {&o->before, &o->after, &o->student};

	if (key >= KEY_BEFORE && key <= KEY_STUDENT) {
		*paths[key - KEY_BEFORE] = arg;
		return 0;
	}
	switch (key) {
	case 'o':
		o->out = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->before || !o->after || !o->student || !o->out)
			argp_error(state, "--before, --after, --student and --output are needed");
		return 0;
	}
	return recipe_option(&o->recipe, key, arg, state);
}

static int open_network(struct network **n, const char *path)
{
	struct weights_source source = {.path = path};
	struct h5 *f;
	int status;

	TRY(weights_open(n, &f, &source, device_cpu()));
	status = provenance_input(&cli.provenance, f);
	h5_close(&f);
	return status;
}

static int work(const struct options *o, struct network *n[3])
{
	struct subclone_report report;
	struct settings s;

	TRY(recipe_apply(&o->recipe, &s));
	cli.provenance.settings = settings_text(&s);
	TRY(open_network(&n[0], o->student));
	TRY(open_network(&n[1], o->before));
	TRY(open_network(&n[2], o->after));
	TRY(subclone(n[0], n[1], n[2], &s.subclone, cli.seed, &report));
	cli_say("%lld tensors copied, %lld fresh: %lld layers, %lld residual and %lld hidden "
		"units%s%s",
		(long long)report.copied, (long long)report.fresh, (long long)report.layers,
		(long long)report.residual, (long long)report.hidden, *report.notes ? "; " : "",
		report.notes);
	cli.provenance.seconds = cli_seconds();
	return weights_write(n[0], o->out, &cli.provenance, NULL);
}

static int run(const struct options *o)
{
	struct network *n[3] = {NULL};
	int status = work(o, n);

	for (int i = 0; i < 3; i++)
		network_free(n[i]);
	return status;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {table, parse, 0,
		"Makes a student's first weights from a teacher's: the units that moved least in a "
		"short fine-tune are kept.\v"
		"Settings read: score, n_init_layers, subclone_from, rescale.\n\n"
		"Example:\n"
		"  subclone-weights --before t0.h5 --after t1.h5 --student fresh.h5 -o "
		"student.h5\n",
		0, 0, 0};
	struct options o = {0};

	cli_start(&argp, argc, argv, &o, CLI_SEED | CLI_PROVENANCE);
	return cli_end(run(&o));
}
