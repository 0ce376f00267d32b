/*
 * Attention by tensor cores: tiles of 64 queries and 64 keys, a warp takes 16 rows of a tile, whose
 * scores, weights and sums stay in its registers; sums, softmax and its gradient are float.
 */
#include "kernels/attention_cuda.h"
#include "kernels/attention_tile.cuh"

#define TILE 64
#define THREADS 128

/* Where a block works: its sample and head, and the first row of its own. */
struct place {
	int64_t sample; /* first row of the sample */
	int64_t stat;	/* row of stat of token 0 */
	int C, head;	/* width of q, of k and of v; first column of the head */
	int first, len;
};

static __device__ __forceinline__ struct place place_of(const struct attention &p)
{
	int len = (int)p.len, heads = (int)p.heads, tiles = (len + TILE - 1) / TILE;
	int n = (int)blockIdx.x / tiles, b = n / heads, h = n - b * heads;
	struct place at = {(int64_t)b * len, (int64_t)n * len, heads * (int)p.dim, h * (int)p.dim,
		((int)blockIdx.x - n * tiles) * TILE, len};

	return at;
}

/* Starts copying rows from..from + 63 of D columns at x, `row` halves apart; zeros past len. */
template <int D>
static __device__ __forceinline__ void copy_rows(
	bf16 (*tile)[PITCH(D)], const bf16 *x, int row, int from, int len)
{
	const int pieces = D / 8;

#pragma unroll
	for (int n = threadIdx.x; n < TILE * pieces; n += THREADS) {
		int r = n / pieces, c = n % pieces * 8, inside = from + r < len;

		copy_piece(shared_at(&tile[r][c]), x + (inside ? (int64_t)(from + r) * row + c : 0),
			inside);
	}
}

/* Segments of a tile's tokens; -1 past the end. */
static __device__ __forceinline__ void load_segments(
	int32_t *tile, const int32_t *segments, const struct place &at, int from)
{
	if (segments && threadIdx.x < TILE)
		tile[threadIdx.x] = from + (int)threadIdx.x < at.len
					    ? segments[at.sample + from + threadIdx.x]
					    : -1;
}

static __device__ __forceinline__ int segment_of(
	const int32_t *segments, const struct place &at, int i)
{
	return segments && i < at.len ? segments[at.sample + i] : -2;
}

/* Scores that query rows r (low) and r + 8 (high) do not see become -infinity; j: tile's first key */
static __device__ __forceinline__ void mask_scores(float (&s)[TILE / 8][4], int causal, int r,
	int j, int len, const int32_t *segment, int low, int high, int segmented)
{
	int t = threadIdx.x % 4 * 2;

#pragma unroll
	for (int n = 0; n < TILE / 8; n++)
#pragma unroll
		for (int e = 0; e < 4; e++) {
			int column = 8 * n + t + e % 2, key = j + column;
			int hidden = key >= len || (causal && key > r + e / 2 * 8);

			if (segmented)
				hidden |= segment[column] != (e / 2 ? high : low);
			if (hidden)
				s[n][e] = -INFINITY;
		}
}

/* Scores to weights relative to the largest so far, which moves what was summed before. */
template <int D>
static __device__ __forceinline__ void soften(
	float (&s)[TILE / 8][4], float (&most)[2], float (&sum)[2], float (&o)[D / 8][4], float c)
{
#pragma unroll
	for (int h = 0; h < 2; h++) {
		float top = most[h], base, old;

#pragma unroll
		for (int n = 0; n < TILE / 8; n++)
			top = fmaxf(top, fmaxf(s[n][2 * h], s[n][2 * h + 1]));
		top = quad_max(top);
		base = top == -INFINITY ? 0 : top * c;
		old = power_of_two(most[h] * c - base);
		most[h] = top;
		sum[h] *= old;
#pragma unroll
		for (int n = 0; n < TILE / 8; n++)
#pragma unroll
			for (int e = 2 * h; e < 2 * h + 2; e++) {
				s[n][e] = power_of_two(s[n][e] * c - base);
				sum[h] += s[n][e];
			}
#pragma unroll
		for (int n = 0; n < D / 8; n++) {
			o[n][2 * h] *= old;
			o[n][2 * h + 1] *= old;
		}
	}
}

template <int D>
static __global__ void __launch_bounds__(THREADS) forward_tiles(
	struct attention p, bf16 *y, float *stat, const bf16 *qkv, const int32_t *segments)
{
	__shared__ __align__(16) bf16 k[TILE][PITCH(D)], v[TILE][PITCH(D)];
	__shared__ int32_t segment[TILE];
	struct place at = place_of(p);
	int lane = threadIdx.x & 31, row = 3 * at.C, len = at.len, causal = p.causal;
	int end = causal && at.first + TILE < len ? at.first + TILE : len;
	int own = at.first + (threadIdx.x >> 5) * 16, r = own + lane / 4, busy = own < len;
	int low = segment_of(segments, at, r), high = segment_of(segments, at, r + 8);
	const bf16 *x = qkv + at.sample * row + at.head;
	float scale = 1 / sqrtf((float)D), o[D / 8][4] = {}, sum[2] = {};
	float most[2] = {-INFINITY, -INFINITY};
	uint32_t q[D / 16][4];

	copy_rows<D>(k, x + at.C, row, 0, len);
	copy_commit();
	load_left<D>(q, x, row, r, len);
	for (int j = 0; j < end; j += TILE) {
		int keys = end - j < TILE ? end - j : TILE;
		float s[TILE / 8][4];

		copy_rows<D>(v, x + 2 * at.C, row, j, len);
		copy_commit();
		load_segments(segment, segments, at, j);
		copy_wait<1>();
		__syncthreads();
#pragma unroll
		for (int n = 0; n < TILE; n += 16)
			if (busy && n < keys)
				multiply_rows<D>(s + n / 8, q, k, n);
			else
				for (int e = 0; e < 4; e++)
					s[n / 8][e] = s[n / 8 + 1][e] = -INFINITY;
		if (keys < TILE || segments || (causal && j + TILE > own))
			mask_scores(s, causal, r, j, len, segment, low, high, segments != 0);
		__syncthreads();
		if (j + TILE < end)
			copy_rows<D>(k, x + at.C, row, j + TILE, len);
		copy_commit();
		soften<D>(s, most, sum, o, scale * LOG2E);
		copy_wait<1>();
		__syncthreads();
#pragma unroll
		for (int n = 0; n < TILE; n += 16)
			if (busy && n < keys)
				add_rows<D>(o, s + n / 8, v, n);
		__syncthreads();
	}
	sum[0] = 1 / quad_sum(sum[0]);
	sum[1] = 1 / quad_sum(sum[1]);
	put_rows<D>(y + at.sample * at.C + at.head, at.C, r, len, o, sum[0], sum[1], 0);
	for (int h = 0; h < 2; h++)
		if (lane % 4 == 0 && r + 8 * h < len) {
			stat[2 * (at.stat + r + 8 * h)] = most[h] * scale;
			stat[2 * (at.stat + r + 8 * h) + 1] = sum[h];
		}
}

/* aside (batch, len, heads): dy . y of each head, a lane for eight values */
template <int D>
static __global__ void dy_times_y(float *aside, const bf16 *dy, const bf16 *y, int64_t rows)
{
	int64_t n = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, row = n / (D / 8);
	float a[8] = {}, b[8] = {}, sum = 0;

	if (row < rows) {
		load_pack<8>(a, dy + 8 * n);
		load_pack<8>(b, y + 8 * n);
	}
#pragma unroll
	for (int i = 0; i < 8; i++)
		sum += a[i] * b[i];
#pragma unroll
	for (int d = D / 16; d; d >>= 1)
		sum += __shfl_xor_sync(0xffffffffu, sum, d);
	if (row < rows && n % (D / 8) == 0)
		aside[row] = sum;
}

static __device__ __forceinline__ struct query query_at(const struct attention &p,
	const struct place &at, const float *stat, const float *aside, int i)
{
	struct query q = {0, 0, 0};

	if (i < at.len) {
		q.most = stat[2 * (at.stat + i)] * LOG2E;
		q.inverse = stat[2 * (at.stat + i) + 1];
		q.aside = aside[(at.sample + i) * p.heads + at.head / (int)p.dim];
	}
	return q;
}

template <int D>
static __global__ void __launch_bounds__(THREADS)
	query_tiles(struct attention p, bf16 *dqkv, int acc, const bf16 *dy, const float *aside,
		const float *stat, const bf16 *qkv, const int32_t *segments)
{
	__shared__ __align__(16) bf16 k[TILE][PITCH(D)], v[TILE][PITCH(D)];
	__shared__ int32_t segment[TILE];
	struct place at = place_of(p);
	int lane = threadIdx.x & 31, row = 3 * at.C, len = at.len, causal = p.causal;
	int end = causal && at.first + TILE < len ? at.first + TILE : len;
	int own = at.first + (threadIdx.x >> 5) * 16, r = own + lane / 4, busy = own < len;
	int low = segment_of(segments, at, r), high = segment_of(segments, at, r + 8);
	const bf16 *x = qkv + at.sample * row + at.head;
	float scale = 1 / sqrtf((float)D), c = scale * LOG2E, dq[D / 8][4] = {};
	uint32_t q[D / 16][4], d[D / 16][4];
	const struct query first = query_at(p, at, stat, aside, r);
	const struct query second = query_at(p, at, stat, aside, r + 8);

	load_left<D>(q, x, row, r, len);
	load_left<D>(d, dy + at.sample * at.C + at.head, at.C, r, len);
	for (int j = 0; j < end; j += TILE) {
		__syncthreads();
		copy_rows<D>(k, x + at.C, row, j, len);
		copy_rows<D>(v, x + 2 * at.C, row, j, len);
		copy_commit();
		load_segments(segment, segments, at, j);
		copy_wait<0>();
		__syncthreads();
		for (int n = 0; busy && n < TILE && j + n < end; n += 16) {
			float s[2][4], dp[2][4];

			multiply_rows<D>(s, q, k, n);
			multiply_rows<D>(dp, d, v, n);
#pragma unroll
			for (int e = 0; e < 8; e++) {
				int column = n + e / 4 * 8 + lane % 4 * 2 + e % 2, h = e / 2 % 2;
				int seen = j + column < len && (!causal || j + column <= r + 8 * h);

				if (segments)
					seen &= segment[column] == (h ? high : low);
				score_back(&s[e / 4][e % 4], &dp[e / 4][e % 4], c,
					h ? second : first, seen);
			}
			add_rows<D>(dq, dp, k, n);
		}
	}
	put_rows<D>(dqkv + at.sample * row + at.head, row, r, len, dq, scale, scale, acc);
}

/* The rows of a block are keys here, and the columns of scores are queries. */
template <int D>
static __global__ void __launch_bounds__(THREADS)
	key_tiles(struct attention p, bf16 *dqkv, int acc, const bf16 *dy, const float *aside,
		const float *stat, const bf16 *qkv, const int32_t *segments)
{
	__shared__ __align__(16) bf16 q[TILE][PITCH(D)], d[TILE][PITCH(D)];
	__shared__ int32_t segment[TILE];
	__shared__ struct query queries[TILE];
	struct place at = place_of(p);
	int lane = threadIdx.x & 31, row = 3 * at.C, len = at.len, causal = p.causal;
	int own = at.first + (threadIdx.x >> 5) * 16, r = own + lane / 4, busy = own < len;
	int low = segment_of(segments, at, r), high = segment_of(segments, at, r + 8);
	const bf16 *x = qkv + at.sample * row + at.head, *to = dy + at.sample * at.C + at.head;
	float scale = 1 / sqrtf((float)D), c = scale * LOG2E, dk[D / 8][4] = {}, dv[D / 8][4] = {};
	uint32_t k[D / 16][4], v[D / 16][4];

	load_left<D>(k, x + at.C, row, r, len);
	load_left<D>(v, x + 2 * at.C, row, r, len);
	for (int i = causal ? at.first : 0; i < len; i += TILE) {
		__syncthreads();
		copy_rows<D>(q, x, row, i, len);
		copy_rows<D>(d, to, at.C, i, len);
		copy_commit();
		load_segments(segment, segments, at, i);
		if (threadIdx.x < TILE)
			queries[threadIdx.x] = query_at(p, at, stat, aside, i + threadIdx.x);
		copy_wait<0>();
		__syncthreads();
		for (int n = 0; busy && n < TILE && i + n < len; n += 16) {
			float s[2][4], dp[2][4];

			multiply_rows<D>(s, k, q, n);
			multiply_rows<D>(dp, v, d, n);
#pragma unroll
			for (int e = 0; e < 8; e++) {
				int column = n + e / 4 * 8 + lane % 4 * 2 + e % 2, h = e / 2 % 2;
				int seen = !causal || r + 8 * h <= i + column;

				if (segments)
					seen &= segment[column] == (h ? high : low);
				score_back(&s[e / 4][e % 4], &dp[e / 4][e % 4], c, queries[column],
					seen);
			}
			add_rows<D>(dv, s, d, n);
			add_rows<D>(dk, dp, q, n);
		}
	}
	dqkv += at.sample * row + at.head;
	put_rows<D>(dqkv + at.C, row, r, len, dk, scale, scale, acc);
	put_rows<D>(dqkv + 2 * at.C, row, r, len, dv, 1, 1, acc);
}

/* --- launchers --- */

/* Whether this machine runs the code built for 8.0 and later. */
static int machine_fits(void)
{
	static int fits = -1;
	struct cudaFuncAttributes a;

	if (fits < 0)
		fits = cudaFuncGetAttributes(&a, forward_tiles<64>) == cudaSuccess &&
		       a.ptxVersion >= 80;
	return fits;
}

static int aligned(struct array a)
{
	return a.half && (uintptr_t)a.data % 16 == 0;
}

static int fits(const struct attention *p, struct array y, struct array qkv)
{
	int64_t dim = p->dim;

	return (dim == 16 || dim == 32 || dim == 64 || dim == 128) && aligned(y) && aligned(qkv) &&
	       machine_fits();
}

#define BY_DIM(dim, BODY)                                                                          \
	do {                                                                                       \
		if ((dim) == 16)                                                                   \
			BODY(16);                                                                  \
		else if ((dim) == 32)                                                              \
			BODY(32);                                                                  \
		else if ((dim) == 64)                                                              \
			BODY(64);                                                                  \
		else                                                                               \
			BODY(128);                                                                 \
	} while (0)

static unsigned blocks_of(const struct attention *p)
{
	return (unsigned)(p->batch * p->heads * ((p->len + TILE - 1) / TILE));
}

int attention_tiles_cuda(const struct attention *p, struct array y, float *stat, struct array qkv,
	const int32_t *segments)
{
	if (!fits(p, y, qkv))
		return 0;
	if (attention_whole(p, y, stat, qkv, segments))
		return 1;
#define BODY(D)                                                                                    \
	forward_tiles<D><<<blocks_of(p), THREADS, 0, cuda_stream>>>(                               \
		*p, (bf16 *)y.data, stat, (const bf16 *)qkv.data, segments)
	BY_DIM(p->dim, BODY);
#undef BODY
	return 1;
}

template <int D>
static void backward(const struct attention *p, bf16 *dqkv, int acc, const bf16 *dy, const bf16 *y,
	const float *stat, const bf16 *qkv, const int32_t *segments, float *work)
{
	int64_t rows = p->batch * p->len * p->heads, lanes = rows * (D / 8);

	dy_times_y<D><<<(unsigned)((lanes + 255) / 256), 256, 0, cuda_stream>>>(work, dy, y, rows);
	query_tiles<D><<<blocks_of(p), THREADS, 0, cuda_stream>>>(
		*p, dqkv, acc, dy, work, stat, qkv, segments);
	key_tiles<D><<<blocks_of(p), THREADS, 0, cuda_stream>>>(
		*p, dqkv, acc, dy, work, stat, qkv, segments);
}

int attention_tiles_cuda_backward(const struct attention *p, struct array dqkv, int acc,
	struct array dy, struct array y, const float *stat, struct array qkv,
	const int32_t *segments, float *work)
{
	if (!fits(p, y, qkv) || !aligned(dy) || !aligned(dqkv))
		return 0;
	if (attention_whole_backward(p, dqkv, acc, dy, y, stat, qkv, segments))
		return 1;
#define BODY(D)                                                                                    \
	backward<D>(p, (bf16 *)dqkv.data, acc, (const bf16 *)dy.data, (const bf16 *)y.data, stat,  \
		(const bf16 *)qkv.data, segments, work)
	BY_DIM(p->dim, BODY);
#undef BODY
	return 1;
}
