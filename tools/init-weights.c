/*
 * A fresh network of a named architecture, or of one whose weights are taken as far as they fit;
 * --list names them all with their counts.
 */
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/cli/recipe.h"
#include "lib/models/adopt.h"

#include <stdlib.h>
#include <string.h>

enum {
	KEY_INPUT = 0x1001,
	KEY_PATCH,
	KEY_CLASSES,
	KEY_MLP,
	KEY_DEPTH,
	KEY_NORM,
	KEY_ORDER,
	KEY_INIT,
	KEY_FROM,
	KEY_LIST
};

static const char *const norms[] = {"rms", "layer", NULL};
static const char *const orders[] = {"raster", "scan", NULL};
static const char *const inits[] = {"upstream", "tm", NULL};

struct options {
	const char *arch, *out, *from;
	int64_t input, patch, classes, depth;
	double mlp_ratio;
	int norm, order, init, list;
};

static const struct argp_option table[] = {{"arch", 'a', "NAME", 0, "Architecture; see --list", 0},
	{"output", 'o', "FILE", 0, "Weights to write; - is standard output", 0},
	{"input", KEY_INPUT, "PIXELS", 0, "Side of the input (default: the architecture's)", 0},
	{"patch", KEY_PATCH, "PIXELS", 0, "Pixels a token covers (default: the architecture's)", 0},
	{"classes", KEY_CLASSES, "N", 0, "Classes of the head (default: the architecture's)", 0},
	{"depth", KEY_DEPTH, "N", 0, "Layers (default: the architecture's)", 0},
	{"mlp-ratio", KEY_MLP, "R", 0,
		"Hidden width of the MLP over the width; 0: a student's block as published", 0},
	{"norm", KEY_NORM, "rms|layer", 0,
		"ViM's norms (default: layer with an added MLP, as TransMamba has it, else rms, as "
		"published)",
		0},
	{"param-order", KEY_ORDER, "raster|scan", 0,
		"PlainMamba: delta, B and C stay in raster order as in the public code, or follow "
		"the "
		"scan as in the paper (default raster)",
		0},
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
	case KEY_INPUT:
		o->input = cli_integer(state, "--input", arg, 1, 8192);
		return 0;
	case KEY_PATCH:
		o->patch = cli_integer(state, "--patch", arg, 1, 512);
		return 0;
	case KEY_CLASSES:
		o->classes = cli_integer(state, "--classes", arg, 1, 1000000);
		return 0;
	case KEY_DEPTH:
		o->depth = cli_integer(state, "--depth", arg, 1, NETWORK_LAYERS);
		return 0;
	case KEY_MLP:
		o->mlp_ratio = cli_number(state, "--mlp-ratio", arg, 0, 64);
		return 0;
	case KEY_NORM:
		o->norm = cli_choice(state, "--norm", arg, norms);
		return 0;
	case KEY_ORDER:
		o->order = cli_choice(state, "--param-order", arg, orders);
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
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not expected", arg);
		return 0;
	case ARGP_KEY_END:
		if (!o->list && ((!o->arch && !o->from) || !o->out))
			argp_error(state, "--arch or --from, and --output are needed, or --list");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void apply(const struct options *o, struct network_config *c)
{
	c->image = o->input ? o->input : c->image;
	c->patch = o->patch ? o->patch : c->patch;
	c->classes = o->classes ? o->classes : c->classes;
	network_set_depth(c, o->depth ? o->depth : c->depth);
	if (o->mlp_ratio >= 0)
		network_add_mlp(c, o->mlp_ratio);
	c->layer_norm = o->norm >= 0 && c->family == NETWORK_VIM ? o->norm : c->layer_norm;
	c->scan_order = o->order >= 0 ? o->order : c->scan_order;
	c->release_init = o->init >= 0 ? o->init : c->release_init;
}

static int list(const struct options *o)
{
	struct result *r = result_new(stdout);
	int status = r ? 0 : STATUS_SYSTEM;

	for (int i = 0; !status && network_at(i); i++) {
		struct network_config c = *network_at(i);
		struct network *n;

		apply(o, &c);
		status = network_new(&n, &c, NULL);
		if (status)
			break;
		result_text(r, "arch", c.arch);
		result_int(r, "parameters", model_parameters(n->model, 0));
		result_int(r, "input", c.image);
		result_int(r, "patch", c.patch);
		result_int(r, "tokens",
			network_extra_tokens(&c) + network_grid(&c) * network_grid(&c));
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
		"  init-weights --from deit-imagenet.h5 --classes 100 -o teacher.h5\n",
		0, 0, 0};
	struct options o = {.mlp_ratio = -1, .norm = -1, .order = -1, .init = -1};

	cli_start(&argp, argc, argv, &o, CLI_SEED | CLI_PROVENANCE | CLI_JSON);
	return cli_end(run(&o));
}
