/*
 * Builders of ops: each checks its shapes, records one call and returns the output.
 *
 * A builder's comment names shapes only; formula, kept values and gradients stand in the kernel's
 * header of the same name. B batch, L tokens, C channels, K scan directions. NULL for an optional
 * tensor: absent. Images are (B, height, width, channels).
 */
#ifndef PROGRAM_OPS_H
#define PROGRAM_OPS_H

#include "kernels/adapt.h"
#include "lib/program/program.h"

/* --- basic (ops_basic.c) --- */

/* Two tensors of one shape. */
tensor add(struct program *p, tensor a, tensor b);
tensor mean_of_two(struct program *p, tensor a, tensor b);

/* --- dense (ops_dense.c, ops_image.c, ops_tokens.c) --- */

/* (..., K) with weight (N, K) and optional bias (N) times bias_scale -> (..., N). A weight of more
 * than two axes counts as (N, rest). */
tensor linear(struct program *p, tensor x, tensor weight, tensor bias, real bias_scale);

/* Over the last axis; weight and bias (C), or NULL for plain standardisation. */
tensor layernorm(struct program *p, tensor x, tensor weight, tensor bias, real eps);
tensor rmsnorm(struct program *p, tensor x, tensor weight, real eps);

tensor gelu(struct program *p, tensor x);

/* Packed (B, L, 3C) as [q | k | v] -> (B, L, C). segments: int32 segment starts, or NULL. */
tensor attention(struct program *p, tensor qkv, int64_t heads, int causal, tensor segments);

/* (B, h, w, cin) with weight (cout, cin, k, k) -> (B, h', w', cout) */
tensor conv2d(struct program *p, tensor x, tensor weight, tensor bias, int64_t stride, int64_t pad);

/*
 * Over the last axis, all others are rows. mean and var are buffers of the model. In PROGRAM_TRAIN
 * the batch's statistics normalise and are written to the buffers' stat slots; in PROGRAM_FROZEN
 * they normalise and are not written; in PROGRAM_EVAL the buffers normalise.
 */
tensor batchnorm(struct program *p, tensor x, tensor weight, tensor bias, tensor mean, tensor var,
	real eps, int relu);

/* (B, h, w, c) -> (B, (h/k)(w/k), c*k*k), values ordered (channel, row, column) */
tensor patches(struct program *p, tensor image, int64_t k);

/* (B, h*w, C) -> (B, ceil(h/2)*ceil(w/2), 4C): 2 x 2 blocks, zeros outside */
tensor merge_patches(struct program *p, tensor x, int64_t height, int64_t width);

/* ids int32 (B, L) or (B) and a table (V, C) -> (..., C); zeros for numbers outside the table */
tensor embedding(struct program *p, tensor ids, tensor table);
/* (B, L, C) and token (1, 1, C) -> (B, L + 1, C) with the token at index */
tensor insert_token(struct program *p, tensor x, tensor token, int64_t index);
/* (B, L, C) + rows (1, L, C) */
tensor add_rows(struct program *p, tensor x, tensor rows);
/*
 * (B, before + frames * n, C) + rows (1, before + n, C) in each of the frames + times
 * (1, frames, C) in all places of each
 */
tensor clip_rows(struct program *p, tensor x, tensor rows, tensor times, int64_t before);
/* (B, L, C) -> (B, n, C) */
tensor slice_tokens(struct program *p, tensor x, int64_t from, int64_t n);
/* (B, L, C) -> (B, C) */
tensor mean_tokens(struct program *p, tensor x);
/* (..., h*w, C) -> (..., (h/f)*(w/f), C): mean over f x f blocks of the grid */
tensor pool_tokens(struct program *p, tensor x, int64_t height, int64_t width, int64_t f);
/* (B, L, C), order of n entries -> (B, n, C): y[i] = x[order[i]]; order is a permutation */
tensor permute_tokens(struct program *p, tensor x, const int32_t *order);
/* n tensors (B, L_i, C) times scale -> (B, sum of L_i, C) */
tensor concat_tokens(struct program *p, int n, const tensor *x, real scale);

/* x + branch; in PROGRAM_TRAIN each sample's branch is dropped with the given rate. */
tensor residual(struct program *p, tensor x, tensor branch, real rate, int layer);

/* (..., sum of widths) -> n tensors (..., widths[i]) */
void split(struct program *p, tensor x, int n, const int64_t *widths, tensor *out);

/* Sum of coefs[i] * scalars[i] -> (1) */
tensor weighted_sum(struct program *p, int n, const tensor *scalars, const real *coefs);

/* --- input (ops_input.c) --- */

/*
 * Bytes (B, S, S, 3) -> normalised, erased and mixed image (B, S, S, 3). The tables that say what
 * is erased and mixed are inputs of the program under the names "erase" and "mix" (made by this
 * builder; see kernels/image_input.h). shard: samples that mix among themselves.
 */
tensor image_input(struct program *p, tensor pixels, int64_t shard);
/* labels int32 (B) and the "mix" table -> target probabilities (B, classes) */
tensor soft_target(
	struct program *p, tensor labels, int64_t classes, real smoothing, int64_t shard);

/* --- scan (ops_scan.c) --- */

struct scan_settings {
	int64_t directions;   /* K */
	int param_at_scan;    /* 0: delta, B, C by step (PlainMamba); 1: by token */
	int merged;	      /* 1: output summed over K */
	real kappa;	      /* multiplier of the step's bias */
	const int32_t *order; /* (K, L) token visited at each step */
	const int32_t *code;  /* (K, L) step codes, with direction_B; else NULL */
	tensor state;	      /* (B, E, N) to go on from and to leave behind, or NULL */
	int zoh;	      /* 1: zero-order hold of the input (CPU alone), 0: Euler's step */
};

/*
 * u (B, L, E), r (B, L, E) step before bias and softplus, beta (E), A_log (E, N), Bm and C
 * (B, L, N), D (E), direction_B (5, N) or NULL -> (B, K, L, E), or (B, L, E) if merged; tokens in
 * raster order. A row goes on from s->state only in PROGRAM_EVAL, one direction, without segments.
 */
tensor selective_scan(struct program *p, const struct scan_settings *s, tensor u, tensor r,
	tensor beta, tensor A_log, tensor Bm, tensor C, tensor D, tensor direction_B,
	tensor segments);

/*
 * K scans of one u, each in its own order (K, L; as settings have it, all else of them but
 * directions, merged and kappa being as by token) and with its own r, Bm and C (as above, by scan),
 * and rows k of beta (K E), A_log (K E, N) and D (K E), whatever their axes -> K of (B, L, E) into
 * y, or their sum into y[0] if merged
 */
void selective_scans(struct program *p, const struct scan_settings *s, tensor u, const tensor *r,
	tensor beta, tensor A_log, const tensor *Bm, const tensor *C, tensor D, tensor *y);

/* (B, L, E) on a height x width grid, weight (E, 1, k, k), bias (E) or NULL: convolution, SiLU */
tensor dwconv2d_silu(
	struct program *p, tensor x, int64_t height, int64_t width, tensor weight, tensor bias);
/* The convolution alone. */
tensor dwconv2d(
	struct program *p, tensor x, int64_t height, int64_t width, tensor weight, tensor bias);
/* (B, L, E), weight (E, 1, 4), bias (E); mirrored: the kernel looks ahead instead of back */
tensor dwconv1d_silu(
	struct program *p, tensor x, tensor weight, tensor bias, int mirrored, tensor segments);
/* The causal one, going on from the tokens of window (B, 3, E) and leaving its last ones there. */
tensor dwconv1d_carried(struct program *p, tensor x, tensor weight, tensor bias, tensor window);

/* y (B, K, L, E) or (B, L, E) times silu(z), z (B, L, E) */
tensor gate(struct program *p, tensor y, tensor z);
/* scale (y + y2) silu(z) */
tensor gate_pair(struct program *p, tensor y, tensor y2, real scale, tensor z);
/* a (..., W) times b (..., W') and c (..., W - W') side by side */
tensor gate_join(struct program *p, tensor a, tensor b, tensor c);
/* x (B, L, C) + sum over K of o (B, K, L, C); in PROGRAM_TRAIN with drop path as residual */
tensor merge_directions(struct program *p, tensor x, tensor o, real rate, int layer);
/* x (B, L, C) + kappa * o (B, K, L, C) -> (B, K, L, C) */
tensor tap_resid(struct program *p, tensor x, tensor o, real kappa);
/* (B, K, L, C) -> (B, 1, L, C), the mean */
tensor mean_directions(struct program *p, tensor s);

/* --- losses (ops_loss.c): scalars (1) unless said --- */

/* u (B, K, L, C) or (B, L, C), v (B, L, C) -> (K): mean cosine over batch and tokens */
tensor cosine(struct program *p, tensor u, tensor v);

struct adapt_settings {
	enum adapt_mode mode;
	real tau, eps;
	int stop_gradient;
	real factor; /* before the sum over directions: 2/K, 1, 1/K ... */
};
/* c[i] (K) for each of n layers; *weights gets the (n, K) weights, *cosines the (n, K) values */
tensor adapt(struct program *p, const struct adapt_settings *s, int n, const tensor *c,
	tensor *weights, tensor *cosines);

/* logits (B, C), target (B, C): sum over the batch / step.divisor */
tensor cross_entropy(struct program *p, tensor logits, tensor target);
/*
 * logits (..., C), labels int32 (...): the same with a label a row; a label outside [0, C) counts
 * nothing, so that step.divisor is the number of the others
 */
tensor label_entropy(struct program *p, tensor logits, tensor labels);
/* T^2 KL(softmax(teacher/T) || softmax(student/T)), sum over the batch / step.divisor */
tensor kl_logits(struct program *p, tensor student, tensor teacher, real temperature);
/* H_T(a, b) over channels (method: RC loss), a, b (B, C): sum over the batch / step.divisor */
tensor channel_ce(struct program *p, tensor a, tensor b, real temperature);
/* u, v (B, L, C): mean over channels and tokens, sum over the batch / step.divisor */
tensor l1_tokens(struct program *p, tensor u, tensor v);
tensor l2_tokens(struct program *p, tensor u, tensor v);
/* x * step.scale: turns a mean over a shard into its part of the mean over the batch */
tensor shard_part(struct program *p, tensor x);

/* --- optimiser (ops_update.c): no gradients; data are externals --- */

/* partial sums of squares of x per block of 65,536, added over a fixed tree -> (1) */
tensor sumsq(struct program *p, tensor x);
/* a += b */
void accumulate(struct program *p, tensor a, tensor b);
/*
 * gate (2): [0] the factor that clips the gradient to max_norm (1 if max_norm is 0), [1] 1 if loss
 * and norm are finite, else 0: the update then writes nothing. norm2 and loss are (1). failed (1)
 * or NULL: remembers a step that was not finite, after which every gate is shut.
 */
tensor update_gate(struct program *p, tensor norm2, tensor loss, tensor failed, real max_norm);

struct adamw_settings {
	double beta1, beta2, eps, decay;
	double lr_scale; /* multiplies step.lr */
};
/*
 * All (count): one call per stretch of parameters with equal decay and rate. step.lr, step.step.
 * gate NULL: the gradient as it is, always applied (here and below).
 */
void adamw(struct program *p, const struct adamw_settings *s, tensor weight, tensor m, tensor v,
	tensor grad, tensor gate);
struct sgd_settings {
	double momentum, decay, lr_scale;
};
void sgd(struct program *p, const struct sgd_settings *s, tensor weight, tensor momentum,
	tensor grad, tensor gate);
/* running = (1 - m) running + m * stat * step.scale, where stat is a sum over shards */
void ema_buffer(struct program *p, real m, tensor running, tensor stat, tensor gate);

#endif
