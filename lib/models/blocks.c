/* The parts that every family is made of. */
#include "lib/models/internal.h"

#include <math.h>
#include <stdio.h>

const struct linear_init init_normal02 = {INIT_NORMAL, INIT_ZERO, 0.02};
const struct linear_init init_library = {INIT_UNIFORM, INIT_UNIFORM, 0};

struct norm_params norm_new(struct model *m, const char *prefix, int64_t dim)
{
	char name[160];
	struct norm_params n;

	snprintf(name, sizeof(name), "%s.weight", prefix);
	n.weight = model_param(m, 0, INIT_ONE, 0, name, 1, dim);
	snprintf(name, sizeof(name), "%s.bias", prefix);
	n.bias = model_param(m, 0, INIT_ZERO, 0, name, 1, dim);
	return n;
}

struct linear_params linear_new(struct model *m, const struct linear_init *init, const char *prefix,
	int64_t out, int64_t in, int with_bias)
{
	double bound = 1 / sqrt((double)in);
	char name[160];
	struct linear_params l = {NULL, NULL};

	snprintf(name, sizeof(name), "%s.weight", prefix);
	l.weight = model_param(m, PARAM_DECAY, init->weight,
		init->weight == INIT_UNIFORM ? bound : init->a, name, 2, out, in);
	if (with_bias) {
		snprintf(name, sizeof(name), "%s.bias", prefix);
		l.bias = model_param(m, 0, init->bias, bound, name, 1, out);
	}
	return l;
}

tensor norm_call(struct program *p, const struct norm_params *n, tensor x, real eps)
{
	return layernorm(p, x, program_param(p, n->weight), program_param(p, n->bias), eps);
}

tensor linear_call(struct program *p, const struct linear_params *l, tensor x)
{
	return linear(p, x, program_param(p, l->weight), program_param(p, l->bias), 1);
}

tensor mlp_call(struct program *p, const struct mlp_params *m, tensor x)
{
	tensor h = linear_call(p, &m->fc1, norm_call(p, &m->norm, x, m->eps));

	return linear_call(p, &m->fc2, gelu(p, h));
}

tensor token_at(struct program *p, tensor tokens, int64_t index)
{
	tensor t = slice_tokens(p, tokens, index, 1);

	return program_reshape(p, t, 2, (int64_t[]){t->shape[0], tensor_last(t)});
}

tensor patches_call(struct program *p, const struct network_config *c,
	const struct linear_params *patch, tensor image)
{
	int64_t L = network_grid(c) * network_grid(c);
	tensor x;

	if (network_stride(c) == c->patch)
		return linear_call(p, patch, patches(p, image, c->patch));
	x = conv2d(p, image, program_param(p, patch->weight), program_param(p, patch->bias),
		network_stride(c), 0);
	return program_reshape(p, x, 3, (int64_t[]){image->shape[0], L, c->dim});
}

real block_drop_path(const struct network_config *c, int64_t layer)
{
	return c->depth > 1 ? (real)(c->drop_path * layer / (c->depth - 1)) : 0;
}
