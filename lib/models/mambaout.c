/*
 * MambaOut (Yu and Wang, 2024): four stages of gated convolutions, a Mamba block without its scan.
 *
 *	x + fc2(gelu(g) [i | conv(c)])		[g | i | c] = fc1(norm(x)), c as wide as x
 *
 * The stem and the step to each further stage are 3 x 3 convolutions of stride 2, each normed. The
 * head norms the mean over tokens, and again between its two layers. mlp_ratio adds an MLP to each
 * block, as TransMamba does to its students. Names are timm's.
 */
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/internal.h"

#include <math.h>
#include <stdio.h>

#define EXPANSION (8.0 / 3)

struct normed_conv {
	struct linear_params conv; /* weight of four axes */
	struct norm_params norm;
};

struct mambaout_block {
	struct norm_params norm;
	struct linear_params fc1, conv, fc2;
	struct mlp_params mlp;
};

struct mambaout {
	struct normed_conv stem[2], downsample[NETWORK_STAGES];
	struct mambaout_block blocks[NETWORK_LAYERS];
	struct norm_params norm, head_norm;
	struct linear_params hidden, head;
};

static const real EPS = (real)1e-6;

static struct linear_params conv_new(
	struct model *m, const char *name, int64_t out, int64_t in, int64_t k)
{
	struct linear_params c;
	char at[96];

	snprintf(at, sizeof(at), "%s.weight", name);
	c.weight = model_param(m, PARAM_DECAY, INIT_NORMAL, 0.02, at, 4, out, in, k, k);
	snprintf(at, sizeof(at), "%s.bias", name);
	c.bias = model_param(m, 0, INIT_ZERO, 0, at, 1, out);
	return c;
}

static void new_block(struct network *n, struct mambaout_block *b, int64_t i)
{
	const struct network_config *c = &n->config;
	int64_t dim = network_layer_dim(c, i), wide = (int64_t)(EXPANSION * dim);
	int64_t hidden = (int64_t)(dim * c->mlp_ratio);
	struct model *m = n->model;
	char prefix[NETWORK_NAME], at[96];

	network_layer_name(c, i, prefix);
#define NAME(what) (snprintf(at, sizeof(at), "%s." what, prefix), at)
	b->norm = norm_new(m, NAME("norm"), dim);
	b->fc1 = linear_new(m, &init_normal02, NAME("fc1"), 2 * wide, dim, 1);
	b->conv = conv_new(m, NAME("conv"), dim, 1, c->kernel);
	b->fc2 = linear_new(m, &init_normal02, NAME("fc2"), dim, wide, 1);
	if (!hidden)
		return;
	b->mlp.eps = EPS;
	b->mlp.norm = norm_new(m, NAME("norm2"), dim);
	b->mlp.fc1 = linear_new(m, &init_normal02, NAME("mlp.fc1"), hidden, dim, 1);
	b->mlp.fc2 = linear_new(m, &init_normal02, NAME("mlp.fc2"), dim, hidden, 1);
#undef NAME
}

static int first_of_stage(const struct network_config *c, int64_t i)
{
	return i > 0 && network_stage(c, i) != network_stage(c, i - 1);
}

static void new_downsample(struct network *n, struct normed_conv *d, int64_t i)
{
	const struct network_config *c = &n->config;
	int64_t from = network_layer_dim(c, i - 1), to = network_layer_dim(c, i);
	char at[64];

#define NAME(what)                                                                                 \
	(snprintf(at, sizeof(at), "stages.%d.downsample." what, (int)network_stage(c, i)), at)
	d->conv = conv_new(n->model, NAME("conv"), to, from, 3);
	d->norm = norm_new(n->model, NAME("norm"), to);
#undef NAME
}

int mambaout_new(struct network *n)
{
	const struct network_config *c = &n->config;
	struct mambaout *s = n->params = memory_new(1, sizeof(*s));
	int64_t width = network_out_dim(c);
	struct model *m = n->model;

	if (!s)
		return STATUS_SYSTEM;
	s->stem[0].conv = conv_new(m, "stem.conv1", c->dim / 2, 3, 3);
	s->stem[0].norm = norm_new(m, "stem.norm1", c->dim / 2);
	s->stem[1].conv = conv_new(m, "stem.conv2", c->dim, c->dim / 2, 3);
	s->stem[1].norm = norm_new(m, "stem.norm2", c->dim);
	for (int64_t i = 0; i < c->depth; i++) {
		if (first_of_stage(c, i))
			new_downsample(n, &s->downsample[network_stage(c, i)], i);
		new_block(n, &s->blocks[i], i);
	}
	s->norm = norm_new(m, "head.norm", width);
	s->hidden = linear_new(m, &init_normal02, "head.pre_logits.fc", 4 * width, width, 1);
	s->head_norm = norm_new(m, "head.pre_logits.norm", 4 * width);
	s->head = linear_new(m, &init_normal02, "head.fc", c->classes, 4 * width, 1);
	return 0;
}

/* Pixels or tokens (B, side, side, C) -> (B, half * half, C'), normed. */
static tensor halve(struct program *p, const struct normed_conv *d, tensor x)
{
	tensor y = conv2d(
		p, x, program_param(p, d->conv.weight), program_param(p, d->conv.bias), 2, 1);

	if (program_failed(p))
		return y;
	program_reshape(
		p, y, 3, (int64_t[]){y->shape[0], y->shape[1] * y->shape[2], tensor_last(y)});
	return norm_call(p, &d->norm, y, EPS);
}

/* Tokens of a grid of this side, for the time of a call. */
static tensor halve_tokens(struct program *p, const struct normed_conv *d, tensor x, int64_t side)
{
	int64_t B = x->shape[0], C = tensor_last(x);
	tensor y = halve(p, d, program_reshape(p, x, 4, (int64_t[]){B, side, side, C}));

	program_reshape(p, x, 3, (int64_t[]){B, side * side, C}); /* as taps show it */
	return y;
}

/* The branch of x (B, L, C), not yet added. */
static tensor gated_conv(struct program *p, const struct mambaout_block *b, tensor x, int64_t side)
{
	int64_t dim = tensor_last(x), wide = tensor_last(program_param(p, b->fc2.weight));
	tensor part[3];

	split(p, linear_call(p, &b->fc1, norm_call(p, &b->norm, x, EPS)), 3,
		(int64_t[]){wide, wide - dim, dim}, part);
	part[2] = dwconv2d(p, part[2], side, side, program_param(p, b->conv.weight),
		program_param(p, b->conv.bias));
	return linear_call(p, &b->fc2, gate_join(p, gelu(p, part[0]), part[1], part[2]));
}

static tensor block(const struct network *n, struct program *p, int64_t i, tensor x,
	const struct network_want *want, struct network_out *out)
{
	const struct network_config *c = &n->config;
	const struct mambaout_block *b = &((struct mambaout *)n->params)->blocks[i];
	real drop = block_drop_path(c, i);
	tensor o = gated_conv(p, b, x, network_layer_grid(c, i));

	x = residual(p, x, o, drop, 2 * (int)i);
	/* one direction, whose contribution is the branch */
	out->taps[i] = want->tap == TAP_BRANCH ? o : x;
	if (b->mlp.fc1.weight)
		x = residual(p, x, mlp_call(p, &b->mlp, x), drop, 2 * (int)i + 1);
	if (want->tap == TAP_STREAM)
		out->taps[i] = x;
	if (want->layer_means)
		out->means[i] = mean_tokens(p, x);
	return x;
}

static void finish(const struct network *n, struct program *p, tensor x,
	const struct network_want *want, struct network_out *out)
{
	const struct mambaout *s = n->params;

	program_scope(p, "head");
	out->last = out->tokens = x;
	out->pooled = norm_call(p, &s->norm, mean_tokens(p, x), EPS);
	if (!want->no_head)
		out->logits = linear_call(p, &s->head,
			norm_call(p, &s->head_norm,
				gelu(p, linear_call(p, &s->hidden, out->pooled)), EPS));
}

void mambaout_build(struct network *n, struct program *p, tensor image,
	const struct network_want *want, struct network_out *out)
{
	const struct network_config *c = &n->config;
	const struct mambaout *s = n->params;
	char name[NETWORK_NAME];
	tensor x;

	if (want->tap == TAP_INNER) {
		program_refuse(p, "%s has no scan to look at: another tap", c->arch);
		return;
	}
	program_scope(p, "stem");
	x = gelu(p, halve(p, &s->stem[0], image));
	x = halve_tokens(p, &s->stem[1], x, (c->image + 1) / 2);
	for (int64_t i = 0; i < c->depth && !program_failed(p); i++) {
		network_layer_name(c, i, name);
		program_scope(p, "%s", name);
		if (first_of_stage(c, i))
			x = halve_tokens(p, &s->downsample[network_stage(c, i)], x,
				network_layer_grid(c, i - 1));
		if (!program_failed(p))
			x = block(n, p, i, x, want, out);
	}
	finish(n, p, x, want, out);
	program_scope(p, "%s", "");
}
