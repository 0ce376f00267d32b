#include "kernels/adapt.h"
#include "kernels/orders.h"
#include "lib/program/bench.h"
#include "lib/program/ops.h"

#include <stdlib.h>

static tensor in(
	struct program *p, const char *name, int dims, int64_t a, int64_t b, int64_t c, int64_t d)
{
	return program_input_grad(p, name, dims, (int64_t[]){a, b, c, d});
}

/* What ops leave in networks: halves where the program keeps them. */
static tensor left(
	struct program *p, const char *name, int dims, int64_t a, int64_t b, int64_t c, int64_t d)
{
	tensor t = in(p, name, dims, a, b, c, d);

	if (t && program_half(p))
		t->type = TYPE_BF16;
	return t;
}

static tensor constant(struct program *p, const char *name, enum type type, int dims, int64_t a,
	int64_t b, int64_t c, int64_t d)
{
	return program_input(p, name, type, dims, (int64_t[]){a, b, c, d});
}

/* (B, L, C) */
static tensor tokens(struct program *p, const char *name, const int64_t *n)
{
	return in(p, name, 3, n[0], n[1], n[2], 0);
}

static tensor build_add(struct program *p, const int64_t *n)
{
	return add(p, tokens(p, "a", n), tokens(p, "b", n));
}

/* n: B, L, in, out */
static tensor build_linear(struct program *p, const int64_t *n)
{
	return linear(p, left(p, "x", 3, n[0], n[1], n[2], 0), in(p, "weight", 2, n[3], n[2], 0, 0),
		in(p, "bias", 1, n[3], 0, 0, 0), 1);
}

static double flops_linear(const int64_t *n)
{
	return 2.0 * n[0] * n[1] * n[2] * n[3];
}

static tensor build_layernorm(struct program *p, const int64_t *n)
{
	return layernorm(p, tokens(p, "x", n), in(p, "weight", 1, n[2], 0, 0, 0),
		in(p, "bias", 1, n[2], 0, 0, 0), (real)1e-6);
}

static tensor build_rmsnorm(struct program *p, const int64_t *n)
{
	return rmsnorm(p, tokens(p, "x", n), in(p, "weight", 1, n[2], 0, 0, 0), (real)1e-5);
}

static tensor build_gelu(struct program *p, const int64_t *n)
{
	return gelu(p, tokens(p, "x", n));
}

/* n: B, L, heads, dim of a head */
static tensor build_attention(struct program *p, const int64_t *n)
{
	return attention(p, left(p, "qkv", 3, n[0], n[1], 3 * n[2] * n[3], 0), n[2], 0, NULL);
}

static double flops_attention(const int64_t *n)
{
	return 4.0 * n[0] * n[1] * n[1] * n[2] * n[3];
}

/* n: B, side, cin, cout, k, stride */
static tensor build_conv2d(struct program *p, const int64_t *n)
{
	return conv2d(p, left(p, "x", 4, n[0], n[1], n[1], n[2]),
		in(p, "weight", 4, n[3], n[2], n[4], n[4]), in(p, "bias", 1, n[3], 0, 0, 0), n[5],
		n[5] == n[4] ? 0 : n[4] / 2);
}

static double flops_conv2d(const int64_t *n)
{
	int64_t side = n[1] / n[5];

	return 2.0 * n[0] * side * side * n[2] * n[3] * n[4] * n[4];
}

/* n: B, rows of a sample, channels */
static tensor build_batchnorm(struct program *p, const int64_t *n)
{
	return batchnorm(p, left(p, "x", 3, n[0], n[1], n[2], 0), in(p, "weight", 1, n[2], 0, 0, 0),
		in(p, "bias", 1, n[2], 0, 0, 0), constant(p, "mean", TYPE_REAL, 1, n[2], 0, 0, 0),
		constant(p, "var", TYPE_REAL, 1, n[2], 0, 0, 0), (real)1e-5, 1);
}

/* n: B, side of the grid, E, N; then 0: four directions apart, 1: summed; 2: one direction alone,
 * over n[1] tokens; 3: apart, by zero-order hold */
static tensor build_scan(struct program *p, const int64_t *n)
{
	enum order_family family = n[4] == 2 ? ORDER_CAUSAL : ORDER_CONTINUOUS;
	int64_t height = n[4] == 2 ? 1 : n[1], L = height * n[1], E = n[2], N = n[3];
	int64_t K = order_directions(family);
	int32_t *order = malloc(K * L * sizeof(*order)), *code = malloc(K * L * sizeof(*code));
	struct scan_settings s = {
		K, 0, n[4] == 1, 1, order, n[4] == 2 ? NULL : code, NULL, n[4] == 3};
	tensor y;

	if (!order || !code) {
		free(order);
		free(code);
		return program_refuse(p, "selective_scan: out of memory");
	}
	order_fill(family, height, n[1], order, code);
	y = selective_scan(p, &s, left(p, "u", 3, n[0], L, E, 0), left(p, "r", 3, n[0], L, E, 0),
		in(p, "beta", 1, E, 0, 0, 0), in(p, "A_log", 2, E, N, 0, 0),
		left(p, "B", 3, n[0], L, N, 0), left(p, "C", 3, n[0], L, N, 0),
		in(p, "D", 1, E, 0, 0, 0), n[4] == 2 ? NULL : in(p, "direction_B", 2, 5, N, 0, 0),
		NULL);
	free(order);
	free(code);
	return y;
}

/* n: B, side of the grid, E, N; then 0: four scans apart, of which one has a gradient, 1: summed */
static tensor build_scans(struct program *p, const int64_t *n)
{
	static const char *const names[4][3] = {
		{"r0", "B0", "C0"}, {"r1", "B1", "C1"}, {"r2", "B2", "C2"}, {"r3", "B3", "C3"}};
	int64_t L = n[1] * n[1], E = n[2], N = n[3];
	int32_t *order = malloc(4 * L * sizeof(*order));
	struct scan_settings s = {4, 1, (int)n[4], 1, order, NULL};
	tensor r[4], B[4], C[4], y[4];

	if (!order)
		return program_refuse(p, "selective_scans: out of memory");
	order_fill(ORDER_CROSS, n[1], n[1], order, NULL);
	for (int k = 0; k < 4; k++) {
		r[k] = left(p, names[k][0], 3, n[0], L, E, 0);
		B[k] = left(p, names[k][1], 3, n[0], L, N, 0);
		C[k] = left(p, names[k][2], 3, n[0], L, N, 0);
	}
	selective_scans(p, &s, left(p, "u", 3, n[0], L, E, 0), r, in(p, "beta", 2, 4, E, 0, 0),
		in(p, "A_log", 2, 4 * E, N, 0, 0), B, C, in(p, "D", 1, 4 * E, 0, 0, 0), y);
	free(order);
	return y[0];
}

static double flops_scans(const int64_t *n)
{
	return 24.0 * n[0] * n[1] * n[1] * n[2] * n[3];
}

/* Of the state alone: decay, input and output, 3 multiply-adds a step and direction. */
static double flops_scan(const int64_t *n)
{
	return 6.0 * (n[4] == 2 ? 1 : 4 * n[1]) * n[0] * n[1] * n[2] * n[3];
}

/* n: B, side, E, k */
static tensor build_dwconv2d(struct program *p, const int64_t *n)
{
	return dwconv2d_silu(p, left(p, "x", 3, n[0], n[1] * n[1], n[2], 0), n[1], n[1],
		in(p, "weight", 4, n[2], 1, n[3], n[3]), in(p, "bias", 1, n[2], 0, 0, 0));
}

static tensor build_dwconv2d_alone(struct program *p, const int64_t *n)
{
	return dwconv2d(p, left(p, "x", 3, n[0], n[1] * n[1], n[2], 0), n[1], n[1],
		in(p, "weight", 4, n[2], 1, n[3], n[3]), in(p, "bias", 1, n[2], 0, 0, 0));
}

static double flops_dwconv2d(const int64_t *n)
{
	return 2.0 * n[0] * n[1] * n[1] * n[2] * n[3] * n[3];
}

static tensor build_dwconv1d(struct program *p, const int64_t *n)
{
	return dwconv1d_silu(p, left(p, "x", 3, n[0], n[1], n[2], 0),
		in(p, "weight", 3, n[2], 1, 4, 0), in(p, "bias", 1, n[2], 0, 0, 0), 0, NULL);
}

/* (B, 4, L, C) */
static tensor directions(struct program *p, const char *name, const int64_t *n)
{
	return in(p, name, 4, n[0], 4, n[1], n[2]);
}

static tensor build_gate(struct program *p, const int64_t *n)
{
	return gate(p, directions(p, "y", n), tokens(p, "z", n));
}

static tensor build_merge(struct program *p, const int64_t *n)
{
	return merge_directions(p, tokens(p, "x", n), directions(p, "o", n), (real)0.1, 1);
}

static tensor build_tap(struct program *p, const int64_t *n)
{
	return tap_resid(p, tokens(p, "x", n), directions(p, "o", n), 4);
}

static tensor build_mean_directions(struct program *p, const int64_t *n)
{
	return mean_directions(p, directions(p, "o", n));
}

/* n: B, side, C */
static tensor build_merge_patches(struct program *p, const int64_t *n)
{
	return merge_patches(p, in(p, "x", 3, n[0], n[1] * n[1], n[2], 0), n[1], n[1]);
}

static tensor build_cosine(struct program *p, const int64_t *n)
{
	return cosine(p, directions(p, "u", n), tokens(p, "v", n));
}

/* n: 1, layers */
static tensor build_adapt(struct program *p, const int64_t *n)
{
	struct adapt_settings s = {
		.mode = ADAPT_RATIO_SM, .tau = 1, .eps = (real)0.01, .factor = (real)0.5};
	static const char *const names[] = {"c0", "c1", "c2", "c3"};
	tensor c[4], weights, cosines;

	for (int i = 0; i < 4; i++)
		c[i] = in(p, names[i], 1, 4, 0, 0, 0);
	return adapt(p, &s, 4, c, &weights, &cosines);
}

/* n: B, L, W, W' */
static tensor build_gate_join(struct program *p, const int64_t *n)
{
	return gate_join(p, left(p, "a", 3, n[0], n[1], n[2], 0),
		left(p, "b", 3, n[0], n[1], n[3], 0), left(p, "c", 3, n[0], n[1], n[2] - n[3], 0));
}

/* n: B, classes */
static tensor build_cross_entropy(struct program *p, const int64_t *n)
{
	return cross_entropy(p, in(p, "logits", 2, n[0], n[1], 0, 0),
		constant(p, "target", TYPE_REAL, 2, n[0], n[1], 0, 0));
}

/* n: B, L, vocabulary */
static tensor build_label_entropy(struct program *p, const int64_t *n)
{
	return label_entropy(p, left(p, "logits", 3, n[0], n[1], n[2], 0),
		constant(p, "labels", TYPE_I32, 2, n[0], n[1], 0, 0));
}

/* n: B, L, vocabulary, C */
static tensor build_embedding(struct program *p, const int64_t *n)
{
	return embedding(p, constant(p, "ids", TYPE_I32, 2, n[0], n[1], 0, 0),
		in(p, "table", 2, n[2], n[3], 0, 0));
}

static tensor build_kl(struct program *p, const int64_t *n)
{
	return kl_logits(p, in(p, "student", 2, n[0], n[1], 0, 0),
		constant(p, "teacher", TYPE_REAL, 2, n[0], n[1], 0, 0), 2);
}

static tensor build_channel_ce(struct program *p, const int64_t *n)
{
	return channel_ce(p, in(p, "a", 2, n[0], n[1], 0, 0), in(p, "b", 2, n[0], n[1], 0, 0), 1);
}

static tensor build_token_loss(struct program *p, const int64_t *n)
{
	return l2_tokens(p, tokens(p, "u", n), tokens(p, "v", n));
}

static tensor build_shard_part(struct program *p, const int64_t *n)
{
	return shard_part(p, in(p, "x", 1, n[0], 0, 0, 0));
}

static tensor build_insert(struct program *p, const int64_t *n)
{
	return insert_token(p, tokens(p, "x", n), in(p, "token", 3, 1, 1, n[2], 0), 0);
}

static tensor build_add_rows(struct program *p, const int64_t *n)
{
	return add_rows(p, tokens(p, "x", n), in(p, "rows", 3, 1, n[1], n[2], 0));
}

/* Clips of twelve frames, after a class token. */
static tensor build_clip_rows(struct program *p, const int64_t *n)
{
	return clip_rows(p, tokens(p, "x", n), in(p, "rows", 3, 1, 1 + (n[1] - 1) / 12, n[2], 0),
		in(p, "times", 3, 1, (int64_t)12, n[2], 0), 1);
}

static tensor build_slice(struct program *p, const int64_t *n)
{
	return slice_tokens(p, tokens(p, "x", n), 1, n[1] - 1);
}

static tensor build_mean_tokens(struct program *p, const int64_t *n)
{
	return mean_tokens(p, tokens(p, "x", n));
}

/* n: B, side, C */
static tensor build_pool(struct program *p, const int64_t *n)
{
	return pool_tokens(p, in(p, "x", 3, n[0], n[1] * n[1], n[2], 0), n[1], n[1], 2);
}

static tensor build_permute(struct program *p, const int64_t *n)
{
	int32_t *order = malloc(n[1] * sizeof(*order));
	tensor y;

	if (!order)
		return program_refuse(p, "permute_tokens: out of memory");
	for (int64_t i = 0; i < n[1]; i++)
		order[i] = (int32_t)(n[1] - 1 - i);
	y = permute_tokens(p, tokens(p, "x", n), order);
	free(order);
	return y;
}

/* The two directions of a scan. */
static tensor build_concat(struct program *p, const int64_t *n)
{
	return concat_tokens(
		p, 2, (tensor[]){tokens(p, "forward", n), tokens(p, "backward", n)}, (real)0.5);
}

/* n: B, side, patch */
static tensor build_patches(struct program *p, const int64_t *n)
{
	return patches(p, in(p, "image", 4, n[0], n[1], n[1], 3), n[2]);
}

static tensor build_residual(struct program *p, const int64_t *n)
{
	return residual(p, tokens(p, "x", n), tokens(p, "branch", n), (real)0.1, 1);
}

static tensor build_split(struct program *p, const int64_t *n)
{
	tensor parts[2];

	split(p, tokens(p, "x", n), 2, (int64_t[]){n[2] / 2, n[2] - n[2] / 2}, parts);
	return add(p, parts[0], parts[1]); /* so that both halves have gradients */
}

static tensor build_weighted_sum(struct program *p, const int64_t *n)
{
	return weighted_sum(p, 2, (tensor[]){in(p, "a", 1, 1, 0, 0, 0), in(p, "b", 1, 1, 0, 0, 0)},
		(real[]){1, (real)0.5});
}

/* n: B, side */
static tensor build_image(struct program *p, const int64_t *n)
{
	soft_target(p, constant(p, "labels", TYPE_I32, 1, n[0], 0, 0, 0), 10, (real)0.1, n[0]);
	return image_input(p, constant(p, "pixels", TYPE_U8, 4, n[0], n[1], n[1], 3), n[0]);
}

static tensor build_target(struct program *p, const int64_t *n)
{
	image_input(p, constant(p, "pixels", TYPE_U8, 4, n[0], 8, 8, 3), n[0]);
	return soft_target(
		p, constant(p, "labels", TYPE_I32, 1, n[0], 0, 0, 0), n[1], (real)0.1, n[0]);
}

/* n: 1, count */
static tensor array(struct program *p, const char *name, const int64_t *n)
{
	return constant(p, name, TYPE_REAL, 1, n[1], 0, 0, 0);
}

static tensor build_sumsq(struct program *p, const int64_t *n)
{
	return sumsq(p, array(p, "x", n));
}

static tensor build_accumulate(struct program *p, const int64_t *n)
{
	accumulate(p, array(p, "a", n), array(p, "b", n));
	return NULL;
}

static tensor build_update_gate(struct program *p, const int64_t *n)
{
	return update_gate(p, constant(p, "norm2", TYPE_REAL, 1, 1, 0, 0, 0),
		constant(p, "loss", TYPE_REAL, 1, 1, 0, 0, 0), NULL, 1);
}

static tensor gate_of(struct program *p)
{
	return constant(p, "gate", TYPE_REAL, 1, 2, 0, 0, 0);
}

static tensor build_adamw(struct program *p, const int64_t *n)
{
	struct adamw_settings s = {(real)0.9, (real)0.999, (real)1e-8, (real)0.05, 1};

	adamw(p, &s, array(p, "weight", n), array(p, "m", n), array(p, "v", n), array(p, "g", n),
		gate_of(p));
	return NULL;
}

static tensor build_sgd(struct program *p, const int64_t *n)
{
	struct sgd_settings s = {(real)0.9, 0, 1};

	sgd(p, &s, array(p, "weight", n), array(p, "m", n), array(p, "g", n), gate_of(p));
	return NULL;
}

static tensor build_ema(struct program *p, const int64_t *n)
{
	ema_buffer(p, (real)0.1, array(p, "running", n), array(p, "stat", n), gate_of(p));
	return NULL;
}

/* DeiT-T and PlainMamba-T at 224 pixels, then the tiny scale (batch 64, 32 pixels, 4 x 4 grid). */
static const struct bench_case cases[] = {
	{"linear", build_linear, flops_linear, 2, {32, 197, 192, 576}},
	{"linear", build_linear, flops_linear, 2, {32, 197, 192, 192}},
	{"linear", build_linear, flops_linear, 2, {32, 197, 192, 768}},
	{"linear", build_linear, flops_linear, 2, {32, 197, 768, 192}},
	{"linear", build_linear, flops_linear, 2, {64, 17, 48, 144}},
	{"linear", build_linear, flops_linear, 2, {64, 17, 64, 256}},
	{"linear", build_linear, flops_linear, 2, {64, 17, 256, 64}},
	{"linear", build_linear, flops_linear, 2, {64, 16, 64, 18}},
	{"linear", build_linear, flops_linear, 2, {64, 16, 2, 64}},
	{"attention", build_attention, flops_attention, 2.5, {32, 197, 3, 64}},
	{"attention", build_attention, flops_attention, 2.5, {64, 17, 3, 16}},
	{"layernorm", build_layernorm, NULL, 0, {32, 197, 192}},
	{"layernorm", build_layernorm, NULL, 0, {64, 17, 48}},
	{"rmsnorm", build_rmsnorm, NULL, 0, {32, 197, 192}},
	{"gelu", build_gelu, NULL, 0, {32, 197, 768}},
	{"gelu", build_gelu, NULL, 0, {64, 17, 192}},
	{"conv2d", build_conv2d, flops_conv2d, 2, {8, 112, 3, 64, 3, 2}},
	{"conv2d", build_conv2d, flops_conv2d, 2, {64, 32, 3, 16, 3, 2}},
	{"batchnorm", build_batchnorm, NULL, 0, {8, 3136, 64}},
	{"batchnorm", build_batchnorm, NULL, 0, {64, 256, 16}},
	{"selective_scan", build_scan, flops_scan, 3, {8, 14, 384, 16}},
	{"selective_scan", build_scan, flops_scan, 3, {8, 14, 384, 16, 1}},
	{"selective_scan", build_scan, flops_scan, 3, {8, 196, 384, 16, 2}},
	{"selective_scan", build_scan, flops_scan, 3, {2, 3136, 192, 16, 2}},
	{"selective_scan", build_scan, flops_scan, 3, {2, 3136, 192, 1, 2}},
	{"selective_scan", build_scan, flops_scan, 3, {2, 2353, 1152, 16, 2}},
	{"selective_scan", build_scan, flops_scan, 3, {64, 4, 64, 8}},
	{"selective_scan_zoh", build_scan, flops_scan, 3, {16, 4, 64, 8, 3}},
	{"selective_scans", build_scans, flops_scans, 3, {2, 56, 192, 16, 1}},
	{"selective_scans", build_scans, flops_scans, 3, {2, 56, 192, 16}},
	{"selective_scans", build_scans, flops_scans, 3, {2, 56, 192, 1, 1}},
	{"selective_scans", build_scans, flops_scans, 3, {2, 56, 192, 1}},
	{"selective_scans", build_scans, flops_scans, 3, {4, 14, 768, 16, 1}},
	{"dwconv2d_silu", build_dwconv2d, flops_dwconv2d, 2, {8, 14, 384, 7}},
	{"dwconv2d_silu", build_dwconv2d, flops_dwconv2d, 2, {64, 4, 64, 7}},
	{"dwconv2d", build_dwconv2d_alone, flops_dwconv2d, 2, {8, 14, 192, 3}},
	{"dwconv1d_silu", build_dwconv1d, NULL, 0, {8, 197, 384}},
	{"gate", build_gate, NULL, 0, {8, 196, 384}},
	{"gate", build_gate, NULL, 0, {64, 16, 64}},
	{"gate_join", build_gate_join, NULL, 0, {8, 196, 512, 320}},
	{"merge_directions", build_merge, NULL, 0, {8, 196, 192}},
	{"tap_resid", build_tap, NULL, 0, {8, 196, 192}},
	{"mean_directions", build_mean_directions, NULL, 0, {8, 196, 192}},
	{"cosine", build_cosine, NULL, 0, {8, 196, 192}},
	{"cosine", build_cosine, NULL, 0, {64, 16, 48}},
	{"adapt", build_adapt, NULL, 0, {1}},
	{"cross_entropy", build_cross_entropy, NULL, 0, {64, 1000}},
	{"label_entropy", build_label_entropy, NULL, 0, {4, 64, 50280}},
	{"kl_logits", build_kl, NULL, 0, {64, 1000}},
	{"channel_ce", build_channel_ce, NULL, 0, {64, 192}},
	{"token_loss", build_token_loss, NULL, 0, {8, 196, 192}},
	{"shard_part", build_shard_part, NULL, 0, {1}},
	{"add", build_add, NULL, 0, {32, 197, 192}},
	{"residual", build_residual, NULL, 0, {32, 197, 192}},
	{"embedding", build_embedding, NULL, 0, {4, 256, 50280, 768}},
	{"insert_token", build_insert, NULL, 0, {32, 196, 192}},
	{"add_rows", build_add_rows, NULL, 0, {32, 197, 192}},
	{"clip_rows", build_clip_rows, NULL, 0, {2, 2353, 576}},
	{"slice_tokens", build_slice, NULL, 0, {32, 197, 192}},
	{"mean_tokens", build_mean_tokens, NULL, 0, {32, 197, 192}},
	{"pool_tokens", build_pool, NULL, 0, {32, 14, 192}},
	{"permute_tokens", build_permute, NULL, 0, {32, 197, 192}},
	{"concat_tokens", build_concat, NULL, 0, {8, 197, 384}},
	{"merge_patches", build_merge_patches, NULL, 0, {8, 56, 96}},
	{"patches", build_patches, NULL, 0, {32, 224, 16}},
	{"split", build_split, NULL, 0, {8, 196, 768}},
	{"weighted_sum", build_weighted_sum, NULL, 0, {1}},
	{"image_input", build_image, NULL, 0, {32, 224}},
	{"soft_target", build_target, NULL, 0, {64, 1000}},
	{"sumsq", build_sumsq, NULL, 0, {1, 5717416}},
	{"accumulate", build_accumulate, NULL, 0, {1, 5717416}},
	{"update_gate", build_update_gate, NULL, 0, {1}},
	{"adamw", build_adamw, NULL, 0, {1, 5717416}},
	{"sgd", build_sgd, NULL, 0, {1, 5717416}},
	{"ema_buffer", build_ema, NULL, 0, {1, 384}},
};

const struct bench_case *bench_case_at(int i)
{
	return i >= 0 && i < (int)(sizeof(cases) / sizeof(cases[0])) ? &cases[i] : NULL;
}
