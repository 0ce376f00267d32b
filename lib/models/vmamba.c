/*
 * VMamba (Liu et al., 2024): four stages, each half as fine and twice as wide as the one before.
 *
 * Blocks x + SS2D(LN(x)), with an MLP where mlp_ratio says so. SS2D scans the tokens in four
 * directions, by rows, by columns and both reversed; each has its own step, B, C, A and D. The sum
 * of the four is normed, and only then gated. Two forms, as published: v0 (gated, patches of their
 * own, merging of 2 x 2 tokens; the TransMamba release), and v05_noz (no gate, no bias of the
 * depthwise convolution, overlapping convolutions between stages). Every norm's eps is 1e-5.
 */
#include "kernels/orders.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DIRECTIONS 4

struct ss2d {
	struct linear_params in_proj, out_proj;
	struct norm_params out_norm;
	struct param *conv, *conv_bias, *x_proj, *dt, *dt_bias, *A_log, *D;
};

struct vmamba_block {
	struct norm_params norm;
	struct ss2d op;
	struct mlp_params mlp;
};

/* A convolution (weight of four axes) or a matrix, and a norm. */
struct reduction {
	struct linear_params map;
	struct norm_params norm;
};

struct vmamba {
	struct reduction embed[2], downsample[NETWORK_STAGES];
	struct vmamba_block blocks[NETWORK_LAYERS];
	struct norm_params norm;
	struct linear_params head;
};

static const real EPS = (real)1e-5;

static int64_t rank_of(int64_t dim)
{
	return (dim + 15) / 16;
}

/* --- parameters --- */

/* name.weight (out, in, k, k) and name.bias, as PyTorch draws them */
static struct linear_params conv_new(
	struct model *m, const char *name, int64_t out, int64_t in, int64_t k)
{
	double bound = 1 / sqrt((double)in * k * k);
	struct linear_params c;
	char at[96];

	snprintf(at, sizeof(at), "%s.weight", name);
	c.weight = model_param(m, PARAM_DECAY, INIT_UNIFORM, bound, at, 4, out, in, k, k);
	snprintf(at, sizeof(at), "%s.bias", name);
	c.bias = model_param(m, 0, INIT_UNIFORM, bound, at, 1, out);
	return c;
}

static void new_embedding(struct network *n, struct vmamba *v)
{
	const struct network_config *c = &n->config;
	int64_t k = c->patch / 2 + 1;
	struct model *m = n->model;

	if (!c->noz) {
		v->embed[0].map = conv_new(m, "patch_embed.0", c->dim, 3, c->patch);
		v->embed[0].norm = norm_new(m, "patch_embed.2", c->dim);
		return;
	}
	v->embed[0].map = conv_new(m, "patch_embed.0", c->dim / 2, 3, k);
	v->embed[0].norm = norm_new(m, "patch_embed.2", c->dim / 2);
	v->embed[1].map = conv_new(m, "patch_embed.5", c->dim, c->dim / 2, k);
	v->embed[1].norm = norm_new(m, "patch_embed.7", c->dim);
}

/* Decay as the marks say, or as the release's optimiser has it: all of two axes or more. */
static void new_scan(struct network *n, struct ss2d *s, const char *prefix, int64_t dim)
{
	const struct network_config *c = &n->config;
	int64_t E = c->expand * dim, R = rank_of(dim), N = c->state, K = DIRECTIONS;
	unsigned decay = c->decay_all ? PARAM_DECAY : 0;
	struct model *m = n->model;
	char at[96];

#define NAME(what) (snprintf(at, sizeof(at), "%s.op." what, prefix), at)
	s->x_proj = model_param(m, PARAM_DECAY, INIT_UNIFORM, 1 / sqrt((double)E),
		NAME("x_proj_weight"), 3, K, R + 2 * N, E);
	s->A_log = model_param(m, decay, INIT_A_LOG, 0, NAME("A_logs"), 2, K * E, N);
	s->D = model_param(m, 0, INIT_ONE, 0, NAME("Ds"), 1, K * E);
	s->dt = model_param(m, PARAM_DECAY, INIT_UNIFORM, 1 / sqrt((double)R),
		NAME("dt_projs_weight"), 3, K, E, R);
	s->dt_bias = model_param(m, decay, INIT_DT_BIAS, 0, NAME("dt_projs_bias"), 2, K, E);
	if (c->noz)
		s->out_norm = norm_new(m, NAME("out_norm"), E);
	s->in_proj = linear_new(m, &init_normal02, NAME("in_proj"), c->noz ? E : 2 * E, dim, 0);
	s->conv = model_param(m, PARAM_DECAY, INIT_UNIFORM, 1.0 / c->kernel, NAME("conv2d.weight"),
		4, E, (int64_t)1, c->kernel, c->kernel);
	if (!c->noz) {
		s->conv_bias =
			model_param(m, 0, INIT_UNIFORM, 1.0 / c->kernel, NAME("conv2d.bias"), 1, E);
		s->out_norm = norm_new(m, NAME("out_norm"), E);
	}
	s->out_proj = linear_new(m, &init_normal02, NAME("out_proj"), dim, E, 0);
#undef NAME
}

static void new_block(struct network *n, struct vmamba_block *b, int64_t i)
{
	const struct network_config *c = &n->config;
	int64_t dim = network_layer_dim(c, i), hidden = (int64_t)(dim * c->mlp_ratio);
	struct model *m = n->model;
	char prefix[NETWORK_NAME], at[96];

	network_layer_name(c, i, prefix);
#define NAME(what) (snprintf(at, sizeof(at), "%s." what, prefix), at)
	b->norm = norm_new(m, NAME("norm"), dim);
	new_scan(n, &b->op, prefix, dim);
	if (!hidden)
		return;
	b->mlp.eps = EPS;
	b->mlp.norm = norm_new(m, NAME("norm2"), dim);
	b->mlp.fc1 = linear_new(m, &init_normal02, NAME("mlp.fc1"), hidden, dim, 1);
	b->mlp.fc2 = linear_new(m, &init_normal02, NAME("mlp.fc2"), dim, hidden, 1);
#undef NAME
}

/* From a stage of this width to the next. */
static void new_downsample(struct network *n, struct reduction *d, int stage, int64_t dim)
{
	struct model *m = n->model;
	char at[64];

#define NAME(what) (snprintf(at, sizeof(at), "layers.%d.downsample." what, stage), at)
	if (n->config.noz) {
		d->map = conv_new(m, NAME("1"), 2 * dim, dim, 3);
		d->norm = norm_new(m, NAME("3"), 2 * dim);
	} else {
		d->map = linear_new(m, &init_normal02, NAME("reduction"), 2 * dim, 4 * dim, 0);
		d->norm = norm_new(m, NAME("norm"), 4 * dim);
	}
#undef NAME
}

/* Whether the stage ends with this layer, and another follows. */
static int before_next_stage(const struct network_config *c, int64_t i)
{
	return i + 1 < c->depth && network_stage(c, i + 1) != network_stage(c, i);
}

int vmamba_new(struct network *n)
{
	const struct network_config *c = &n->config;
	struct vmamba *v = n->params = memory_new(1, sizeof(*v));
	int64_t width = network_layer_dim(c, c->depth - 1);

	if (!v)
		return STATUS_SYSTEM;
	new_embedding(n, v);
	for (int64_t i = 0; i < c->depth; i++) {
		int stage = (int)network_stage(c, i);

		new_block(n, &v->blocks[i], i);
		if (before_next_stage(c, i))
			new_downsample(n, &v->downsample[stage], stage, network_layer_dim(c, i));
	}
	v->norm = norm_new(n->model, "classifier.norm", width);
	v->head = linear_new(n->model, &init_normal02, "classifier.head", c->classes, width, 1);
	return 0;
}

/* --- calls --- */

/* (B, h, w, C) -> (B, L, C) */
static tensor as_tokens(struct program *p, tensor x)
{
	return program_reshape(p, x, 3,
		(int64_t[]){x->shape[0], x->count / x->shape[0] / tensor_last(x), tensor_last(x)});
}

/* (B, h, w, C) or image -> tokens of half the sides, normed */
static tensor halve(struct program *p, const struct reduction *d, tensor x, int64_t stride)
{
	tensor y = conv2d(
		p, x, program_param(p, d->map.weight), program_param(p, d->map.bias), stride, 1);

	if (program_failed(p))
		return y;
	return norm_call(p, &d->norm, as_tokens(p, y), EPS);
}

static tensor embed(const struct network *n, struct program *p, tensor image)
{
	const struct network_config *c = &n->config;
	const struct vmamba *v = n->params;
	int64_t stride = c->patch / 2, side;
	tensor x;

	program_scope(p, "patch_embed");
	if (!c->noz)
		return norm_call(p, &v->embed[0].norm,
			linear_call(p, &v->embed[0].map, patches(p, image, c->patch)), EPS);
	x = gelu(p, halve(p, &v->embed[0], image, stride));
	side = c->image / stride;
	x = program_reshape(p, x, 4, (int64_t[]){x->shape[0], side, side, c->dim / 2});
	return halve(p, &v->embed[1], x, stride);
}

/* The tokens of a grid of this side, half as fine and twice as wide. */
static tensor downsample(const struct network *n, struct program *p, const struct reduction *d,
	tensor x, int64_t side)
{
	int64_t B = x->shape[0], C = tensor_last(x);
	tensor y;

	if (!n->config.noz)
		return linear_call(
			p, &d->map, norm_call(p, &d->norm, merge_patches(p, x, side, side), EPS));
	y = halve(p, d, program_reshape(p, x, 4, (int64_t[]){B, side, side, C}), 2);
	program_reshape(p, x, 3, (int64_t[]){B, side * side, C}); /* as taps show it */
	return y;
}

/* Part k of a parameter (K, ...) with shape (rows, columns). */
static tensor part_of(
	struct program *p, struct param *param, int64_t k, int64_t rows, int64_t columns)
{
	return program_reshape(
		p, program_param_rows(p, param, k, 1), 2, (int64_t[]){rows, columns});
}

static tensor sum_of(struct program *p, const tensor y[DIRECTIONS])
{
	return add(p, add(p, y[0], y[2]), add(p, y[1], y[3]));
}

/* By the zero-order hold, which has no form for several at once. */
static void hold_scans(struct program *p, const struct ss2d *s, const struct scan_settings *how,
	tensor u, const tensor *r, const tensor *B, const tensor *C, tensor y[DIRECTIONS])
{
	int64_t E = tensor_last(u), L = u->shape[1];

	for (int k = 0; k < DIRECTIONS; k++) {
		struct scan_settings one = {1, 1, 1, 1, how->order + k * L, NULL, NULL, 1};
		tensor beta = program_reshape(p, program_param_rows(p, s->dt_bias, k, 1), 1, &E);

		y[k] = selective_scan(p, &one, u, r[k], beta,
			program_param_rows(p, s->A_log, k * E, E), B[k], C[k],
			program_param_rows(p, s->D, k * E, E), NULL, NULL);
	}
	if (how->merged)
		y[0] = sum_of(p, y);
}

/* The four scans of u (B, L, E), each (B, L, E) with tokens in place; their sum alone if merged. */
static void scans(const struct network *n, struct program *p, const struct ss2d *s, tensor u,
	const int32_t *order, int merged, tensor y[DIRECTIONS])
{
	int64_t E = tensor_last(u), N = n->config.state;
	int64_t R = s->dt->shape[2], widths[3 * DIRECTIONS];
	tensor part[3 * DIRECTIONS], all = program_param(p, s->x_proj);
	tensor r[DIRECTIONS], B[DIRECTIONS], C[DIRECTIONS];
	struct scan_settings how = {DIRECTIONS, 1, merged, 1, order, NULL};

	for (int i = 0; i < 3 * DIRECTIONS; i++)
		widths[i] = i % 3 ? N : R;
	all = program_reshape(p, all, 2, (int64_t[]){DIRECTIONS * (R + 2 * N), E});
	split(p, linear(p, u, all, NULL, 1), 3 * DIRECTIONS, widths, part);
	for (int k = 0; k < DIRECTIONS; k++) {
		r[k] = linear(p, part[3 * k], part_of(p, s->dt, k, E, R), NULL, 1);
		B[k] = part[3 * k + 1];
		C[k] = part[3 * k + 2];
	}
	if (n->config.zoh)
		hold_scans(p, s, &how, u, r, B, C, y);
	else
		selective_scans(p, &how, u, r, program_param(p, s->dt_bias),
			program_param(p, s->A_log), B, C, program_param(p, s->D), y);
}

/* Scans' output, summed or apart, normed and then gated. */
static tensor normed(struct program *p, const struct ss2d *s, tensor y, tensor z)
{
	y = norm_call(p, &s->out_norm, y, EPS);
	return z ? gate(p, y, z) : y;
}

/*
 * What each direction would give alone: the norm makes a block no sum of its directions. y four of
 * (B, L, E) -> the tap.
 */
static tensor tap_of(struct program *p, const struct ss2d *s, tensor x, const tensor *y, tensor z,
	const struct network_want *want)
{
	tensor t = concat_tokens(p, DIRECTIONS, y, 1);

	t = program_reshape(
		p, t, 4, (int64_t[]){x->shape[0], DIRECTIONS, x->shape[1], tensor_last(t)});
	t = normed(p, s, t, z);
	if (want->tap != TAP_INNER)
		t = linear_call(p, &s->out_proj, t);
	if (want->tap == TAP_RESID)
		t = tap_resid(p, x, t, 1);
	return want->merged ? mean_directions(p, t) : t;
}

/* SS2D of normed tokens xn, a branch of x; *tap gets what distillation looks at. */
static tensor ss2d(const struct network *n, struct program *p, const struct ss2d *s, tensor x,
	tensor xn, int64_t side, const struct network_want *want, tensor *tap)
{
	int64_t E = s->conv->shape[0], L = side * side;
	int32_t *order = memory_new(DIRECTIONS * L, sizeof(*order));
	int tapped = want->tap != TAP_NONE && want->tap != TAP_STREAM;
	tensor u, y[DIRECTIONS], z = NULL;

	if (!order)
		return program_refuse(p, "out of memory for the scan's orders");
	order_fill(ORDER_CROSS, side, side, order, NULL);
	u = linear(p, xn, program_param_rows(p, s->in_proj.weight, 0, E), NULL, 1);
	if (!n->config.noz)
		z = linear(p, xn, program_param_rows(p, s->in_proj.weight, E, E), NULL, 1);
	u = dwconv2d_silu(
		p, u, side, side, program_param(p, s->conv), program_param(p, s->conv_bias));
	scans(n, p, s, u, order, !tapped, y);
	free(order);
	if (tapped) {
		*tap = tap_of(p, s, x, y, z, want);
		y[0] = sum_of(p, y);
	}
	return linear_call(p, &s->out_proj, normed(p, s, y[0], z));
}

static tensor block(const struct network *n, struct program *p, int64_t i, tensor x,
	const struct network_want *want, struct network_out *out)
{
	const struct network_config *c = &n->config;
	const struct vmamba_block *b = &((struct vmamba *)n->params)->blocks[i];
	real drop = block_drop_path(c, i);
	char name[NETWORK_NAME];
	tensor y;

	network_layer_name(c, i, name);
	program_scope(p, "%s.op", name);
	y = ss2d(n, p, &b->op, x, norm_call(p, &b->norm, x, EPS), network_layer_grid(c, i), want,
		&out->taps[i]);
	x = residual(p, x, y, drop, 2 * (int)i);
	program_scope(p, "%s.mlp", name);
	if (b->mlp.fc1.weight)
		x = residual(p, x, mlp_call(p, &b->mlp, x), drop, 2 * (int)i + 1);
	if (want->tap == TAP_STREAM)
		out->taps[i] = x;
	if (want->layer_means)
		out->means[i] = mean_tokens(p, x);
	return x;
}

void vmamba_build(struct network *n, struct program *p, tensor image,
	const struct network_want *want, struct network_out *out)
{
	const struct network_config *c = &n->config;
	const struct vmamba *v = n->params;
	tensor x = embed(n, p, image);

	for (int64_t i = 0; i < c->depth && !program_failed(p); i++) {
		int stage = (int)network_stage(c, i);

		x = block(n, p, i, x, want, out);
		program_scope(p, "layers.%d.downsample", stage);
		if (before_next_stage(c, i) && !program_failed(p))
			x = downsample(n, p, &v->downsample[stage], x, network_layer_grid(c, i));
	}
	program_scope(p, "classifier");
	out->last = x;
	out->tokens = norm_call(p, &v->norm, x, EPS);
	out->pooled = mean_tokens(p, out->tokens);
	if (!want->no_head)
		out->logits = linear_call(p, &v->head, out->pooled);
	program_scope(p, "%s", "");
}
