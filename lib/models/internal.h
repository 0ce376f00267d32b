/* What the families share with network.c. */
#ifndef MODELS_INTERNAL_H
#define MODELS_INTERNAL_H

#include "lib/models/network.h"

struct norm_params {
	struct param *weight, *bias;
};

struct linear_params {
	struct param *weight, *bias;
};

struct mlp_params {
	struct norm_params norm;
	struct linear_params fc1, fc2;
	real eps;
};

/* "prefix.weight" and "prefix.bias", 1 and 0 */
struct norm_params norm_new(struct model *m, const char *prefix, int64_t dim);

/* How matrices and their biases start. */
struct linear_init {
	enum init weight, bias;
	double a; /* standard deviation of a normal; a uniform takes 1 / sqrt(fan in) instead */
};
extern const struct linear_init init_normal02; /* N(0, 0.02^2), bias 0 */
extern const struct linear_init init_library;  /* U(+-1/sqrt(fan in)), both */

struct linear_params linear_new(struct model *m, const struct linear_init *init, const char *prefix,
	int64_t out, int64_t in, int with_bias);

tensor norm_call(struct program *p, const struct norm_params *n, tensor x, real eps);
tensor linear_call(struct program *p, const struct linear_params *l, tensor x);
/* fc2(gelu(fc1(norm(x)))): the branch, not yet added */
tensor mlp_call(struct program *p, const struct mlp_params *m, tensor x);

/* (B, L, C) -> (B, C): the token at index */
tensor token_at(struct program *p, tensor tokens, int64_t index);

/* Stochastic depth's rate of a block. */
real block_drop_path(const struct network_config *c, int64_t layer);

int deit_new(struct network *n);
void deit_build(struct network *n, struct program *p, tensor image, const struct network_want *want,
	struct network_out *out);
int plainmamba_new(struct network *n);
void plainmamba_build(struct network *n, struct program *p, tensor image,
	const struct network_want *want, struct network_out *out);
int vim_new(struct network *n);
void vim_build(struct network *n, struct program *p, tensor image, const struct network_want *want,
	struct network_out *out);
int vmamba_new(struct network *n);
void vmamba_build(struct network *n, struct program *p, tensor image,
	const struct network_want *want, struct network_out *out);

#endif
