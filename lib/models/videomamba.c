/*
 * VideoMamba (Li et al., 2024) for images and clips: patches of every frame in turn, a class token
 * before them, blocks of bimamba.c whose directions are added up.
 *
 * A clip's tokens get the position of their place, the same in every frame, and one of their frame;
 * the class token has a row of the places' table and no frame. An image's network (frames 0) has no
 * positions of frames, and patches of four axes instead of five. Upstream's initialisation redraws
 * all matrices of the mixer and clears both steps' biases.
 */
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/internal.h"

#include <math.h>

struct videomamba {
	struct param *cls, *pos, *time; /* time NULL: of images */
	struct linear_params patch;	/* weight of four axes, or five with one frame */
	struct linear_params head;
	struct bimamba blocks;
};

static const struct bimamba_style style = {0, &init_normal02, INIT_ZERO};

static struct param *new_patches(struct network *n, double bound)
{
	const struct network_config *c = &n->config;
	int64_t k = c->patch, one = 1, channels = 3;

	if (c->frames)
		return model_param(n->model, PARAM_DECAY, INIT_UNIFORM, bound,
			"patch_embed.proj.weight", 5, c->dim, channels, one, k, k);
	return model_param(n->model, PARAM_DECAY, INIT_UNIFORM, bound, "patch_embed.proj.weight", 4,
		c->dim, channels, k, k);
}

static void new_embedding(struct network *n, struct videomamba *v)
{
	const struct network_config *c = &n->config;
	int64_t L = network_grid(c) * network_grid(c), one = 1;
	double bound = 1 / sqrt(3.0 * c->patch * c->patch);
	struct model *m = n->model;

	v->cls = model_param(m, 0, INIT_ZERO, 0, "cls_token", 3, one, one, c->dim);
	v->pos = model_param(m, 0, INIT_NORMAL, 0.02, "pos_embed", 3, one, L + 1, c->dim);
	if (c->frames)
		v->time = model_param(
			m, 0, INIT_ZERO, 0, "temporal_pos_embedding", 3, one, c->frames, c->dim);
	v->patch.weight = new_patches(n, bound);
	v->patch.bias = model_param(m, 0, INIT_UNIFORM, bound, "patch_embed.proj.bias", 1, c->dim);
	v->head = linear_new(m, &init_normal02, "head", c->classes, c->dim, 1);
}

int videomamba_new(struct network *n)
{
	struct videomamba *v = n->params = memory_new(1, sizeof(*v));

	if (!v)
		return STATUS_SYSTEM;
	new_embedding(n, v);
	bimamba_new(n, &v->blocks, &style);
	return 0;
}

/* (B, S, S, 3), or (B, frames, S, S, 3) -> (B, 1 + frames * grid^2, dim) */
static tensor embed(const struct network *n, struct program *p, tensor image)
{
	const struct network_config *c = &n->config;
	const struct videomamba *v = n->params;
	int64_t L = network_grid(c) * network_grid(c), T = network_frames(c), S = c->image;
	int64_t B = image->shape[0];
	tensor x;

	program_scope(p, "patch_embed");
	if (image->dims == 5)
		image = program_reshape(p, image, 4, (int64_t[]){B * T, S, S, 3});
	x = patches_call(p, c, &v->patch, image);
	x = program_reshape(p, x, 3, (int64_t[]){B, T * L, c->dim});
	x = insert_token(p, x, program_param(p, v->cls), 0);
	if (!v->time)
		return add_rows(p, x, program_param(p, v->pos));
	return clip_rows(p, x, program_param(p, v->pos), program_param(p, v->time), 1);
}

void videomamba_build(struct network *n, struct program *p, tensor image,
	const struct network_want *want, struct network_out *out)
{
	const struct videomamba *v = n->params;

	bimamba_build(n, p, &v->blocks, embed(n, p, image), want, out);
	bimamba_head(n, p, &v->head, want, out);
}
