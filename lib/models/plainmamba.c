/*
 * PlainMamba (Yang et al., 2024) as the TransMamba release configures it, with the MLP that
 * TransMamba adds as an option (mlp_ratio).
 *
 * Stem of convolutions with batch norm, then blocks x + Mix(LN(x)): a depthwise k x k convolution
 * and a selective scan in four continuous directions that share all parameters but direction_Bs.
 * As in the public code the step's bias counts twice and, unless scan_order is set, only the
 * scanned input is permuted: delta, B and C stay in raster order.
 */
#include "kernels/orders.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DIRECTIONS 4

struct conv_norm {
	struct param *conv, *weight, *bias, *mean, *var;
};

struct mixer {
	struct linear_params in_proj, out_proj;
	struct param *conv, *conv_bias, *x_proj, *dt, *dt_bias, *A_log, *D, *direction_B;
};

struct plainmamba_layer {
	struct norm_params norm;
	struct conv_norm local; /* of the first layer, or none */
	struct mixer mixer;
	struct mlp_params mlp;
};

struct plainmamba {
	struct conv_norm stem, convs[16];
	struct linear_params projection; /* weight of four axes */
	struct param *pos;
	struct plainmamba_layer layers[NETWORK_LAYERS];
	struct norm_params norm;
	struct linear_params head;
};

static const real EPS_BLOCK = (real)1e-5, EPS_ADDED = (real)1e-6, EPS_FINAL = (real)1e-6;

static int64_t rank_of(const struct network_config *c)
{
	return (c->dim + 15) / 16;
}

/* Decay as upstream applies it, or by the release's rule: everything of two axes or more. */
static unsigned decay_if_all(const struct network_config *c)
{
	return c->decay_all ? PARAM_DECAY : 0;
}

static struct conv_norm conv_norm_new(
	struct model *m, const char *prefix, int index, int64_t out, int64_t in, int64_t k)
{
	struct conv_norm n;
	char name[96];

#define NAME(at, what) (snprintf(name, sizeof(name), "%s.%d." what, prefix, at), name)
	n.conv = model_param(m, PARAM_DECAY, INIT_UNIFORM, 1 / sqrt((double)in * k * k),
		NAME(index, "weight"), 4, out, in, k, k);
	n.weight = model_param(m, 0, INIT_ONE, 0, NAME(index + 1, "weight"), 1, out);
	n.bias = model_param(m, 0, INIT_ZERO, 0, NAME(index + 1, "bias"), 1, out);
	n.mean =
		model_param(m, PARAM_BUFFER, INIT_ZERO, 0, NAME(index + 1, "running_mean"), 1, out);
	n.var = model_param(m, PARAM_BUFFER, INIT_ONE, 0, NAME(index + 1, "running_var"), 1, out);
	model_param(m, PARAM_BUFFER | PARAM_COUNTER, INIT_ZERO, 0,
		NAME(index + 1, "num_batches_tracked"), 0);
#undef NAME
	return n;
}

static void new_embedding(struct network *n, struct plainmamba *s)
{
	const struct network_config *c = &n->config;
	int64_t L = network_grid(c) * network_grid(c), k = c->patch / 2;
	double bound = 1 / sqrt((double)c->stem * k * k);
	struct model *m = n->model;

	s->pos = model_param(
		m, decay_if_all(c), INIT_NORMAL, 0.02, "pos_embed", 3, (int64_t)1, L, c->dim);
	s->stem = conv_norm_new(m, "patch_embed.stem", 0, c->stem, 3, 7);
	for (int i = 0; i < c->stem_convs; i++)
		s->convs[i] = conv_norm_new(m, "patch_embed.convs", 3 * i, c->stem, c->stem, 3);
	s->projection.weight = model_param(m, PARAM_DECAY, INIT_UNIFORM, bound,
		"patch_embed.projection.weight", 4, c->dim, c->stem, k, k);
	s->projection.bias =
		model_param(m, 0, INIT_UNIFORM, bound, "patch_embed.projection.bias", 1, c->dim);
}

static void new_scan(struct network *n, struct mixer *x, int i)
{
	const struct network_config *c = &n->config;
	int64_t E = c->expand * c->dim, R = rank_of(c), N = c->state;
	unsigned decay = decay_if_all(c);
	struct model *m = n->model;
	int release = c->release_init;
	char at[96];

#define NAME(what) (snprintf(at, sizeof(at), "layers.%d.mamba." what, i), at)
	x->A_log = model_param(m, decay, INIT_A_LOG, 0, NAME("A_log"), 2, E, N);
	x->D = model_param(m, 0, INIT_ONE, 0, NAME("D"), 1, E);
	x->direction_B = model_param(
		m, decay, INIT_NORMAL, 0.02, NAME("direction_Bs"), 2, (int64_t)STEP_CODES, N);
	x->conv = model_param(m, PARAM_DECAY, INIT_UNIFORM, 1.0 / c->kernel, NAME("conv2d.weight"),
		4, E, (int64_t)1, c->kernel, c->kernel);
	x->conv_bias = model_param(m, 0, INIT_UNIFORM, 1.0 / c->kernel, NAME("conv2d.bias"), 1, E);
	x->x_proj = model_param(m, PARAM_DECAY, release ? INIT_UNIFORM : INIT_NORMAL,
		release ? 1 / sqrt((double)E) : 0.02, NAME("x_proj.weight"), 2, R + 2 * N, E);
	x->dt = model_param(m, PARAM_DECAY, release ? INIT_UNIFORM : INIT_NORMAL,
		release ? 1 / sqrt((double)R) : 0.02, NAME("dt_proj.weight"), 2, E, R);
	x->dt_bias = model_param(
		m, 0, release ? INIT_DT_BIAS : INIT_ZERO, 0, NAME("dt_proj.bias"), 1, E);
#undef NAME
}

static void new_layer(struct network *n, struct plainmamba_layer *l, int i)
{
	const struct network_config *c = &n->config;
	const struct linear_init *init = c->release_init ? &init_library : &init_normal02;
	int64_t E = c->expand * c->dim, hidden = (int64_t)(c->dim * c->mlp_ratio);
	struct model *m = n->model;
	char at[96];

#define NAME(what) (snprintf(at, sizeof(at), "layers.%d." what, i), at)
	l->norm = norm_new(m, NAME("norm"), c->dim);
	if (c->local && !i)
		l->local = conv_norm_new(m, NAME("dw"), 0, c->dim, 1, 3);
	l->mixer.in_proj = linear_new(m, init, NAME("mamba.in_proj"), 2 * E, c->dim, 1);
	new_scan(n, &l->mixer, i);
	l->mixer.out_proj = linear_new(m, init, NAME("mamba.out_proj"), c->dim, E, 1);
	if (!hidden)
		return;
	l->mlp.eps = EPS_ADDED;
	l->mlp.norm = norm_new(m, NAME("norm2"), c->dim);
	l->mlp.fc1 = linear_new(m, init, NAME("mlp.fc1"), hidden, c->dim, 1);
	l->mlp.fc2 = linear_new(m, init, NAME("mlp.fc2"), c->dim, hidden, 1);
#undef NAME
}

int plainmamba_new(struct network *n)
{
	static const struct linear_init head_init = {INIT_NORMAL, INIT_ZERO, 0.01};
	const struct network_config *c = &n->config;
	struct plainmamba *s = n->params = memory_new(1, sizeof(*s));

	if (!s)
		return STATUS_SYSTEM;
	new_embedding(n, s);
	for (int i = 0; i < c->depth; i++)
		new_layer(n, &s->layers[i], i);
	s->norm = norm_new(n->model, "ln1", c->dim);
	s->head = linear_new(n->model, c->release_init ? &init_library : &head_init, "head.fc",
		c->classes, c->dim, 1);
	return 0;
}

static tensor conv_norm_call(
	struct program *p, const struct conv_norm *n, tensor x, int64_t stride, int64_t pad)
{
	tensor y = conv2d(p, x, program_param(p, n->conv), NULL, stride, pad);

	return batchnorm(p, y, program_param(p, n->weight), program_param(p, n->bias),
		program_param(p, n->mean), program_param(p, n->var), (real)1e-5, 1);
}

static tensor embed(const struct network *n, struct program *p, tensor image)
{
	const struct network_config *c = &n->config;
	const struct plainmamba *s = n->params;
	tensor x;

	program_scope(p, "patch_embed.stem");
	x = conv_norm_call(p, &s->stem, image, 2, 3);
	for (int i = 0; i < c->stem_convs; i++) {
		program_scope(p, "patch_embed.convs.%d", 3 * i);
		x = conv_norm_call(p, &s->convs[i], x, 1, 1);
	}
	program_scope(p, "patch_embed.projection");
	x = conv2d(p, x, program_param(p, s->projection.weight),
		program_param(p, s->projection.bias), c->patch / 2, 0);
	x = program_reshape(
		p, x, 3, (int64_t[]){x->shape[0], network_grid(c) * network_grid(c), c->dim});
	return add_rows(p, x, program_param(p, s->pos));
}

/* The scan of normed tokens xn: (B, K, L, E) gated, or (B, L, E) summed over directions. */
static tensor scan(const struct network *n, struct program *p, const struct mixer *m, tensor xn,
	const struct scan_settings *s)
{
	const struct network_config *c = &n->config;
	int64_t E = c->expand * c->dim, side = network_grid(c), N = c->state;
	tensor x = linear(p, xn, program_param_rows(p, m->in_proj.weight, 0, E),
		program_param_rows(p, m->in_proj.bias, 0, E), 1);
	tensor z = linear(p, xn, program_param_rows(p, m->in_proj.weight, E, E),
		program_param_rows(p, m->in_proj.bias, E, E), 1);
	tensor u = dwconv2d_silu(
		p, x, side, side, program_param(p, m->conv), program_param(p, m->conv_bias));
	tensor part[3], r;

	split(p, linear(p, u, program_param(p, m->x_proj), NULL, 1), 3,
		(int64_t[]){rank_of(c), N, N}, part);
	r = linear(p, part[0], program_param(p, m->dt), NULL, 1);
	return gate(p,
		selective_scan(p, s, u, r, program_param(p, m->dt_bias), program_param(p, m->A_log),
			part[1], part[2], program_param(p, m->D), program_param(p, m->direction_B),
			NULL),
		z);
}

/* x -> x + sum over directions; *tap gets what distillation looks at. */
static tensor mix(const struct network *n, struct program *p, int i, tensor x,
	const struct scan_settings *s, const struct network_want *want, tensor *tap)
{
	const struct plainmamba_layer *l = &((struct plainmamba *)n->params)->layers[i];
	const struct mixer *m = &l->mixer;
	real drop = block_drop_path(&n->config, i);
	tensor y = scan(n, p, m, norm_call(p, &l->norm, x, EPS_BLOCK), s), o;

	if (s->merged)
		return residual(p, x, linear_call(p, &m->out_proj, y), drop, 2 * i);
	o = linear(p, y, program_param(p, m->out_proj.weight), program_param(p, m->out_proj.bias),
		(real)1 / DIRECTIONS);
	*tap = want->tap == TAP_RESID	 ? tap_resid(p, x, o, DIRECTIONS)
	       : want->tap == TAP_BRANCH ? o
					 : y;
	if (want->merged)
		*tap = mean_directions(p, *tap);
	return merge_directions(p, x, o, drop, 2 * i);
}

/* What L1 has after its first block: a depthwise convolution, batch norm and GELU. */
static tensor local_conv(
	const struct network *n, struct program *p, const struct conv_norm *l, tensor x)
{
	int64_t side = network_grid(&n->config);
	tensor y = dwconv2d(p, x, side, side, program_param(p, l->conv), NULL);

	return gelu(p, batchnorm(p, y, program_param(p, l->weight), program_param(p, l->bias),
			       program_param(p, l->mean), program_param(p, l->var), (real)1e-5, 0));
}

static int orders_new(const struct network_config *c, struct scan_settings *s)
{
	int64_t side = network_grid(c), L = side * side;
	int32_t *order = memory_new(2 * DIRECTIONS * L, sizeof(*order));

	if (!order)
		return STATUS_SYSTEM;
	order_fill(ORDER_CONTINUOUS, side, side, order, order + DIRECTIONS * L);
	s->order = order;
	s->code = order + DIRECTIONS * L;
	return 0;
}

static void finish(const struct network *n, struct program *p, tensor x,
	const struct network_want *want, struct network_out *out)
{
	const struct plainmamba *s = n->params;

	program_scope(p, "head");
	out->last = x;
	out->tokens = norm_call(p, &s->norm, x, EPS_FINAL);
	out->pooled = mean_tokens(p, out->tokens);
	if (!want->no_head)
		out->logits = linear_call(p, &s->head, out->pooled);
}

void plainmamba_build(struct network *n, struct program *p, tensor image,
	const struct network_want *want, struct network_out *out)
{
	const struct network_config *c = &n->config;
	const struct plainmamba *s = n->params;
	int apart = want->tap != TAP_NONE && want->tap != TAP_STREAM;
	struct scan_settings scan_of = {
		DIRECTIONS, c->scan_order, !apart, 2, NULL, NULL, NULL, c->zoh};
	tensor x = embed(n, p, image);

	if (orders_new(c, &scan_of)) {
		program_refuse(p, "out of memory for the scan's orders");
		return;
	}
	for (int i = 0; i < c->depth; i++) {
		program_scope(p, "layers.%d.mamba", i);
		x = mix(n, p, i, x, &scan_of, want, &out->taps[i]);
		if (s->layers[i].local.conv) {
			program_scope(p, "layers.%d.dw", i);
			x = local_conv(n, p, &s->layers[i].local, x);
		}
		program_scope(p, "layers.%d.mlp", i);
		if (c->mlp_ratio > 0)
			x = residual(p, x, mlp_call(p, &s->layers[i].mlp, x), block_drop_path(c, i),
				2 * i + 1);
		if (want->tap == TAP_STREAM)
			out->taps[i] = x;
		if (want->layer_means)
			out->means[i] = mean_tokens(p, x);
	}
	free((void *)scan_of.order);
	finish(n, p, x, want, out);
	program_scope(p, "%s", "");
}
