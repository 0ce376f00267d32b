/* A weights file to safetensors, under the names that PyTorch code expects. */
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/models/convert.h"

enum { KEY_SPELLING = 0x1001, KEY_STRICT };

static const char *const spellings[] = {"public", "timm", "hf", "own", "first", NULL};

struct options {
	const char *in, *out;
	int spelling, strict;
};

static const struct argp_option table[] = {
	{"output", 'o', "FILE", 0, "safetensors file to write; - is standard output", 0},
	{"spelling", KEY_SPELLING, "public|timm|hf|own|first", 0,
		"Names: public (DeiT, MambaOut: timm's; PlainMamba: its code's, backbone.*; "
		"others: "
		"their code's), timm, hf (Hugging Face), own (as in the weights file), first "
		"(VMamba's first release, MambaOut's own code) (default public)",
		0},
	{"strict", KEY_STRICT, 0, 0,
		"Refuse a network with tensors that the public code has not, such as an added "
		"MLP's",
		0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'o':
		o->out = arg;
		return 0;
	case KEY_SPELLING:
		o->spelling = cli_choice(state, "--spelling", arg, spellings);
		return 0;
	case KEY_STRICT:
		o->strict = 1;
		return 0;
	case ARGP_KEY_ARG:
		if (o->in)
			argp_error(state, "'%s': one weights file at a time", arg);
		o->in = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->in || !o->out)
			argp_error(state, "a weights file and --output are needed");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int run(const struct options *o)
{
	const struct export_options export = {spellings[o->spelling], o->strict, cli_say};
	struct h5 *f;
	int status;

	TRY(h5_open(&f, o->in, "weights"));
	status = weights_export(f, &export, o->out);
	h5_close(&f);
	return status;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {table, parse, "WEIGHTS",
		"Writes weights as safetensors, which PyTorch code loads: types stay, attention's "
		"matrices are split where the names want it, and the metadata holds architecture, "
		"settings and content hash. Tensors that the public code has not keep the names "
		"they have "
		"here, which is said.\v"
		"Examples:\n"
		"  export-weights deit-t.h5 --spelling hf -o model.safetensors\n"
		"  export-weights student.h5 -o student.safetensors\n",
		0, 0, 0};
	struct options o = {0};

	cli_start(&argp, argc, argv, &o, 0);
	return cli_end(run(&o));
}
