/*
 * Vision Mamba (Zhu et al., 2024): patches, a class token in the middle, blocks of bimamba.c whose
 * directions are averaged. The backward step's bias starts at 0, the forward one's as in Mamba.
 */
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/internal.h"

#include <math.h>

struct vim {
	struct param *cls, *pos;
	struct linear_params patch; /* weight of four axes */
	struct linear_params head;
	struct bimamba blocks;
};

static const struct bimamba_style style = {1, &init_library, INIT_DT_BIAS};

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

int vim_new(struct network *n)
{
	struct vim *v = n->params = memory_new(1, sizeof(*v));

	if (!v)
		return STATUS_SYSTEM;
	new_embedding(n, v);
	bimamba_new(n, &v->blocks, &style);
	return 0;
}

void vim_build(struct network *n, struct program *p, tensor image, const struct network_want *want,
	struct network_out *out)
{
	const struct vim *v = n->params;
	tensor x;

	program_scope(p, "patch_embed");
	x = patches_call(p, &n->config, &v->patch, image);
	x = insert_token(p, x, program_param(p, v->cls), network_class_index(&n->config));
	x = add_rows(p, x, program_param(p, v->pos));
	bimamba_build(n, p, &v->blocks, x, want, out);
	bimamba_head(n, p, &v->head, want, out);
}
