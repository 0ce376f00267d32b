#include "lib/cli/network_options.h"
#include "lib/cli/cli.h"

int network_option(struct network_options *o, int key, char *arg, struct argp_state *state)
{
	static const char *const norms[] = {"rms", "layer", NULL};
	static const char *const orders[] = {"raster", "scan", NULL};
	static const char *const steps[] = {"euler", "zoh", NULL};

	switch (key) {
	case NETWORK_INPUT:
		o->input = cli_integer(state, "--input", arg, 1, 8192);
		return 0;
	case NETWORK_PATCH:
		o->patch = cli_integer(state, "--patch", arg, 1, 512);
		return 0;
	case NETWORK_CLASSES:
		o->classes = cli_integer(state, "--classes", arg, 1, 1000000);
		return 0;
	case NETWORK_DEPTH:
		o->depth = cli_integer(state, "--depth", arg, 1, NETWORK_LAYERS);
		return 0;
	case NETWORK_CLIP:
		o->frames = cli_integer(state, "--frames", arg, 1, NETWORK_FRAMES);
		return 0;
	case NETWORK_MLP:
		o->mlp_ratio = cli_number(state, "--mlp-ratio", arg, 0, 64);
		o->has_mlp_ratio = 1;
		return 0;
	case NETWORK_NORM:
		o->norm = 1 + cli_choice(state, "--norm", arg, norms);
		return 0;
	case NETWORK_ORDER:
		o->order = 1 + cli_choice(state, "--param-order", arg, orders);
		return 0;
	case NETWORK_BBAR:
		o->bbar = 1 + cli_choice(state, "--bbar", arg, steps);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

void network_options_apply(const struct network_options *o, struct network_config *c)
{
	c->image = o->input ? o->input : c->image;
	c->patch = o->patch ? o->patch : c->patch;
	c->classes = o->classes ? o->classes : c->classes;
	network_set_depth(c, o->depth ? o->depth : c->depth);
	if (o->has_mlp_ratio)
		network_add_mlp(c, o->mlp_ratio);
	c->frames = o->frames ? o->frames : c->frames;
	if (o->norm && network_is_bimamba(c))
		c->layer_norm = o->norm - 1;
	c->scan_order = o->order ? o->order - 1 : c->scan_order;
	if (o->bbar && c->family != NETWORK_DEIT)
		c->zoh = o->bbar - 1;
}
