/*
 * A fresh network of a named architecture, or of one whose weights are taken as far as they fit;
 * --list names them all with their counts.
 */
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/cli/network_options.h"
#include "lib/models/adopt.h"
#include "lib/models/language.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_INIT = 0x1001, KEY_FROM, KEY_LIST };

static const char *const inits[] = {"upstream", "tm", NULL};

struct options {
	const char *arch, *out, *from;
	struct network_options network;
	int init, list;
};

static const struct argp_option table[] = {{"arch", 'a', "NAME", 0, "Architecture; see --list", 0},
	{"output", 'o', "FILE", 0, "Weights to write; - is standard output", 0}, NETWORK_OPTIONS,
	{"init", KEY_INIT, "upstream|tm", 0,
		"PlainMamba: its own first values, or the TransMamba release's (default upstream)",
		0},
	{"from", KEY_FROM, "FILE", 0,
		"Take every tensor of this weights file whose name and shape fit; the rest is "
		"drawn. The "
		"architecture is the file's unless --arch is given",
		0},
	{"list", KEY_LIST, 0, 0, "Print every architecture with parameters and input", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'a':
		o->arch = arg;
		return 0;
	case 'o':
		o->out = arg;
		return 0;
	case KEY_INIT:
		o->init = cli_choice(state, "--init", arg, inits);
		return 0;
	case KEY_FROM:
		o->from = arg;
		return 0;
	case KEY_LIST:
		o->list = 1;
		return 0;
	case ARGP_KEY_END:
		if (!o->list && ((!o->arch && !o->from) || !o->out))
			argp_error(state, "--arch or --from, and --output are needed, or --list");
		return 0;
	}
	return network_option(&o->network, key, arg, state);
}

static void apply(const struct options *o, struct network_config *c)
{
	network_options_apply(&o->network, c);
	c->release_init = o->init >= 0 ? o->init : c->release_init;
}

static int list(const struct options *o)
{
	struct result *r = result_new(stdout);
	int status = r ? 0 : STATUS_SYSTEM;

	for (int i = 0; !status && network_at(i); i++) {
		struct network_config c = *network_at(i);
		struct network *n;

		if (!network_reads_tokens(&c))
			apply(o, &c);
		c.frames = c.family == NETWORK_VIDEOMAMBA ? c.frames : 0;
		status = network_new(&n, &c, NULL);
		if (status)
			break;
		result_text(r, "arch", c.arch);
		result_int(r, "parameters", model_parameters(n->model, 0));
		result_int(r, "input", c.image);
		result_int(r, "patch", c.patch);
		result_int(r, "tokens", network_tokens(&c));
		result_int(r, "classes", c.classes);
		result_int(r, "width", c.dim);
		result_int(r, "layers", c.depth);
		result_real(r, "mlp_ratio", c.mlp_ratio, "%g");
		result_row(r);
		network_free(n);
	}
	result_free(r);
	return status;
}

static int take(const struct options *o, struct network *n, struct h5 *from)
{
	struct adopted a;

	TRY(provenance_input(&cli.provenance, from));
	TRY(weights_adopt(n, from, &a));
	cli_say("%d tensors of %s, %d fresh%s%s", a.copied, o->from, a.fresh, *a.notes ? ": " : "",
		a.notes);
	return 0;
}

static int make(const struct options *o, struct h5 *from)
{
	struct network_config c;
	struct network *n;
	int status;

	if (o->arch)
		TRY(network_find(o->arch, &c));
	else
		TRY(weights_config(from, &c));
	apply(o, &c);
	TRY(network_new(&n, &c, NULL));
	status = model_allocate(n->model, device_cpu(), 0);
	if (!status)
		status = model_init(n->model, 0, cli.seed);
	if (!status && from)
		status = take(o, n, from);
	if (!status)
		status = weights_write(n, o->out, &cli.provenance, NULL);
	network_free(n);
	return status;
}

static int run(const struct options *o)
{
	struct h5 *from = NULL;
	int status;

	if (o->list)
		return list(o);
	if (o->from)
		TRY(h5_open(&from, o->from, "weights"));
	status = make(o, from);
	h5_close(&from);
	return status;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {table, parse, 0,
		"Makes a fresh network of a named architecture, or takes another's weights as far "
		"as "
		"they "
		"fit.\v"
		"Examples:\n"
		"  init-weights --list\n"
		"  init-weights --arch pmamba-t --classes 100 --mlp-ratio 4 --seed 1 -o "
		"student.h5\n"
		"  init-weights --from deit-imagenet.h5 --classes 100 -o teacher.h5\n"
		"  init-weights --from videomamba.h5 --frames 12 -o clips.h5\n",
		0, 0, 0};
	struct options o = {.init = -1};

	cli_start(&argp, argc, argv, &o, CLI_SEED | CLI_PROVENANCE | CLI_JSON);
	return cli_end(run(&o));
}
