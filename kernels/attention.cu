/*
 * Attention in float arithmetic: a warp takes four rows and walks tiles of 32 others in shared
 * memory, a lane for each. Scores and weights never leave the block.
 */
#include "kernels/attention_cuda.h"
#include "kernels/cuda.cuh"

#define OTHERS 32 /* rows of a tile */
#define OWN 4	  /* rows of a warp */

/* Where a block works: its sample and head, and the first row of its own. */
struct place {
	int64_t sample; /* first row of the sample */
	int64_t C;	/* width of q, of k and of v */
	int64_t head;	/* first column of the head */
	int64_t stat;	/* row of stat of token 0 */
	int first, len;
};

static __device__ __forceinline__ struct place place_of(const struct attention &p, int rows)
{
	int len = (int)p.len, heads = (int)p.heads, tiles = (len + rows - 1) / rows;
	int n = (int)blockIdx.x / tiles, b = n / heads, h = n % heads;
	struct place at = {(int64_t)b * len, p.heads * p.dim, h * p.dim, (int64_t)n * len,
		((int)blockIdx.x - n * tiles) * rows, len};

	return at;
}

static __device__ __forceinline__ int sees(
	const struct attention &p, const struct place &at, const int32_t *segments, int i, int j)
{
	if (i >= at.len || j >= at.len || (p.causal && j > i))
		return 0;
	return !segments || segments[at.sample + i] == segments[at.sample + j];
}

/* Rows from..from + 31 of the head's columns, zeros past the end. */
template <int N, typename T>
static __device__ __forceinline__ void load_tile(float (*tile)[32 * N + 1], const T *x, int64_t row,
	const struct place &at, int from, int dim)
{
	for (int r = threadIdx.x >> 5; r < OTHERS; r += blockDim.x >> 5)
		for (int c = threadIdx.x & 31; c < 32 * N; c += 32)
			tile[r][c] = c < dim && from + r < at.len
					     ? load(x, (at.sample + from + r) * row + c)
					     : 0;
}

/* The warp's four rows side by side, times scale. */
template <typename T>
static __device__ __forceinline__ void load_own(float4 *own, const T *x, int64_t row,
	const struct place &at, int from, int dim, float scale)
{
	for (int c = threadIdx.x & 31; c < dim; c += 32) {
		float f[OWN];

		for (int a = 0; a < OWN; a++)
			f[a] = from + a < at.len ? scale * load(x, (at.sample + from + a) * row + c)
						 : 0;
		own[c] = make_float4(f[0], f[1], f[2], f[3]);
	}
}

static __device__ __forceinline__ void add_four(float (&s)[OWN], float4 a, float b)
{
	s[0] += a.x * b;
	s[1] += a.y * b;
	s[2] += a.z * b;
	s[3] += a.w * b;
}

/* Products of the lane's row of the tile with the warp's four. */
static __device__ __forceinline__ void dot_four(
	float (&s)[OWN], const float *row, const float4 *own, int dim)
{
	s[0] = s[1] = s[2] = s[3] = 0;
	for (int c = 0; c < dim; c++)
		add_four(s, own[c], row[c]);
}

/* sums[c][a] += sum over the tile's rows of weight_a times column lane + 32 c */
template <int N>
static __device__ __forceinline__ void add_tile(
	float (&sums)[N][OWN], const float4 *weights, const float (*tile)[32 * N + 1])
{
	for (int r = 0; r < OTHERS; r++)
#pragma unroll
		for (int c = 0; c < N; c++)
			add_four(sums[c], weights[r], tile[r][(threadIdx.x & 31) + 32 * c]);
}

static __device__ __forceinline__ float scale_of(const struct attention &p)
{
	return 1 / sqrtf((float)p.dim);
}

template <int N, int WARPS, typename T, typename U>
static __global__ void __launch_bounds__(32 * WARPS)
	forward_rows(struct attention p, U *y, float *stat, const T *qkv, const int32_t *segments)
{
	__shared__ float k[OTHERS][32 * N + 1], v[OTHERS][32 * N + 1];
	__shared__ float4 q[WARPS][32 * N], weights[WARPS][OTHERS];
	struct place at = place_of(p, OWN * WARPS);
	int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, dim = (int)p.dim;
	int i = at.first + OWN * warp, end = at.first + OWN * WARPS;
	float sums[N][OWN] = {}, most[OWN], sum[OWN] = {};
	const T *x = qkv + at.head;

	for (int a = 0; a < OWN; a++)
		most[a] = -INFINITY;
	load_own(q[warp], x, 3 * at.C, at, i, dim, scale_of(p));
	end = p.causal && end < at.len ? end : at.len;
	for (int j = 0; j < end; j += OTHERS) {
		float s[OWN];

		__syncthreads();
		load_tile<N>(k, x + at.C, 3 * at.C, at, j, dim);
		load_tile<N>(v, x + 2 * at.C, 3 * at.C, at, j, dim);
		__syncthreads();
		dot_four(s, k[lane], q[warp], dim);
#pragma unroll
		for (int a = 0; a < OWN; a++) {
			float old = most[a], base;

			s[a] = sees(p, at, segments, i + a, j + lane) ? s[a] : -INFINITY;
			most[a] = fmaxf(old, warp_max(s[a]));
			base = most[a] == -INFINITY ? 0 : most[a];
			s[a] = expf(s[a] - base);
			old = expf(old - base);
			sum[a] = sum[a] * old + warp_sum(s[a]);
			for (int c = 0; c < N; c++)
				sums[c][a] *= old;
		}
		weights[warp][lane] = make_float4(s[0], s[1], s[2], s[3]);
		__syncwarp();
		add_tile<N>(sums, weights[warp], v);
	}
#pragma unroll
	for (int a = 0; a < OWN; a++) {
		float inverse = 1 / sum[a];

		if (i + a >= at.len)
			continue;
#pragma unroll
		for (int c = 0; c < N; c++)
			if (lane + 32 * c < dim)
				store(y, (at.sample + i + a) * at.C + at.head + lane + 32 * c,
					sums[c][a] * inverse);
		if (!lane) {
			stat[2 * (at.stat + i + a)] = most[a];
			stat[2 * (at.stat + i + a) + 1] = inverse;
		}
	}
}

/* aside (batch, len, heads): dy . y of each head, which is the sum over j of p_ij dp_ij */
template <typename U>
static __global__ void dy_times_y(struct attention p, float *aside, const U *dy, const U *y)
{
	int64_t row = ((int64_t)blockIdx.x * blockDim.x + threadIdx.x) >> 5;
	float sum = 0;

	if (row >= p.batch * p.len * p.heads)
		return;
	for (int64_t c = threadIdx.x & 31; c < p.dim; c += 32)
		sum += load(dy, row * p.dim + c) * load(y, row * p.dim + c);
	sum = warp_sum(sum);
	if (!(threadIdx.x & 31))
		aside[row] = sum;
}

/* ds without the scale, from score and dp; p_ij by the way */
static __device__ __forceinline__ float score_back(
	float *weight, float s, float dp, float most, float inverse, float aside)
{
	*weight = expf(s - most) * inverse;
	return *weight * (dp - aside);
}

template <int N, int WARPS, typename T, typename U>
static __global__ void __launch_bounds__(32 * WARPS)
	query_rows(struct attention p, T *dqkv, int acc, const U *dy, const float *aside,
		const float *stat, const T *qkv, const int32_t *segments)
{
	__shared__ float k[OTHERS][32 * N + 1], v[OTHERS][32 * N + 1];
	__shared__ float4 q[WARPS][32 * N], d[WARPS][32 * N], weights[WARPS][OTHERS];
	struct place at = place_of(p, OWN * WARPS);
	int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, dim = (int)p.dim;
	int i = at.first + OWN * warp, end = at.first + OWN * WARPS;
	float sums[N][OWN] = {}, scale = scale_of(p);
	const T *x = qkv + at.head;

	load_own(q[warp], x, 3 * at.C, at, i, dim, scale);
	load_own(d[warp], dy + at.head, at.C, at, i, dim, 1);
	end = p.causal && end < at.len ? end : at.len;
	for (int j = 0; j < end; j += OTHERS) {
		float s[OWN], dp[OWN];

		__syncthreads();
		load_tile<N>(k, x + at.C, 3 * at.C, at, j, dim);
		load_tile<N>(v, x + 2 * at.C, 3 * at.C, at, j, dim);
		__syncthreads();
		dot_four(s, k[lane], q[warp], dim);
		dot_four(dp, v[lane], d[warp], dim);
#pragma unroll
		for (int a = 0; a < OWN; a++) {
			int row = i + a;
			float weight;

			if (!sees(p, at, segments, row, j + lane))
				s[a] = 0;
			else
				s[a] = score_back(&weight, s[a], dp[a], stat[2 * (at.stat + row)],
					stat[2 * (at.stat + row) + 1],
					aside[(at.sample + row) * p.heads + at.head / p.dim]);
		}
		weights[warp][lane] = make_float4(s[0], s[1], s[2], s[3]);
		__syncwarp();
		add_tile<N>(sums, weights[warp], k);
	}
#pragma unroll
	for (int a = 0; a < OWN; a++)
#pragma unroll
		for (int c = 0; c < N; c++)
			if (i + a < at.len && lane + 32 * c < dim)
				put(dqkv, (at.sample + i + a) * 3 * at.C + at.head + lane + 32 * c,
					scale * sums[c][a], acc);
}

template <int N, int WARPS, typename T, typename U>
static __global__ void __launch_bounds__(32 * WARPS) key_rows(struct attention p, T *dqkv, int acc,
	const U *dy, const float *aside, const float *stat, const T *qkv, const int32_t *segments)
{
	__shared__ float q[OTHERS][32 * N + 1], d[OTHERS][32 * N + 1];
	__shared__ float4 k[WARPS][32 * N], v[WARPS][32 * N];
	__shared__ float4 weights[WARPS][OTHERS], dscores[WARPS][OTHERS];
	struct place at = place_of(p, OWN * WARPS);
	int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, dim = (int)p.dim;
	int j = at.first + OWN * warp;
	float dk[N][OWN] = {}, dv[N][OWN] = {}, scale = scale_of(p);
	const T *x = qkv + at.head;

	load_own(k[warp], x + at.C, 3 * at.C, at, j, dim, scale);
	load_own(v[warp], x + 2 * at.C, 3 * at.C, at, j, dim, 1);
	for (int from = p.causal ? at.first : 0; from < at.len; from += OTHERS) {
		int i = from + lane, row = i < at.len ? i : at.len - 1;
		float s[OWN], dp[OWN], weight[OWN], most = stat[2 * (at.stat + row)];
		float inverse = stat[2 * (at.stat + row) + 1];
		float beside = aside[(at.sample + row) * p.heads + at.head / p.dim];

		__syncthreads();
		load_tile<N>(q, x, 3 * at.C, at, from, dim);
		load_tile<N>(d, dy + at.head, at.C, at, from, dim);
		__syncthreads();
		dot_four(s, q[lane], k[warp], dim);
		dot_four(dp, d[lane], v[warp], dim);
#pragma unroll
		for (int a = 0; a < OWN; a++)
			if (sees(p, at, segments, i, j + a))
				s[a] = score_back(&weight[a], s[a], dp[a], most, inverse, beside);
			else
				s[a] = weight[a] = 0;
		weights[warp][lane] = make_float4(weight[0], weight[1], weight[2], weight[3]);
		dscores[warp][lane] = make_float4(s[0], s[1], s[2], s[3]);
		__syncwarp();
		add_tile<N>(dk, dscores[warp], q);
		add_tile<N>(dv, weights[warp], d);
	}
#pragma unroll
	for (int a = 0; a < OWN; a++)
#pragma unroll
		for (int c = 0; c < N; c++) {
			int64_t to = (at.sample + j + a) * 3 * at.C + at.head + lane + 32 * c;

			if (j + a >= at.len || lane + 32 * c >= dim)
				continue;
			put(dqkv, to + at.C, scale * dk[c][a], acc);
			put(dqkv, to + 2 * at.C, dv[c][a], acc);
		}
}

/* --- launchers --- */

static unsigned blocks_of(const struct attention *p, int rows)
{
	return (unsigned)(p->batch * p->heads * ((p->len + rows - 1) / rows));
}

/* BODY(N, WARPS): N columns a lane, warps a block */
#define BY_WIDTH(dim, BODY)                                                                        \
	do {                                                                                       \
		if ((dim) <= 32)                                                                   \
			BODY(1, 4);                                                                \
		else if ((dim) <= 64)                                                              \
			BODY(2, 4);                                                                \
		else                                                                               \
			BODY(4, 2);                                                                \
	} while (0)

template <typename T, typename U>
static void forward(
	const struct attention *p, U *y, float *stat, const T *qkv, const int32_t *segments)
{
#define BODY(N, WARPS)                                                                             \
	forward_rows<N, WARPS, T, U><<<blocks_of(p, OWN *WARPS), 32 * WARPS, 0, cuda_stream>>>(    \
		*p, y, stat, qkv, segments)
	BY_WIDTH(p->dim, BODY);
#undef BODY
}

void attention_cuda(const struct attention *p, struct array y, float *stat, struct array qkv,
	const int32_t *segments)
{
	if (attention_tiles_cuda(p, y, stat, qkv, segments))
		return;
#define CALL(T, U) forward(p, (U *)y.data, stat, (const T *)qkv.data, segments)
	BY_TYPES(qkv, y, CALL);
#undef CALL
}

template <typename T, typename U>
static void backward(const struct attention *p, T *dqkv, int acc, const U *dy, const U *y,
	const float *stat, const T *qkv, const int32_t *segments, float *work)
{
	int64_t rows = p->batch * p->len * p->heads;

	dy_times_y<<<(unsigned)((rows + 3) / 4), 128, 0, cuda_stream>>>(*p, work, dy, y);
#define BODY(N, WARPS)                                                                             \
	do {                                                                                       \
		query_rows<N, WARPS, T, U>                                                         \
			<<<blocks_of(p, OWN *WARPS), 32 * WARPS, 0, cuda_stream>>>(                \
				*p, dqkv, acc, dy, work, stat, qkv, segments);                     \
		key_rows<N, WARPS, T, U>                                                           \
			<<<blocks_of(p, OWN *WARPS), 32 * WARPS, 0, cuda_stream>>>(                \
				*p, dqkv, acc, dy, work, stat, qkv, segments);                     \
	} while (0)
	BY_WIDTH(p->dim, BODY);
#undef BODY
}

int64_t attention_cuda_work(const struct attention *p, int backward)
{
	return backward ? p->batch * p->len * p->heads : 0;
}

void attention_cuda_backward(const struct attention *p, struct array dqkv, int acc, struct array dy,
	struct array y, const float *stat, struct array qkv, const int32_t *segments, float *work)
{
	if (attention_tiles_cuda_backward(p, dqkv, acc, dy, y, stat, qkv, segments, work))
		return;
#define CALL(T, U)                                                                                 \
	backward(p, (T *)dqkv.data, acc, (const U *)dy.data, (const U *)y.data, stat,              \
		(const T *)qkv.data, segments, work)
	BY_TYPES(qkv, dy, CALL);
#undef CALL
}
