#include "kernels/attention.h"
#include "kernels/gemm.h"
#include "kernels/vmath.h"

#include <omp.h>
#include <string.h>

#define QUERIES 96   /* of a block */
#define THREADS 64   /* that have work memory */
#define SMALL 200000 /* multiply-adds below which one thread is faster */
#define LINE 16	     /* reals of a cache line */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t lines(int64_t n)
{
	return (n + LINE - 1) / LINE * LINE;
}

/* One sample and head. */
struct head {
	const real *q, *k, *v;
	const int32_t *segments;
	int64_t row; /* from token to token in qkv */
	int64_t pad; /* len in whole panels: row of the scores */
	real scale;
};

static struct head head_of(
	const struct attention *p, const real *qkv, const int32_t *segments, int64_t n)
{
	int64_t C = p->heads * p->dim, b = n / p->heads, h = n % p->heads;
	const real *q = qkv + b * p->len * 3 * C + h * p->dim;

	return (struct head){q, q + C, q + 2 * C, segments ? segments + b * p->len : NULL, 3 * C,
		gemm_padded(p->len), 1 / REAL_M(sqrt)((real)p->dim)};
}

/* Keys [from, to) that query i sees. */
struct keys {
	int64_t from, to;
};

static struct keys keys_of(const struct attention *p, const struct head *a, int64_t i)
{
	struct keys r = {0, p->len};

	if (a->segments) {
		for (r.from = i; r.from > 0 && a->segments[r.from - 1] == a->segments[i]; r.from--)
			;
		for (r.to = i + 1; r.to < p->len && a->segments[r.to] == a->segments[i]; r.to++)
			;
	}
	if (p->causal)
		r.to = i + 1;
	return r;
}

/* Whole panels that hold every key of queries [i, i + n). */
static struct keys keys_of_block(
	const struct attention *p, const struct head *a, int64_t i, int64_t n)
{
	struct keys first = keys_of(p, a, i), last = keys_of(p, a, i + n - 1);

	return (struct keys){first.from / GEMM_PANEL * GEMM_PANEL, gemm_padded(last.to)};
}

/* s (n, pad) = x_i . y_j, for the keys of the block; packed is y's transpose. */
static void products(const struct attention *p, const struct head *a, real *s, int64_t n,
	struct keys keys, const real *x, int64_t x_row, const real *packed)
{
	struct gemm_tile t = {.m = n,
		.n = keys.to - keys.from,
		.k = p->dim,
		.a = x,
		.a_row = x_row,
		.a_col = 1,
		.packed = packed + keys.from * p->dim,
		.c = s + keys.from,
		.ldc = a->pad};

	gemm_tile(&t);
}

/* Values of the block's part of a row: a multiple of the lanes, which spares loops their rest. */
static inline int64_t width_of(struct keys block)
{
	return (block.to - block.from) & ~(int64_t)(GEMM_PANEL - 1);
}

/* Scores of keys that the query does not see become -infinity. */
INLINE void hide(real *s, struct keys block, struct keys keys)
{
	for (int64_t j = block.from; j < keys.from; j++)
		s[j] = -INFINITY;
	for (int64_t j = keys.to; j < block.to; j++)
		s[j] = -INFINITY;
}

INLINE real largest(const real *s, int64_t n)
{
	real max = s[0];

	n &= ~(int64_t)(GEMM_PANEL - 1);
#pragma omp simd reduction(max : max)
	for (int64_t j = 0; j < n; j++)
		max = s[j] > max ? s[j] : max;
	return max;
}

INLINE real total_product(const real *a, const real *b, int64_t n)
{
	vec sum = {0};

	for (int64_t j = 0; j < n; j += LANES)
		sum += vec_load(a + j) * vec_load(b + j);
	return vec_sum(sum);
}

/* e^x for x <= 0, 0 below -87.33: vexp_minus of all lanes */
INLINE vec vec_exp_minus(vec x)
{
	vec e;

	for (int l = 0; l < LANES; l++)
		e[l] = vexp_minus(x[l]);
	return e;
}

/* s becomes exp(scale s - max) factor; returns the sum before the factor. n: whole panels. */
INLINE real exponentials(real *s, int64_t n, real scale, real max, real factor)
{
	vec first = {0}, second = {0};

	for (int64_t j = 0; j < n; j += 2 * LANES) {
		vec a = vec_exp_minus(scale * vec_load(s + j) - max);
		vec b = vec_exp_minus(scale * vec_load(s + j + LANES) - max);

		first += a;
		second += b;
		*(vec *)(s + j) = a * factor;
		*(vec *)(s + j + LANES) = b * factor;
	}
	return vec_sum(first + second);
}

INLINE void scale_row(real *s, int64_t n, real factor)
{
	n &= ~(int64_t)(GEMM_PANEL - 1);
#pragma omp simd
	for (int64_t j = 0; j < n; j++)
		s[j] *= factor;
}

/* Softmax of the block's rows in place; stat (n, 2). */
static void softmax(const struct attention *p, const struct head *a, real *s, int64_t i, int64_t n,
	struct keys block, real *stat)
{
	int64_t width = width_of(block);

	for (int64_t r = 0; r < n; r++, s += a->pad, stat += 2) {
		hide(s, block, keys_of(p, a, i + r));
		stat[0] = a->scale * largest(s + block.from, width);
		stat[1] = 1 / exponentials(s + block.from, width, a->scale, stat[0], 1);
		scale_row(s + block.from, width, stat[1]);
	}
}

static void head_forward(
	const struct attention *p, real *y, real *stat, const struct head *a, real *work)
{
	real *k = work, *v = k + lines(a->pad * p->dim),
	     *s = v + lines(gemm_packed(p->len, p->dim));

	gemm_pack(k, a->k, 1, a->row, p->dim, p->len);
	gemm_pack(v, a->v, a->row, 1, p->len, p->dim);
	for (int64_t i = 0; i < p->len; i += QUERIES) {
		int64_t n = least(QUERIES, p->len - i);
		struct keys block = keys_of_block(p, a, i, n);
		struct gemm_tile t = {.m = n,
			.n = p->dim,
			.k = p->len,
			.a = s,
			.a_row = a->pad,
			.a_col = 1,
			.packed = v,
			.c = y + i * p->heads * p->dim,
			.ldc = p->heads * p->dim};

		products(p, a, s, n, block, a->q + i * a->row, a->row, k);
		softmax(p, a, s, i, n, block, stat + 2 * i);
		for (int64_t r = 0; r < n; r++) { /* keys outside the block count as nothing */
			memset(s + r * a->pad, 0, block.from * sizeof(*s));
			memset(s + r * a->pad + block.to, 0, (a->pad - block.to) * sizeof(*s));
		}
		gemm_tile(&t);
	}
}

static int64_t slot_size(const struct attention *p, int backward)
{
	int64_t pad = gemm_padded(p->len), wide = gemm_padded(p->dim);

	if (!backward)
		return lines(pad * p->dim) + lines(p->len * wide) + QUERIES * pad;
	return 2 * lines(pad * p->dim) + lines(p->len * wide) + QUERIES * (2 * pad + 2 * wide);
}

static int64_t slots(const struct attention *p)
{
	return least(THREADS, p->batch * p->heads);
}

int64_t attention_work_fast(const struct attention *p, int backward)
{
	return slots(p) * slot_size(p, backward);
}

static int threads_for(const struct attention *p)
{
	int64_t products = p->batch * p->heads * p->len * p->len * p->dim;

	return products > SMALL ? (int)least(slots(p), omp_get_max_threads()) : 1;
}

void attention_forward_fast(const struct attention *p, real *y, real *stat, const real *qkv,
	const int32_t *segments, real *work)
{
	int64_t slot = slot_size(p, 0), C = p->heads * p->dim;

#pragma omp parallel for schedule(dynamic) num_threads(threads_for(p))
	for (int64_t n = 0; n < p->batch * p->heads; n++) {
		struct head a = head_of(p, qkv, segments, n);
		int64_t b = n / p->heads, h = n % p->heads;

		head_forward(p, y + b * p->len * C + h * p->dim, stat + n * p->len * 2, &a,
			work + omp_get_thread_num() * slot);
	}
}

/* p and dp (n, pad) become p and ds: see the header; outside a query's keys both are 0. */
static void score_back(const struct attention *p, const struct head *a, real *s, real *dp,
	int64_t i, int64_t n, struct keys block, const real *stat)
{
	int64_t width = width_of(block);

	s += block.from;
	dp += block.from;
	for (int64_t r = 0; r < n; r++, s += a->pad, dp += a->pad, stat += 2) {
		real mean, scale = a->scale;

		hide(s - block.from, block, keys_of(p, a, i + r));
		exponentials(s, width, scale, stat[0], stat[1]);
		mean = total_product(s, dp, width);
#pragma omp simd
		for (int64_t j = 0; j < width; j++)
			dp[j] = s[j] * (dp[j] - mean) * scale;
	}
}

/* c (len, dim) += the keys' rows of s^T (len, n) times packed (n, dim) */
static void keys_back(const struct attention *p, const struct head *a, real *c, int64_t n,
	struct keys keys, const real *s, const real *packed)
{
	struct gemm_tile t = {.m = least(keys.to, p->len) - keys.from,
		.n = p->dim,
		.k = n,
		.a = s + keys.from,
		.a_row = 1,
		.a_col = a->pad,
		.packed = packed,
		.c = c + keys.from * a->row,
		.ldc = a->row,
		.add = 1};

	gemm_tile(&t);
}

static void head_back(const struct attention *p, real *dq, const real *dy, const real *stat,
	const struct head *a, real *work)
{
	int64_t C = p->heads * p->dim, wide = gemm_padded(p->dim);
	real *kt = work, *vt = kt + lines(a->pad * p->dim), *k = vt + lines(a->pad * p->dim);
	real *s = k + lines(p->len * wide), *dp = s + QUERIES * a->pad;
	real *q = dp + QUERIES * a->pad, *d = q + QUERIES * wide;

	gemm_pack(kt, a->k, 1, a->row, p->dim, p->len);
	gemm_pack(vt, a->v, 1, a->row, p->dim, p->len);
	gemm_pack(k, a->k, a->row, 1, p->len, p->dim);
	for (int64_t i = 0; i < p->len; i += QUERIES) {
		int64_t n = least(QUERIES, p->len - i);
		struct keys block = keys_of_block(p, a, i, n);
		struct gemm_tile t = {.m = n,
			.n = p->dim,
			.k = p->len,
			.a = dp,
			.a_row = a->pad,
			.a_col = 1,
			.packed = k,
			.c = dq + i * a->row,
			.ldc = a->row,
			.add = 1};

		products(p, a, s, n, block, a->q + i * a->row, a->row, kt);
		products(p, a, dp, n, block, dy + i * C, C, vt);
		score_back(p, a, s, dp, i, n, block, stat + 2 * i);
		for (int64_t r = 0; r < n; r++) {
			memset(dp + r * a->pad, 0, block.from * sizeof(*dp));
			memset(dp + r * a->pad + block.to, 0, (a->pad - block.to) * sizeof(*dp));
		}
		gemm_tile(&t);
		gemm_pack(q, a->q + i * a->row, a->row, 1, n, p->dim);
		gemm_pack(d, dy + i * C, C, 1, n, p->dim);
		keys_back(p, a, dq + C, n, block, dp, q);
		keys_back(p, a, dq + 2 * C, n, block, s, d);
	}
}

void attention_backward_fast(const struct attention *p, real *dqkv, int acc, const real *dy,
	const real *stat, const real *qkv, const int32_t *segments, real *work)
{
	int64_t slot = slot_size(p, 1), C = p->heads * p->dim;

#pragma omp parallel for schedule(dynamic) num_threads(threads_for(p))
	for (int64_t n = 0; n < p->batch * p->heads; n++) {
		struct head a = head_of(p, qkv, segments, n);
		int64_t b = n / p->heads, h = n % p->heads;
		real *dq = dqkv + b * p->len * 3 * C + h * p->dim;

		for (int64_t i = 0; !acc && i < 3 * p->len; i++)
			memset(dq + i / 3 * a.row + i % 3 * C, 0, p->dim * sizeof(*dq));
		head_back(p, dq, dy + b * p->len * C + h * p->dim, stat + n * p->len * 2, &a,
			work + omp_get_thread_num() * slot);
	}
}
