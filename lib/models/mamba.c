/*
 * Mamba, the language model (Gu and Dao, 2023): an embedding, blocks x + Mix(RMS(x)), a last norm,
 * and the embedding again as the head.
 *
 * Upstream adds a block's output at the beginning of the next one, which is the same sum. First
 * values are upstream's: out_proj is scaled down by the root of the depth, A_log and D do not
 * decay.
 */
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/internal.h"

#include <math.h>
#include <stdio.h>

struct mamba_layer {
	struct param *norm, *A_log, *D, *conv, *conv_bias, *x_proj, *dt, *dt_bias;
	struct linear_params in_proj, out_proj;
};

struct mamba {
	struct param *embedding, *norm;
	struct mamba_layer layers[NETWORK_LAYERS];
};

static const real EPS = (real)1e-5;

static int64_t rank_of(const struct network_config *c)
{
	return (c->dim + 15) / 16;
}

static void new_layer(struct network *n, struct mamba_layer *l, int i)
{
	const struct network_config *c = &n->config;
	int64_t E = c->expand * c->dim, R = rank_of(c), N = c->state, W = DWCONV1D_WIDTH;
	double bound = 1 / sqrt((double)W);
	struct model *m = n->model;
	char at[96];

#define NAME(what) (snprintf(at, sizeof(at), "backbone.layers.%d." what, i), at)
	l->norm = model_param(m, 0, INIT_ONE, 0, NAME("norm.weight"), 1, c->dim);
	l->A_log = model_param(
		m, c->decay_all ? PARAM_DECAY : 0, INIT_A_LOG, 0, NAME("mixer.A_log"), 2, E, N);
	l->D = model_param(m, 0, INIT_ONE, 0, NAME("mixer.D"), 1, E);
	l->in_proj = linear_new(m, &init_library, NAME("mixer.in_proj"), 2 * E, c->dim, 0);
	l->conv = model_param(m, PARAM_DECAY, INIT_UNIFORM, bound, NAME("mixer.conv1d.weight"), 3,
		E, (int64_t)1, W);
	l->conv_bias = model_param(m, 0, INIT_UNIFORM, bound, NAME("mixer.conv1d.bias"), 1, E);
	l->x_proj = model_param(m, PARAM_DECAY, INIT_UNIFORM, 1 / sqrt((double)E),
		NAME("mixer.x_proj.weight"), 2, R + 2 * N, E);
	l->dt = model_param(m, PARAM_DECAY, INIT_UNIFORM, 1 / sqrt((double)R),
		NAME("mixer.dt_proj.weight"), 2, E, R);
	l->dt_bias = model_param(m, 0, INIT_DT_BIAS, 0, NAME("mixer.dt_proj.bias"), 1, E);
	l->out_proj.weight = model_param(m, PARAM_DECAY, INIT_UNIFORM,
		1 / sqrt((double)E * c->depth), NAME("mixer.out_proj.weight"), 2, c->dim, E);
#undef NAME
}

int mamba_new(struct network *n)
{
	const struct network_config *c = &n->config;
	struct mamba *s = n->params = memory_new(1, sizeof(*s));

	if (!s)
		return STATUS_SYSTEM;
	s->embedding = model_param(n->model, PARAM_DECAY, INIT_NORMAL, 0.02,
		"backbone.embedding.weight", 2, c->classes, c->dim);
	for (int i = 0; i < c->depth; i++)
		new_layer(n, &s->layers[i], i);
	s->norm = model_param(n->model, 0, INIT_ONE, 0, "backbone.norm_f.weight", 1, c->dim);
	return 0;
}

static tensor conv(struct program *p, const struct mamba_layer *l, tensor x, struct param *window)
{
	tensor weight = program_param(p, l->conv), bias = program_param(p, l->conv_bias);

	return window ? dwconv1d_carried(p, x, weight, bias, program_param(p, window))
		      : dwconv1d_silu(p, x, weight, bias, 0, NULL);
}

/* xn (B, L, dim) -> the gated scan (B, L, E) */
static tensor scan(const struct network_config *c, struct program *p, const struct mamba_layer *l,
	tensor xn, struct param *window, struct param *state)
{
	struct scan_settings s = {1, 1, 1, 1, NULL, NULL, program_param(p, state), c->zoh};
	int64_t E = c->expand * c->dim, N = c->state;
	tensor x = linear(p, xn, program_param_rows(p, l->in_proj.weight, 0, E), NULL, 1);
	tensor z = linear(p, xn, program_param_rows(p, l->in_proj.weight, E, E), NULL, 1);
	tensor u = conv(p, l, x, window), part[3], r;

	split(p, linear(p, u, program_param(p, l->x_proj), NULL, 1), 3,
		(int64_t[]){rank_of(c), N, N}, part);
	r = linear(p, part[0], program_param(p, l->dt), NULL, 1);
	return gate(p,
		selective_scan(p, &s, u, r, program_param(p, l->dt_bias),
			program_param(p, l->A_log), part[1], part[2], program_param(p, l->D), NULL,
			NULL),
		z);
}

static tensor block(const struct network *n, struct program *p, int i, tensor x,
	const struct network_state *state, enum network_tap tap, tensor *tapped)
{
	const struct mamba_layer *l = &((struct mamba *)n->params)->layers[i];
	tensor y = scan(&n->config, p, l, rmsnorm(p, x, program_param(p, l->norm), EPS),
		state ? state->window[i] : NULL, state ? state->scan[i] : NULL);
	tensor o = linear_call(p, &l->out_proj, y);
	tensor sum = residual(p, x, o, block_drop_path(&n->config, i), i);

	/* one direction: what it adds to the stream is the block's output */
	*tapped = tap == TAP_NONE ? NULL : tap == TAP_BRANCH ? o : tap == TAP_INNER ? y : sum;
	return sum;
}

void mamba_build(struct network *n, struct program *p, tensor ids,
	const struct network_state *state, const struct network_want *want, struct network_out *out)
{
	const struct network_config *c = &n->config;
	const struct mamba *s = n->params;
	tensor table = program_param(p, s->embedding), x, h;

	program_scope(p, "backbone.embedding");
	x = embedding(p, ids, table);
	for (int i = 0; i < c->depth; i++) {
		program_scope(p, "backbone.layers.%d.mixer", i);
		x = block(n, p, i, x, state, want->tap, &out->taps[i]);
		if (want->layer_means)
			out->means[i] = mean_tokens(p, x);
	}
	program_scope(p, "lm_head");
	out->last = x;
	out->tokens = h = rmsnorm(p, x, program_param(p, s->norm), EPS);
	if (want->last_logits)
		h = slice_tokens(p, h, ids->shape[1] - 1, 1);
	if (!want->no_head)
		out->logits = linear(p, h, table, NULL, 1);
	program_scope(p, "%s", "");
}
