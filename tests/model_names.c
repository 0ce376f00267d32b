/*
 * Parameters' names, shapes and weight decay in every family, and names of calls. For the names of
 * public checkpoints see model_goldens.c.
 */
#include "lib/models/language.h"
#include "tests/tap.h"

struct entry {
	const char *name;
	int dims;
	int64_t shape[5];
	int decays;
};

/* PMamba-T as published; layers.1 stands for every layer. */
static const struct entry entries[] = {
	{"pos_embed", 3, {1, 196, 192}, 0},
	{"patch_embed.stem.0.weight", 4, {64, 3, 7, 7}, 1},
	{"patch_embed.stem.1.weight", 1, {64}, 0},
	{"patch_embed.stem.1.bias", 1, {64}, 0},
	{"patch_embed.stem.1.running_mean", 1, {64}, 0},
	{"patch_embed.stem.1.running_var", 1, {64}, 0},
	{"patch_embed.stem.1.num_batches_tracked", 0, {0}, 0},
	{"patch_embed.convs.0.weight", 4, {64, 64, 3, 3}, 1},
	{"patch_embed.convs.1.weight", 1, {64}, 0},
	{"patch_embed.convs.3.weight", 4, {64, 64, 3, 3}, 1},
	{"patch_embed.convs.4.running_var", 1, {64}, 0},
	{"patch_embed.projection.weight", 4, {192, 64, 8, 8}, 1},
	{"patch_embed.projection.bias", 1, {192}, 0},
	{"layers.1.norm.weight", 1, {192}, 0},
	{"layers.1.norm.bias", 1, {192}, 0},
	{"layers.1.mamba.in_proj.weight", 2, {768, 192}, 1},
	{"layers.1.mamba.in_proj.bias", 1, {768}, 0},
	{"layers.1.mamba.conv2d.weight", 4, {384, 1, 7, 7}, 1},
	{"layers.1.mamba.conv2d.bias", 1, {384}, 0},
	{"layers.1.mamba.x_proj.weight", 2, {44, 384}, 1},
	{"layers.1.mamba.dt_proj.weight", 2, {384, 12}, 1},
	{"layers.1.mamba.dt_proj.bias", 1, {384}, 0},
	{"layers.1.mamba.A_log", 2, {384, 16}, 0},
	{"layers.1.mamba.D", 1, {384}, 0},
	{"layers.1.mamba.direction_Bs", 2, {5, 16}, 0},
	{"layers.1.mamba.out_proj.weight", 2, {192, 384}, 1},
	{"layers.1.mamba.out_proj.bias", 1, {192}, 0},
	{"ln1.weight", 1, {192}, 0},
	{"ln1.bias", 1, {192}, 0},
	{"head.fc.weight", 2, {100, 192}, 1},
	{"head.fc.bias", 1, {100}, 0},
};

/* VMamba as the TransMamba release has it; block 1 of stage 2 stands for all. */
static const struct entry vmamba_entries[] = {
	{"patch_embed.0.weight", 4, {128, 3, 4, 4}, 1},
	{"patch_embed.0.bias", 1, {128}, 0},
	{"patch_embed.2.weight", 1, {128}, 0},
	{"layers.1.blocks.0.norm.weight", 1, {256}, 0},
	{"layers.2.blocks.1.op.x_proj_weight", 3, {4, 32 + 32, 1024}, 1},
	{"layers.2.blocks.1.op.dt_projs_weight", 3, {4, 1024, 32}, 1},
	{"layers.2.blocks.1.op.dt_projs_bias", 2, {4, 1024}, 0},
	{"layers.2.blocks.1.op.A_logs", 2, {4096, 16}, 0},
	{"layers.2.blocks.1.op.Ds", 1, {4096}, 0},
	{"layers.2.blocks.1.op.in_proj.weight", 2, {2048, 512}, 1},
	{"layers.2.blocks.1.op.conv2d.weight", 4, {1024, 1, 3, 3}, 1},
	{"layers.2.blocks.1.op.conv2d.bias", 1, {1024}, 0},
	{"layers.2.blocks.1.op.out_norm.weight", 1, {1024}, 0},
	{"layers.2.blocks.1.op.out_proj.weight", 2, {512, 1024}, 1},
	{"layers.2.blocks.8.op.out_proj.weight", 2, {512, 1024}, 1},
	{"layers.3.blocks.1.op.out_proj.weight", 2, {1024, 2048}, 1},
	{"layers.0.downsample.norm.weight", 1, {512}, 0},
	{"layers.2.downsample.reduction.weight", 2, {1024, 2048}, 1},
	{"classifier.norm.weight", 1, {1024}, 0},
	{"classifier.head.weight", 2, {100, 1024}, 1},
	{"classifier.head.bias", 1, {100}, 0},
};

static int entry_fits(const struct network *n, const struct entry *e)
{
	const struct param *p = model_find(n->model, e->name);

	if (!p || p->dims != e->dims || !(p->flags & PARAM_DECAY) != !e->decays)
		return 0;
	return !memcmp(p->shape, e->shape, e->dims * sizeof(*e->shape));
}

static void check_names(void)
{
	struct network_config c;
	struct network *n;

	network_find("pmamba-t", &c);
	network_new(&n, &c, NULL);
	ok(n->model->count == 193, "pmamba-t has 193 entries");
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		ok(entry_fits(n, &entries[i]), "pmamba-t: %s", entries[i].name);
	network_free(n);
	c.mlp_ratio = 4;
	c.decay_all = 1;
	network_new(&n, &c, NULL);
	ok(n->model->count == 193 + 12 * 6, "the added MLP: six entries a layer");
	ok(entry_fits(n, &(struct entry){"layers.11.mlp.fc1.weight", 2, {768, 192}, 1}) &&
			entry_fits(
				n, &(struct entry){"layers.11.mlp.fc2.weight", 2, {192, 768}, 1}) &&
			entry_fits(n, &(struct entry){"layers.11.norm2.bias", 1, {192}, 0}),
		"its shapes");
	ok(entry_fits(n, &(struct entry){"pos_embed", 3, {1, 196, 192}, 1}) &&
			entry_fits(n, &(struct entry){"layers.3.mamba.A_log", 2, {384, 16}, 1}) &&
			entry_fits(
				n, &(struct entry){"layers.3.mamba.direction_Bs", 2, {5, 16}, 1}) &&
			entry_fits(n, &(struct entry){"layers.3.mamba.D", 1, {384}, 0}),
		"the release's rule of decay");
	network_free(n);
}

static void check_deit_names(void)
{
	static const struct entry some[] = {
		{"cls_token", 3, {1, 1, 192}, 0},
		{"dist_token", 3, {1, 1, 192}, 0},
		{"pos_embed", 3, {1, 198, 192}, 0},
		{"patch_embed.proj.weight", 4, {192, 3, 16, 16}, 1},
		{"patch_embed.proj.bias", 1, {192}, 0},
		{"blocks.11.norm1.weight", 1, {192}, 0},
		{"blocks.11.attn.qkv.weight", 2, {576, 192}, 1},
		{"blocks.11.attn.qkv.bias", 1, {576}, 0},
		{"blocks.11.attn.proj.weight", 2, {192, 192}, 1},
		{"blocks.11.norm2.bias", 1, {192}, 0},
		{"blocks.11.mlp.fc1.weight", 2, {768, 192}, 1},
		{"blocks.11.mlp.fc2.weight", 2, {192, 768}, 1},
		{"norm.weight", 1, {192}, 0},
		{"head.weight", 2, {1000, 192}, 1},
		{"head_dist.bias", 1, {1000}, 0},
	};
	struct network_config c;
	struct network *n;

	network_find("deit-t-distilled", &c);
	network_new(&n, &c, NULL);
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		ok(entry_fits(n, &some[i]), "deit-t-distilled: %s", some[i].name);
	network_free(n);
}

/* ViM-T as published; layers.1 stands for every layer. */
static const struct entry vim_entries[] = {
	{"cls_token", 3, {1, 1, 192}, 0},
	{"pos_embed", 3, {1, 197, 192}, 0},
	{"patch_embed.proj.weight", 4, {192, 3, 16, 16}, 1},
	{"patch_embed.proj.bias", 1, {192}, 0},
	{"layers.1.norm.weight", 1, {192}, 0},
	{"layers.1.mixer.in_proj.weight", 2, {768, 192}, 1},
	{"layers.1.mixer.conv1d.weight", 3, {384, 1, 4}, 1},
	{"layers.1.mixer.conv1d.bias", 1, {384}, 0},
	{"layers.1.mixer.conv1d_b.weight", 3, {384, 1, 4}, 1},
	{"layers.1.mixer.conv1d_b.bias", 1, {384}, 0},
	{"layers.1.mixer.x_proj.weight", 2, {44, 384}, 1},
	{"layers.1.mixer.x_proj_b.weight", 2, {44, 384}, 1},
	{"layers.1.mixer.dt_proj.weight", 2, {384, 12}, 1},
	{"layers.1.mixer.dt_proj.bias", 1, {384}, 0},
	{"layers.1.mixer.dt_proj_b.weight", 2, {384, 12}, 1},
	{"layers.1.mixer.dt_proj_b.bias", 1, {384}, 0},
	{"layers.1.mixer.A_log", 2, {384, 16}, 0},
	{"layers.1.mixer.A_b_log", 2, {384, 16}, 0},
	{"layers.1.mixer.D", 1, {384}, 0},
	{"layers.1.mixer.D_b", 1, {384}, 0},
	{"layers.1.mixer.out_proj.weight", 2, {192, 384}, 1},
	{"norm_f.weight", 1, {192}, 0},
	{"head.weight", 2, {100, 192}, 1},
	{"head.bias", 1, {100}, 0},
};

static void check_vim_added(struct network_config c)
{
	struct network *n;

	network_add_mlp(&c, 4);
	c.decay_all = 1;
	network_new(&n, &c, NULL);
	ok(n->model->count == 415 + 24 * 7 + 1, "the added MLP: six entries a layer, and biases");
	ok(entry_fits(n, &(struct entry){"layers.23.norm.bias", 1, {192}, 0}) &&
			entry_fits(n, &(struct entry){"layers.23.norm2.weight", 1, {192}, 0}) &&
			entry_fits(
				n, &(struct entry){"layers.23.mlp.fc1.weight", 2, {768, 192}, 1}) &&
			entry_fits(n, &(struct entry){"norm_f.bias", 1, {192}, 0}),
		"its shapes");
	/* timm's optimiser passes over the marks, and heeds the network's own list */
	ok(entry_fits(n, &(struct entry){"layers.3.mixer.A_log", 2, {384, 16}, 1}) &&
			entry_fits(n, &(struct entry){"layers.3.mixer.A_b_log", 2, {384, 16}, 1}) &&
			entry_fits(n, &(struct entry){"layers.3.mixer.D_b", 1, {384}, 0}) &&
			entry_fits(n, &(struct entry){"pos_embed", 3, {1, 197, 192}, 0}) &&
			entry_fits(n, &(struct entry){"cls_token", 3, {1, 1, 192}, 0}),
		"the release's rule of decay");
	network_free(n);
}

static void check_vim_names(void)
{
	struct network_config c;
	struct network *n;

	network_find("vim-t", &c);
	ok(c.depth == 24 && network_class_index(&c) == 98, "vim-t: 24 layers, cls at 98 of 197");
	network_new(&n, &c, NULL);
	ok(n->model->count == 415, "vim-t has 415 entries");
	for (size_t i = 0; i < sizeof(vim_entries) / sizeof(vim_entries[0]); i++)
		ok(entry_fits(n, &vim_entries[i]), "vim-t: %s", vim_entries[i].name);
	network_free(n);
	check_vim_added(c);
	for (int i = 0; i < 2; i++) {
		network_find(i ? "vim-s-plus" : "vim-t-plus", &c);
		network_new(&n, &c, NULL);
		ok(entry_fits(n, &(struct entry){"pos_embed", 3, {1, 730, i ? 384 : 192}, 0}) &&
				network_class_index(&c) == 364,
			"%s: 730 positions, cls at 364", c.arch);
		network_free(n);
	}
}

/* VideoMamba-M on clips of twelve frames; the mixer is ViM's. */
static void check_videomamba_names(void)
{
	static const struct entry some[] = {
		{"cls_token", 3, {1, 1, 576}, 0},
		{"pos_embed", 3, {1, 197, 576}, 0},
		{"temporal_pos_embedding", 3, {1, 12, 576}, 0},
		{"patch_embed.proj.weight", 5, {576, 3, 1, 16, 16}, 1},
		{"patch_embed.proj.bias", 1, {576}, 0},
		{"layers.31.norm.weight", 1, {576}, 0},
		{"layers.31.mixer.in_proj.weight", 2, {2304, 576}, 1},
		{"layers.31.mixer.x_proj_b.weight", 2, {36 + 32, 1152}, 1},
		{"layers.31.mixer.dt_proj.weight", 2, {1152, 36}, 1},
		{"layers.31.mixer.A_b_log", 2, {1152, 16}, 1}, /* as its optimiser has it */
		{"layers.31.mixer.D_b", 1, {1152}, 0},
		{"norm_f.weight", 1, {576}, 0},
		{"head.weight", 2, {1000, 576}, 1},
	};
	struct network_config c;
	struct network *n;

	network_find("videomamba-m", &c);
	ok(network_class_index(&c) == 0 && network_tokens(&c) == 197 && c.depth == 32,
		"videomamba-m: cls at 0 of 197");
	network_new(&n, &c, NULL);
	ok(n->model->count == 7 + 32 * 17 && !model_find(n->model, "temporal_pos_embedding") &&
			entry_fits(n, &(struct entry){"patch_embed.proj.weight", 4,
					      {576, 3, 16, 16}, 1}) &&
			entry_fits(n, &(struct entry){"layers.3.mixer.A_log", 2, {1152, 16}, 0}),
		"of images: 551 entries, patches of four axes, no positions of frames");
	network_free(n);
	c.frames = 12;
	c.decay_all = 1;
	network_new(&n, &c, NULL);
	ok(n->model->count == 8 + 32 * 17 && network_tokens(&c) == 2353,
		"of clips: one entry more, 2,353 tokens");
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		ok(entry_fits(n, &some[i]), "videomamba-m: %s", some[i].name);
	network_free(n);
}

static void check_vmamba_names(void)
{
	/* what is decayed by the release's optimiser alone: a step's bias has two axes here */
	static const struct entry released[] = {
		{"layers.2.blocks.1.op.dt_projs_bias", 2, {4, 1024}, 1},
		{"layers.2.blocks.1.op.A_logs", 2, {4096, 16}, 1},
		{"layers.2.blocks.1.op.Ds", 1, {4096}, 0},
		{"layers.2.blocks.1.op.conv2d.bias", 1, {1024}, 0},
		{"layers.2.blocks.1.op.out_norm.weight", 1, {1024}, 0},
	};
	struct network_config c;
	struct network *n;

	network_find("vmamba-t", &c);
	network_new(&n, &c, NULL);
	ok(n->model->count == 212, "vmamba-t has 212 entries");
	for (size_t i = 0; i < sizeof(vmamba_entries) / sizeof(vmamba_entries[0]); i++)
		ok(entry_fits(n, &vmamba_entries[i]), "vmamba-t: %s", vmamba_entries[i].name);
	ok(!model_find(n->model, "layers.3.downsample.norm.weight") &&
			!model_find(n->model, "layers.0.blocks.2.norm.weight"),
		"nothing after the last stage, and no third block in the first");
	network_free(n);
	c.decay_all = 1;
	network_new(&n, &c, NULL);
	for (size_t i = 0; i < sizeof(released) / sizeof(released[0]); i++)
		ok(entry_fits(n, &released[i]), "the release's rule of decay: %s",
			released[i].name);
	network_free(n);
}

/* Mamba, the language model, as published; layers.1 stands for every layer. */
static void check_mamba_names(void)
{
	static const struct entry some[] = {
		{"backbone.embedding.weight", 2, {50280, 768}, 1},
		{"backbone.layers.1.norm.weight", 1, {768}, 0},
		{"backbone.layers.1.mixer.in_proj.weight", 2, {3072, 768}, 1},
		{"backbone.layers.1.mixer.conv1d.weight", 3, {1536, 1, 4}, 1},
		{"backbone.layers.1.mixer.conv1d.bias", 1, {1536}, 0},
		{"backbone.layers.1.mixer.x_proj.weight", 2, {80, 1536}, 1},
		{"backbone.layers.1.mixer.dt_proj.weight", 2, {1536, 48}, 1},
		{"backbone.layers.1.mixer.dt_proj.bias", 1, {1536}, 0},
		{"backbone.layers.1.mixer.A_log", 2, {1536, 16}, 0},
		{"backbone.layers.1.mixer.D", 1, {1536}, 0},
		{"backbone.layers.1.mixer.out_proj.weight", 2, {768, 1536}, 1},
		{"backbone.norm_f.weight", 1, {768}, 0},
	};
	struct network_config c;
	struct network *n;

	network_find("mamba-130m", &c);
	network_new(&n, &c, NULL);
	ok(n->model->count == 242, "mamba-130m has 242 entries, the head not among them");
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		ok(entry_fits(n, &some[i]), "mamba-130m: %s", some[i].name);
	network_free(n);
}

/* Calls are called after the parameters that they use: a tensor's name is a prefix of theirs. */
static void check_scopes(const struct network_config *c)
{
	struct program *p = program_new(PROGRAM_EVAL);
	struct network_want want = {.tap = TAP_STREAM};
	struct network_out out;
	struct network *n;
	int bad = 0;

	network_new(&n, c, NULL);
	if (network_reads_tokens(c))
		network_build_tokens(n, p, program_input(p, "ids", TYPE_I32, 2, (int64_t[]){1, 3}),
			NULL, &want, &out);
	else
		network_build(n, p,
			program_input(
				p, "image", TYPE_REAL, 4, (int64_t[]){1, c->image, c->image, 3}),
			&want, &out);
	for (int i = 0; i < c->depth; i++) {
		size_t length = strlen(out.taps[i]->name);
		int found = 0;

		for (int j = 0; j < n->model->count; j++)
			found += !strncmp(n->model->params[j]->name, out.taps[i]->name, length);
		if (!length || !found)
			diag("%s has no parameters", out.taps[i]->name);
		bad += !length || !found;
	}
	ok(!bad, "%s: calls are called after their parameters", c->arch);
	program_free(p);
	network_free(n);
}

int main(void)
{
	check_names();
	check_deit_names();
	check_vim_names();
	check_videomamba_names();
	check_vmamba_names();
	check_mamba_names();
	for (int i = 0; network_at(i); i++)
		if (strstr(network_at(i)->arch, "micro"))
			check_scopes(network_at(i));
	return done();
}
