/*
 * Vision Mamba (Zhu et al., 2024): patches, a class token in the middle, blocks x + Mix(RMS(x)).
 *
 * A mixer scans the tokens in both directions, each with parameters of its own and a causal
 * convolution that looks against its direction; the gated outputs are averaged. With layer_norm all
 * norms are LayerNorms, and mlp_ratio adds an MLP: what TransMamba changes in a student. Names,
 * order and first values are upstream's: the backward step's bias starts at 0, out_proj is scaled
 * down by the root of the depth.
 */
#include "kernels/dwconv1d.h"
#include "kernels/orders.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DIRECTIONS 2

/* Of one direction of one mixer. */
struct path {
	struct param *conv, *conv_bias, *x_proj, *dt, *dt_bias, *A_log, *D;
};

struct vim_layer {
	struct norm_params norm;
	struct linear_params in_proj, out_proj;
	struct path paths[DIRECTIONS];
	struct mlp_params mlp;
};

struct vim {
	struct param *cls, *pos;
	struct linear_params patch; /* weight of four axes */
	struct vim_layer layers[NETWORK_LAYERS];
	struct norm_params norm;
	struct linear_params head;
};

static const real EPS_BLOCK = (real)1e-5, EPS_ADDED = (real)1e-6;

static int64_t rank_of(const struct network_config *c)
{
	return (c->dim + 15) / 16;
}

static void new_embedding(struct network *n, struct vim *v)
{
	const struct network_config *c = &n->config;
	int64_t L = network_grid(c) * network_grid(c), k = c->patch;
	/* LeCun's, corrected for a truncation that timm does not make */
	double deviation = 1 / 0.87962566103423978 / sqrt(3.0 * k * k);
	struct model *m = n->model;

	v->cls = model_param(
		m, 0, INIT_NORMAL, 0.02, "cls_token", 3, (int64_t)1, (int64_t)1, c->dim);
	v->pos = model_param(m, 0, INIT_NORMAL, 0.02, "pos_embed", 3, (int64_t)1, L + 1, c->dim);
	v->patch.weight = model_param(m, PARAM_DECAY, INIT_NORMAL, deviation,
		"patch_embed.proj.weight", 4, c->dim, (int64_t)3, k, k);
	v->patch.bias = model_param(m, 0, INIT_ZERO, 0, "patch_embed.proj.bias", 1, c->dim);
	v->head = linear_new(m, &init_normal02, "head", c->classes, c->dim, 1);
}

/* An RMS norm has no bias. */
static struct norm_params new_norm(struct network *n, const char *prefix)
{
	char name[160];
	struct norm_params norm = {NULL, NULL};

	if (n->config.layer_norm)
		return norm_new(n->model, prefix, n->config.dim);
	snprintf(name, sizeof(name), "%s.weight", prefix);
	norm.weight = model_param(n->model, 0, INIT_ONE, 0, name, 1, n->config.dim);
	return norm;
}

/* layers.i.mixer.NAME of direction k, under the backward direction's own names */
static const char *path_name(char at[96], int i, int k, const char *forward, const char *backward)
{
	snprintf(at, 96, "layers.%d.mixer.%s", i, k ? backward : forward);
	return at;
}

/* Upstream marks A_log as free of decay, and its optimiser decays it all the same. */
static void new_decay(struct network *n, struct path *a, int i, int k)
{
	const struct network_config *c = &n->config;
	int64_t E = c->expand * c->dim;
	char at[96];

	a->A_log = model_param(n->model, c->decay_all ? PARAM_DECAY : 0, INIT_A_LOG, 0,
		path_name(at, i, k, "A_log", "A_b_log"), 2, E, c->state);
	a->D = model_param(n->model, 0, INIT_ONE, 0, path_name(at, i, k, "D", "D_b"), 1, E);
}

static void new_path(struct network *n, struct path *a, int i, int k)
{
	const struct network_config *c = &n->config;
	int64_t E = c->expand * c->dim, R = rank_of(c), N = c->state, W = DWCONV1D_WIDTH;
	double bound = 1 / sqrt((double)W);
	struct model *m = n->model;
	char at[96];

#define NAME(what, tail) path_name(at, i, k, what tail, what "_b" tail)
	a->conv = model_param(m, PARAM_DECAY, INIT_UNIFORM, bound, NAME("conv1d", ".weight"), 3, E,
		(int64_t)1, W);
	a->conv_bias = model_param(m, 0, INIT_UNIFORM, bound, NAME("conv1d", ".bias"), 1, E);
	a->x_proj = model_param(m, PARAM_DECAY, INIT_UNIFORM, 1 / sqrt((double)E),
		NAME("x_proj", ".weight"), 2, R + 2 * N, E);
	a->dt = model_param(m, PARAM_DECAY, INIT_UNIFORM, 1 / sqrt((double)R),
		NAME("dt_proj", ".weight"), 2, E, R);
	a->dt_bias =
		model_param(m, 0, k ? INIT_ZERO : INIT_DT_BIAS, 0, NAME("dt_proj", ".bias"), 1, E);
#undef NAME
}

static void new_layer(struct network *n, struct vim_layer *l, int i)
{
	const struct network_config *c = &n->config;
	int64_t E = c->expand * c->dim, hidden = (int64_t)(c->dim * c->mlp_ratio);
	struct model *m = n->model;
	char at[96];

#define NAME(what) (snprintf(at, sizeof(at), "layers.%d." what, i), at)
	for (int k = 0; k < DIRECTIONS; k++)
		new_decay(n, &l->paths[k], i, k);
	l->in_proj = linear_new(m, &init_library, NAME("mixer.in_proj"), 2 * E, c->dim, 0);
	for (int k = 0; k < DIRECTIONS; k++)
		new_path(n, &l->paths[k], i, k);
	l->out_proj.weight = model_param(m, PARAM_DECAY, INIT_UNIFORM,
		1 / sqrt((double)E * c->depth), NAME("mixer.out_proj.weight"), 2, c->dim, E);
	l->norm = new_norm(n, NAME("norm"));
	if (!hidden)
		return;
	l->mlp.eps = EPS_ADDED;
	l->mlp.norm = norm_new(m, NAME("norm2"), c->dim);
	l->mlp.fc1 = linear_new(m, &init_normal02, NAME("mlp.fc1"), hidden, c->dim, 1);
	l->mlp.fc2 = linear_new(m, &init_normal02, NAME("mlp.fc2"), c->dim, hidden, 1);
#undef NAME
}

int vim_new(struct network *n)
{
	struct vim *v = n->params = memory_new(1, sizeof(*v));

	if (!v)
		return STATUS_SYSTEM;
	new_embedding(n, v);
	for (int i = 0; i < n->config.depth; i++)
		new_layer(n, &v->layers[i], i);
	v->norm = new_norm(n, "norm_f");
	return 0;
}

static tensor any_norm(struct program *p, const struct norm_params *n, tensor x, real eps)
{
	return n->bias ? norm_call(p, n, x, eps) : rmsnorm(p, x, program_param(p, n->weight), eps);
}

/* Patches that overlap are a convolution; the class token goes into the middle, then positions. */
static tensor embed(const struct network *n, struct program *p, tensor image)
{
	const struct network_config *c = &n->config;
	const struct vim *v = n->params;
	int64_t L = network_grid(c) * network_grid(c);
	tensor x;

	program_scope(p, "patch_embed");
	if (network_stride(c) == c->patch)
		x = linear_call(p, &v->patch, patches(p, image, c->patch));
	else
		x = program_reshape(p,
			conv2d(p, image, program_param(p, v->patch.weight),
				program_param(p, v->patch.bias), network_stride(c), 0),
			3, (int64_t[]){image->shape[0], L, c->dim});
	x = insert_token(p, x, program_param(p, v->cls), network_class_index(c));
	return add_rows(p, x, program_param(p, v->pos));
}

/* x (B, L, E) scanned in one direction, not yet gated: (B, L, E). */
static tensor scan(const struct network *n, struct program *p, const struct path *a, tensor x,
	const struct scan_settings *s)
{
	const struct network_config *c = &n->config;
	int backward = s->order != NULL;
	tensor u = dwconv1d_silu(
		p, x, program_param(p, a->conv), program_param(p, a->conv_bias), backward, NULL);
	tensor part[3], r;

	split(p, linear(p, u, program_param(p, a->x_proj), NULL, 1), 3,
		(int64_t[]){rank_of(c), c->state, c->state}, part);
	r = linear(p, part[0], program_param(p, a->dt), NULL, 1);
	return selective_scan(p, s, u, r, program_param(p, a->dt_bias), program_param(p, a->A_log),
		part[1], part[2], program_param(p, a->D), NULL, NULL);
}

/*
 * Half the sum of the gated scans, before the projection: (B, L, E), or with the directions apart
 * half of each, (B, K, L, E), so that they add up to the same.
 */
static tensor both_scans(const struct network *n, struct program *p, const struct vim_layer *l,
	tensor xn, const struct scan_settings *s, int apart)
{
	int64_t E = n->config.expand * n->config.dim;
	tensor x = linear(p, xn, program_param_rows(p, l->in_proj.weight, 0, E), NULL, 1);
	tensor z = linear(p, xn, program_param_rows(p, l->in_proj.weight, E, E), NULL, 1);
	tensor y[DIRECTIONS], stacked;

	for (int k = 0; k < DIRECTIONS; k++)
		y[k] = scan(n, p, &l->paths[k], x, &s[k]);
	if (!apart)
		return gate(p, mean_of_two(p, y[0], y[1]), z);
	stacked = concat_tokens(p, DIRECTIONS, y, (real)0.5);
	return gate(p,
		program_reshape(
			p, stacked, 4, (int64_t[]){x->shape[0], DIRECTIONS, x->shape[1], E}),
		z);
}

/* x -> x + mean over directions; *tap gets what distillation looks at. */
static tensor mix(const struct network *n, struct program *p, int i, tensor x,
	const struct scan_settings *s, const struct network_want *want, tensor *tap)
{
	const struct vim_layer *l = &((struct vim *)n->params)->layers[i];
	int apart = want->tap != TAP_NONE && want->tap != TAP_STREAM;
	real drop = block_drop_path(&n->config, i);
	tensor y = both_scans(n, p, l, any_norm(p, &l->norm, x, EPS_BLOCK), s, apart);
	tensor o = linear_call(p, &l->out_proj, y);

	if (!apart)
		return residual(p, x, o, drop, 2 * i);
	*tap = want->tap == TAP_RESID	 ? tap_resid(p, x, o, DIRECTIONS)
	       : want->tap == TAP_BRANCH ? o
					 : y;
	if (want->merged)
		*tap = mean_directions(p, *tap);
	return merge_directions(p, x, o, drop, 2 * i);
}

static void finish(const struct network *n, struct program *p, tensor x,
	const struct network_want *want, struct network_out *out)
{
	const struct vim *v = n->params;

	program_scope(p, "head");
	out->last = x;
	out->tokens = any_norm(p, &v->norm, x, n->config.layer_norm ? EPS_ADDED : EPS_BLOCK);
	out->pooled = token_at(p, out->tokens, network_class_index(&n->config));
	if (!want->no_head)
		out->logits = linear_call(p, &v->head, out->pooled);
}

static void build_layers(struct network *n, struct program *p, tensor x,
	const struct scan_settings *s, const struct network_want *want, struct network_out *out)
{
	const struct network_config *c = &n->config;
	const struct vim *v = n->params;

	for (int i = 0; i < c->depth; i++) {
		program_scope(p, "layers.%d.mixer", i);
		x = mix(n, p, i, x, s, want, &out->taps[i]);
		program_scope(p, "layers.%d.mlp", i);
		if (c->mlp_ratio > 0)
			x = residual(p, x, mlp_call(p, &v->layers[i].mlp, x), block_drop_path(c, i),
				2 * i + 1);
		if (want->tap == TAP_STREAM)
			out->taps[i] = x;
		if (want->layer_means)
			out->means[i] = mean_tokens(p, x);
	}
	finish(n, p, x, want, out);
	program_scope(p, "%s", "");
}

void vim_build(struct network *n, struct program *p, tensor image, const struct network_want *want,
	struct network_out *out)
{
	tensor x = embed(n, p, image);
	int64_t L = network_grid(&n->config) * network_grid(&n->config) + 1;
	int32_t *order = memory_new(DIRECTIONS * L, sizeof(*order));

	if (!order) {
		program_refuse(p, "out of memory for the scan's orders");
		return;
	}
	order_fill(ORDER_BOTH, 1, L, order, NULL);
	build_layers(n, p, x,
		(const struct scan_settings[]){
			{1, 1, 1, 1, NULL, NULL}, {1, 1, 1, 1, order + L, NULL}},
		want, out);
	free(order);
}
