/* What the families share with network.c. */
#ifndef MODELS_INTERNAL_H
#define MODELS_INTERNAL_H

#include "kernels/dwconv1d.h"
#include "lib/models/language.h"

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

/* Patches of an image (B, S, S, 3) -> (B, grid^2, dim); they may overlap. */
tensor patches_call(struct program *p, const struct network_config *c,
	const struct linear_params *patch, tensor image);

/* --- bimamba.c: blocks that scan in both directions --- */

#define BIMAMBA_DIRECTIONS 2

/* Of one direction of one mixer. */
struct bimamba_path {
	struct param *conv, *conv_bias, *x_proj, *dt, *dt_bias, *A_log, *D;
};

struct bimamba_layer {
	struct norm_params norm;
	struct linear_params in_proj, out_proj;
	struct bimamba_path paths[BIMAMBA_DIRECTIONS];
	struct mlp_params mlp;
};

/* What tells the families apart. */
struct bimamba_style {
	int halved;			    /* 1: the mean of the directions, 0: their sum */
	const struct linear_init *matrices; /* how in_proj, x_proj and dt_proj start */
	enum init step_bias;		    /* of the forward direction; the backward one's is 0 */
};

struct bimamba {
	const struct bimamba_style *style;
	struct bimamba_layer layers[NETWORK_LAYERS];
	struct norm_params norm;
};

void bimamba_new(struct network *n, struct bimamba *b, const struct bimamba_style *style);
/* x (B, L, dim) through all layers and the last norm: out's last, tokens, taps and means. */
void bimamba_build(struct network *n, struct program *p, const struct bimamba *b, tensor x,
	const struct network_want *want, struct network_out *out);
/* The class token, and the head on it: out's pooled and logits. */
void bimamba_head(struct network *n, struct program *p, const struct linear_params *head,
	const struct network_want *want, struct network_out *out);

int deit_new(struct network *n);
void deit_build(struct network *n, struct program *p, tensor image, const struct network_want *want,
	struct network_out *out);
int plainmamba_new(struct network *n);
void plainmamba_build(struct network *n, struct program *p, tensor image,
	const struct network_want *want, struct network_out *out);
int vim_new(struct network *n);
void vim_build(struct network *n, struct program *p, tensor image, const struct network_want *want,
	struct network_out *out);
int videomamba_new(struct network *n);
void videomamba_build(struct network *n, struct program *p, tensor image,
	const struct network_want *want, struct network_out *out);
int vmamba_new(struct network *n);
void vmamba_build(struct network *n, struct program *p, tensor image,
	const struct network_want *want, struct network_out *out);

struct network_state {
	struct model *model; /* of buffers alone */
	int64_t batch;
	struct param *window[NETWORK_LAYERS], *scan[NETWORK_LAYERS];
};

int mambaout_new(struct network *n);
void mambaout_build(struct network *n, struct program *p, tensor image,
	const struct network_want *want, struct network_out *out);

int mamba_new(struct network *n);
void mamba_build(struct network *n, struct program *p, tensor ids,
	const struct network_state *state, const struct network_want *want,
	struct network_out *out);

#endif
