/* A checkpoint of a public project (safetensors, .pth) to a weights file. */
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/io/file_hash.h"
#include "lib/models/convert.h"

#include <ctype.h>
#include <string.h>

enum {
	KEY_KEY = 0x1001,
	KEY_INPUT,
	KEY_PATCH,
	KEY_CLASSES,
	KEY_MLP,
	KEY_DEPTH,
	KEY_NORM,
	KEY_ORDER,
	KEY_FINITE
};

static const char *const norms[] = {"rms", "layer", NULL};
static const char *const orders[] = {"raster", "scan", NULL};

struct options {
	const char *in, *arch, *out, *key;
	int64_t input, patch, classes, depth;
	double mlp_ratio;
	int norm, order, check_finite;
};

static const struct argp_option table[] = {
	{"arch", 'a', "NAME", 0, "Architecture; see init-weights --list", 0},
	{"output", 'o', "FILE", 0, "Weights to write; - is standard output", 0},
	{"ckpt-key", KEY_KEY, "NAME", 0,
		"Member of a .pth's dict that holds the weights (default: model, state_dict, "
		"module, model_state_dict or student, or the dict itself)",
		0},
	{"input", KEY_INPUT, "PIXELS", 0,
		"Side of the input; positions of another grid are resized, bicubic", 0},
	{"patch", KEY_PATCH, "PIXELS", 0, "Pixels a token covers; positions likewise", 0},
	{"classes", KEY_CLASSES, "N", 0,
		"Classes; a head with another number of them is drawn anew", 0},
	{"depth", KEY_DEPTH, "N", 0, "Layers (default: the architecture's)", 0},
	{"mlp-ratio", KEY_MLP, "R", 0,
		"Hidden width of the MLP over the width; 0: a student's block as published", 0},
	{"norm", KEY_NORM, "rms|layer", 0,
		"ViM's norms (default: layer with an added MLP, as TransMamba has it, else rms, as "
		"published)",
		0},
	{"param-order", KEY_ORDER, "raster|scan", 0,
		"PlainMamba: delta, B and C in raster order, as in the public code, or along the "
		"scan (default raster)",
		0},
	{"check-finite", KEY_FINITE, 0, 0, "Stop at a value that is not finite", 0},
	{0},
};

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
	case KEY_KEY:
		o->key = arg;
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
	case KEY_FINITE:
		o->check_finite = 1;
		return 0;
	case ARGP_KEY_ARG:
		if (o->in)
			argp_error(state, "'%s': one checkpoint at a time", arg);
		o->in = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->in || !o->arch || !o->out)
			argp_error(state, "a checkpoint, --arch and --output are needed");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int configure(const struct options *o, struct network_config *c)
{
	TRY(network_find(o->arch, c));
	c->image = o->input ? o->input : c->image;
	c->patch = o->patch ? o->patch : c->patch;
	c->classes = o->classes ? o->classes : c->classes;
	network_set_depth(c, o->depth ? o->depth : c->depth);
	if (o->mlp_ratio >= 0)
		network_add_mlp(c, o->mlp_ratio);
	c->layer_norm = o->norm >= 0 && c->family == NETWORK_VIM ? o->norm : c->layer_norm;
	c->scan_order = o->order;
	return 0;
}

/* PyTorch's hub names a file after its SHA-256: deit_tiny_patch16_224-a1311bcf.pth. */
static void check_named_hash(const char *path)
{
	const char *name = strrchr(path, '/'), *dash;
	char hash[80];
	size_t n;

	name = name ? name + 1 : path;
	dash = strrchr(name, '-');
	n = dash ? strspn(dash + 1, "0123456789abcdef") : 0;
	if (n != 8 || strcmp(dash + 9, ".pth") || file_hash(path, hash))
		return;
	if (memcmp(hash + strlen("sha256:"), dash + 1, 8))
		cli_warn("%s: its SHA-256 begins with %.8s, not as its name says: it may be "
			 "damaged: fetch it again",
			path, hash + strlen("sha256:"));
}

static int note_inputs(const struct checkpoint *c)
{
	for (int i = 0; checkpoint_note(c, i); i++)
		cli_say("%s: %s", checkpoint_path(c), checkpoint_note(c, i));
	for (int i = 0; checkpoint_file(c, i); i++) {
		check_named_hash(checkpoint_file(c, i));
		TRY(provenance_file(&cli.provenance, checkpoint_file(c, i)));
	}
	return 0;
}

static int write_weights(
	const struct options *o, const struct network_config *config, const struct checkpoint *c)
{
	const struct import_options import = {
		.new_classes = o->classes > 0,
		.new_positions = o->input || o->patch,
		.check_finite = o->check_finite,
		.seed = cli.seed,
		.say = cli_say,
		.complain = cli_warn,
	};
	struct h5 *f;

	TRY(h5_create(&f, o->out, "weights"));
	return provenance_commit(&cli.provenance, &f, weights_import(c, config, &import, f));
}

static int run(const struct options *o)
{
	struct network_config config;
	struct checkpoint *c;
	int status;

	TRY(configure(o, &config));
	TRY(checkpoint_open(&c, o->in, o->key));
	status = note_inputs(c);
	if (!status)
		status = write_weights(o, &config, c);
	checkpoint_close(&c);
	return status;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {table, parse, "CHECKPOINT",
		"Reads weights that a public project has published: safetensors (one file, or the "
		"index of several) or .pth (both forms; nothing in it is ever run). Names are "
		"those of timm, of Hugging Face's ViT and DeiT, of PlainMamba's code, of the "
		"TransMamba release, of Vim's code, or of VMamba's (its first release too); which "
		"ones is found out. What does not match is listed, and nothing is written.\v"
		"Examples:\n"
		"  import-weights deit_tiny_patch16_224-a1311bcf.pth --arch deit-t -o deit-t.h5\n"
		"  import-weights model.safetensors --arch deit-s --classes 100 -o start.h5\n"
		"  import-weights l2.pth --arch pmamba-s --depth 24 --classes 1000 -o l2.h5\n"
		"  import-weights vim_t_midclstok_76p1acc.pth --arch vim-t --classes 1000 \\\n"
		"    --ckpt-key model_ema -o vim.h5\n"
		"  import-weights vim_t_midclstok_ft_78p3acc.pth --arch vim-t-plus -o vim.h5\n"
		"  import-weights vssm1_tiny_0230s_ckpt_epoch_264.pth --arch vmamba-t-s1l8 \\\n"
		"    --ckpt-key model_ema -o vmamba.h5\n",
		0, 0, 0};
	struct options o = {.mlp_ratio = -1, .norm = -1};

	cli_start(&argp, argc, argv, &o, CLI_SEED | CLI_PROVENANCE);
	return cli_end(run(&o));
}
