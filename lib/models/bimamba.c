/*
 * Blocks x + Mix(norm(x)) whose mixer scans the tokens in both directions: of ViM and VideoMamba.
 *
 * Each direction has parameters of its own and a causal convolution that looks against it; both
 * scans are gated alike and their sum, or its half, is projected. With layer_norm all norms are
 * LayerNorms, and mlp_ratio adds an MLP: what TransMamba changes in a student. Names, order and
 * first values are upstream's: out_proj is scaled down by the root of the depth.
 */
#include "kernels/dwconv1d.h"
#include "kernels/orders.h"
#include "lib/base/memory.h"
#include "lib/models/internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DIRECTIONS BIMAMBA_DIRECTIONS

static const real EPS_BLOCK = (real)1e-5, EPS_ADDED = (real)1e-6;

static int64_t rank_of(const struct network_config *c)
{
	return (c->dim + 15) / 16;
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
static void new_decay(struct network *n, struct bimamba_path *a, int i, int k)
{
	const struct network_config *c = &n->config;
	int64_t E = c->expand * c->dim;
	char at[96];

	a->A_log = model_param(n->model, c->decay_all ? PARAM_DECAY : 0, INIT_A_LOG, 0,
		path_name(at, i, k, "A_log", "A_b_log"), 2, E, c->state);
	a->D = model_param(n->model, 0, INIT_ONE, 0, path_name(at, i, k, "D", "D_b"), 1, E);
}

static void new_path(
	struct network *n, const struct bimamba_style *style, struct bimamba_path *a, int i, int k)
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
	a->x_proj = linear_new(m, style->matrices, NAME("x_proj", ""), R + 2 * N, E, 0).weight;
	a->dt = linear_new(m, style->matrices, NAME("dt_proj", ""), E, R, 0).weight;
	a->dt_bias = model_param(
		m, 0, k ? INIT_ZERO : style->step_bias, 0, NAME("dt_proj", ".bias"), 1, E);
#undef NAME
}

static void new_layer(
	struct network *n, const struct bimamba_style *style, struct bimamba_layer *l, int i)
{
	const struct network_config *c = &n->config;
	int64_t E = c->expand * c->dim, hidden = (int64_t)(c->dim * c->mlp_ratio);
	struct model *m = n->model;
	char at[96];

#define NAME(what) (snprintf(at, sizeof(at), "layers.%d." what, i), at)
	for (int k = 0; k < DIRECTIONS; k++)
		new_decay(n, &l->paths[k], i, k);
	l->in_proj = linear_new(m, style->matrices, NAME("mixer.in_proj"), 2 * E, c->dim, 0);
	for (int k = 0; k < DIRECTIONS; k++)
		new_path(n, style, &l->paths[k], i, k);
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

void bimamba_new(struct network *n, struct bimamba *b, const struct bimamba_style *style)
{
	b->style = style;
	for (int i = 0; i < n->config.depth; i++)
		new_layer(n, style, &b->layers[i], i);
	b->norm = new_norm(n, "norm_f");
}

/* --- calls --- */

static tensor any_norm(struct program *p, const struct norm_params *n, tensor x, real eps)
{
	return n->bias ? norm_call(p, n, x, eps) : rmsnorm(p, x, program_param(p, n->weight), eps);
}

/* x (B, L, E) scanned in one direction, not yet gated: (B, L, E). */
static tensor scan(const struct network *n, struct program *p, const struct bimamba_path *a,
	tensor x, const struct scan_settings *s)
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

/* A walk over a program's layers. */
struct walk {
	struct network *n;
	struct program *p;
	const struct bimamba *b;
	const struct network_want *want;
	struct scan_settings scans[DIRECTIONS];
};

/*
 * The sum of the gated scans, or its half, before the projection: (B, L, E), or with the directions
 * apart each one's part of it, (B, K, L, E).
 */
static tensor both_scans(const struct walk *w, const struct bimamba_layer *l, tensor xn, int apart)
{
	int64_t E = w->n->config.expand * w->n->config.dim;
	int halved = w->b->style->halved;
	struct program *p = w->p;
	tensor x = linear(p, xn, program_param_rows(p, l->in_proj.weight, 0, E), NULL, 1);
	tensor z = linear(p, xn, program_param_rows(p, l->in_proj.weight, E, E), NULL, 1);
	tensor y[DIRECTIONS], stacked;

	for (int k = 0; k < DIRECTIONS; k++)
		y[k] = scan(w->n, p, &l->paths[k], x, &w->scans[k]);
	if (!apart)
		return gate_pair(p, y[0], y[1], halved ? (real)0.5 : 1, z);
	stacked = concat_tokens(p, DIRECTIONS, y, halved ? (real)0.5 : 1);
	return gate(p,
		program_reshape(
			p, stacked, 4, (int64_t[]){x->shape[0], DIRECTIONS, x->shape[1], E}),
		z);
}

/* x -> x + Mix(norm(x)); *tap gets what distillation looks at. */
static tensor mix(const struct walk *w, int i, tensor x, tensor *tap)
{
	const struct bimamba_layer *l = &w->b->layers[i];
	enum network_tap kind = w->want->tap;
	int apart = kind != TAP_NONE && kind != TAP_STREAM;
	real drop = block_drop_path(&w->n->config, i);
	struct program *p = w->p;
	tensor y = both_scans(w, l, any_norm(p, &l->norm, x, EPS_BLOCK), apart);
	tensor o = linear_call(p, &l->out_proj, y);

	if (!apart)
		return residual(p, x, o, drop, 2 * i);
	*tap = kind == TAP_RESID ? tap_resid(p, x, o, DIRECTIONS) : kind == TAP_BRANCH ? o : y;
	if (w->want->merged)
		*tap = mean_directions(p, *tap);
	return merge_directions(p, x, o, drop, 2 * i);
}

static tensor build_layers(const struct walk *w, tensor x, struct network_out *out)
{
	const struct network_config *c = &w->n->config;
	struct program *p = w->p;

	for (int i = 0; i < c->depth; i++) {
		program_scope(p, "layers.%d.mixer", i);
		x = mix(w, i, x, &out->taps[i]);
		program_scope(p, "layers.%d.mlp", i);
		if (c->mlp_ratio > 0)
			x = residual(p, x, mlp_call(p, &w->b->layers[i].mlp, x),
				block_drop_path(c, i), 2 * i + 1);
		if (w->want->tap == TAP_STREAM)
			out->taps[i] = x;
		if (w->want->layer_means)
			out->means[i] = mean_tokens(p, x);
	}
	return x;
}

void bimamba_build(struct network *n, struct program *p, const struct bimamba *b, tensor x,
	const struct network_want *want, struct network_out *out)
{
	int64_t L = x->shape[1];
	int32_t *order = memory_new(DIRECTIONS * L, sizeof(*order));
	int zoh = n->config.zoh;
	struct walk w = {n, p, b, want,
		{{1, 1, 1, 1, NULL, NULL, NULL, zoh},
			{1, 1, 1, 1, order ? order + L : NULL, NULL, NULL, zoh}}};

	if (!order) {
		program_refuse(p, "out of memory for the scan's orders");
		return;
	}
	order_fill(ORDER_BOTH, 1, L, order, NULL);
	out->last = build_layers(&w, x, out);
	free(order);
	program_scope(p, "head");
	out->tokens =
		any_norm(p, &b->norm, out->last, n->config.layer_norm ? EPS_ADDED : EPS_BLOCK);
}

void bimamba_head(struct network *n, struct program *p, const struct linear_params *head,
	const struct network_want *want, struct network_out *out)
{
	out->pooled = token_at(p, out->tokens, network_class_index(&n->config));
	if (!want->no_head)
		out->logits = linear_call(p, head, out->pooled);
	program_scope(p, "%s", "");
}
