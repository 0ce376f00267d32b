/*
 * DeiT (Touvron et al., 2021): patches, class token(s), pre-norm blocks of attention and MLP.
 *
 * Names and shapes are timm's. LayerNorm eps 1e-6, GELU exact. The distilled form has a second
 * class token; its logits are the mean of both heads.
 */
#include "lib/models/internal.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

#include <math.h>
#include <stdio.h>

struct deit_block {
	struct norm_params norm1;
	struct linear_params qkv, proj;
	struct mlp_params mlp;
};

struct deit {
	struct param *cls, *dist, *pos;
	struct linear_params patch;
	struct deit_block blocks[NETWORK_LAYERS];
	struct norm_params norm;
	struct linear_params head, head_dist;
};

static const real EPS = (real)1e-6;

static void new_embedding(struct network *n, struct deit *d)
{
	const struct network_config *c = &n->config;
	int64_t L = network_grid(c) * network_grid(c), k = c->patch;
	double bound = 1 / sqrt(3.0 * k * k);
	struct model *m = n->model;

	d->cls = model_param(
		m, 0, INIT_NORMAL, 0.02, "cls_token", 3, (int64_t)1, (int64_t)1, c->dim);
	if (c->distilled)
		d->dist = model_param(
			m, 0, INIT_NORMAL, 0.02, "dist_token", 3, (int64_t)1, (int64_t)1, c->dim);
	d->pos = model_param(m, 0, INIT_NORMAL, 0.02, "pos_embed", 3, (int64_t)1,
		L + network_extra_tokens(c), c->dim);
	d->patch.weight = model_param(m, PARAM_DECAY, INIT_UNIFORM, bound,
		"patch_embed.proj.weight", 4, c->dim, (int64_t)3, k, k);
	d->patch.bias = model_param(m, 0, INIT_UNIFORM, bound, "patch_embed.proj.bias", 1, c->dim);
}

static void new_block(struct network *n, struct deit_block *b, int64_t i)
{
	const struct network_config *c = &n->config;
	int64_t hidden = (int64_t)(c->dim * c->mlp_ratio);
	struct model *m = n->model;
	char at[64];

#define NAME(what) (snprintf(at, sizeof(at), "blocks.%d." what, (int)i), at)
	b->norm1 = norm_new(m, NAME("norm1"), c->dim);
	b->qkv = linear_new(m, &init_normal02, NAME("attn.qkv"), 3 * c->dim, c->dim, 1);
	b->proj = linear_new(m, &init_normal02, NAME("attn.proj"), c->dim, c->dim, 1);
	b->mlp.norm = norm_new(m, NAME("norm2"), c->dim);
	b->mlp.fc1 = linear_new(m, &init_normal02, NAME("mlp.fc1"), hidden, c->dim, 1);
	b->mlp.fc2 = linear_new(m, &init_normal02, NAME("mlp.fc2"), c->dim, hidden, 1);
	b->mlp.eps = EPS;
#undef NAME
}

int deit_new(struct network *n)
{
	const struct network_config *c = &n->config;
	struct deit *d = n->params = memory_new(1, sizeof(*d));

	if (!d)
		return STATUS_SYSTEM;
	new_embedding(n, d);
	for (int64_t i = 0; i < c->depth; i++)
		new_block(n, &d->blocks[i], i);
	d->norm = norm_new(n->model, "norm", c->dim);
	d->head = linear_new(n->model, &init_normal02, "head", c->classes, c->dim, 1);
	if (c->distilled)
		d->head_dist =
			linear_new(n->model, &init_normal02, "head_dist", c->classes, c->dim, 1);
	return 0;
}

static tensor embed(const struct network *n, struct program *p, tensor image)
{
	const struct deit *d = n->params;
	tensor x;

	program_scope(p, "patch_embed");
	x = linear_call(p, &d->patch, patches(p, image, n->config.patch));
	if (d->dist)
		x = insert_token(p, x, program_param(p, d->dist), 0);
	x = insert_token(p, x, program_param(p, d->cls), 0);
	return add_rows(p, x, program_param(p, d->pos));
}

static void finish(const struct network *n, struct program *p, tensor x,
	const struct network_want *want, struct network_out *out)
{
	const struct deit *d = n->params;

	program_scope(p, "head");
	out->last = x;
	out->tokens = norm_call(p, &d->norm, x, EPS);
	out->pooled = token_at(p, out->tokens, 0);
	if (want->no_head)
		return;
	out->logits = linear_call(p, &d->head, out->pooled);
	if (d->dist)
		out->logits = mean_of_two(
			p, out->logits, linear_call(p, &d->head_dist, token_at(p, out->tokens, 1)));
}

void deit_build(struct network *n, struct program *p, tensor image, const struct network_want *want,
	struct network_out *out)
{
	const struct network_config *c = &n->config;
	struct deit *d = n->params;
	tensor x = embed(n, p, image), y;

	for (int64_t i = 0; i < c->depth; i++) {
		struct deit_block *b = &d->blocks[i];
		real drop = block_drop_path(c, i);

		program_scope(p, "blocks.%d.attn", (int)i);
		y = linear_call(p, &b->qkv, norm_call(p, &b->norm1, x, EPS));
		y = linear_call(p, &b->proj, attention(p, y, c->heads, 0, NULL));
		x = residual(p, x, y, drop, 2 * (int)i);
		program_scope(p, "blocks.%d.mlp", (int)i);
		x = residual(p, x, mlp_call(p, &b->mlp, x), drop, 2 * (int)i + 1);
		if (want->tap != TAP_NONE)
			out->taps[i] = x;
		if (want->layer_means)
			out->means[i] = mean_tokens(p, x);
	}
	finish(n, p, x, want, out);
	program_scope(p, "%s", "");
}
