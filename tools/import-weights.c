/* A checkpoint of a public project (safetensors, .pth) to a weights file. */
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/cli/network_options.h"
#include "lib/io/file_hash.h"
#include "lib/models/convert.h"

#include <ctype.h>
#include <string.h>

enum { KEY_KEY = 0x1001, KEY_FINITE };

struct options {
	const char *in, *arch, *out, *key;
	struct network_options network;
	int check_finite;
};

static const struct argp_option table[] = {
	{"arch", 'a', "NAME", 0, "Architecture; see init-weights --list", 0},
	{"output", 'o', "FILE", 0, "Weights to write; - is standard output", 0},
	{"ckpt-key", KEY_KEY, "NAME", 0,
		"Member of a .pth's dict that holds the weights (default: model, state_dict, "
		"module, model_state_dict or student, or the dict itself)",
		0},
	NETWORK_OPTIONS,
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
	return network_option(&o->network, key, arg, state);
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
		.new_classes = o->network.classes > 0,
		.new_positions = o->network.input || o->network.patch || o->network.frames,
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

	TRY(network_find(o->arch, &config));
	network_options_apply(&o->network, &config);
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
		"TransMamba release, of Vim's code, of VMamba's (its first release too), of "
		"VideoMamba's (images, clips, and the part of its pre-training and retrieval that "
		"sees), of MambaOut's, or of the language model Mamba's; which ones is found out. "
		"Positions of "
		"another grid or other frames are resized, and a head of other classes is drawn "
		"anew, where --input, --patch, --frames or --classes ask for it; whatever else "
		"does not match is listed, and nothing is written.\v"
		"Examples:\n"
		"  import-weights deit_tiny_patch16_224-a1311bcf.pth --arch deit-t -o deit-t.h5\n"
		"  import-weights model.safetensors --arch deit-s --classes 100 -o start.h5\n"
		"  import-weights l2.pth --arch pmamba-s --depth 24 --classes 1000 -o l2.h5\n"
		"  import-weights vim_t_midclstok_76p1acc.pth --arch vim-t --classes 1000 \\\n"
		"    --ckpt-key model_ema -o vim.h5\n"
		"  import-weights vim_t_midclstok_ft_78p3acc.pth --arch vim-t-plus -o vim.h5\n"
		"  import-weights vssm1_tiny_0230s_ckpt_epoch_264.pth --arch vmamba-t-s1l8 \\\n"
		"    --ckpt-key model_ema -o vmamba.h5\n"
		"  import-weights videomamba_m16_in1k_res224.pth --arch videomamba-m -o vm.h5\n"
		"  import-weights videomamba_m16_k400_f16_res224.pth --arch videomamba-m \\\n"
		"    --frames 12 --classes 400 -o clips.h5\n"
		"  import-weights pytorch_model.bin --arch mamba-130m -o mamba.h5\n",
		0, 0, 0};
	struct options o = {0};

	cli_start(&argp, argc, argv, &o, CLI_SEED | CLI_PROVENANCE);
	return cli_end(run(&o));
}
