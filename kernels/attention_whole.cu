/*
 * Attention of sequences that fit into shared memory. Forward: a block holds the keys and values of
 * a head of a sample, and has half its queries, a warp 16.
 *
 * Backward: a head of a sample a block; each score is made once. A warp takes 16 keys, walks the queries for the gradients of its keys and
 * values, and leaves the scores' gradients in shared memory; then it takes 16 queries.
 */
#include "kernels/attention_cuda.h"
#include "kernels/attention_tile.cuh"

#define DIM 64
#define MOST_ROWS 240 /* what 227 KiB hold */
#define MOST_THREADS (MOST_ROWS / 16 * 32)

typedef bf16 row_of[PITCH(DIM)];

/* Rows of a block, and halves of a row of its scores. */
static __host__ __device__ __forceinline__ int rows_of(int len)
{
	return (len + 15) / 16 * 16;
}

static __host__ __device__ __forceinline__ int pitch_of(int len)
{
	return rows_of(len) + 8;
}

static size_t room_of(int len)
{
	size_t rows = rows_of(len);

	return rows * (sizeof(struct query) + (3 * PITCH(DIM) + pitch_of(len)) * sizeof(bf16));
}

/* Starts copying len rows, `step` halves apart, to rows `pitch` apart, and zeros up to `rows`. */
static __device__ __forceinline__ void copy_all(
	bf16 *to, int pitch, const bf16 *x, int step, int len, int rows)
{
	const int pieces = DIM / 8;

	for (int n = threadIdx.x; n < rows * pieces; n += blockDim.x) {
		int r = n / pieces, c = n % pieces * 8, inside = r < len;

		copy_piece(shared_at(to + r * pitch + c), x + (inside ? (int64_t)r * step + c : 0),
			inside);
	}
}

/* The 16 rows at `from`, `pitch` apart, as the left operand. */
static __device__ __forceinline__ void load_own(
	uint32_t (&a)[DIM / 16][4], const bf16 *from, int pitch)
{
	int lane = threadIdx.x & 31;
	uint32_t at = shared_at(from + lane % 16 * pitch + lane / 16 * 8);

#pragma unroll
	for (int k = 0; k < DIM / 16; k++)
		load_matrices(a[k], at + 32 * k);
}

/*
 * The warp's 16 rows from `first` on, as put_rows, through rows of shared memory that are its alone,
 * so that whole lines are written.
 */
static __device__ __forceinline__ void put_lines(bf16 *y, int step, int first, int len,
	const float (&sums)[DIM / 8][4], float low, float high, int acc, row_of *aside)
{
	int lane = threadIdx.x & 31, r = lane / 4, t = lane % 4 * 2;

	if (acc) {
		put_rows<DIM>(y, step, first + r, len, sums, low, high, acc);
		return;
	}
#pragma unroll
	for (int c = 0; c < DIM / 8; c++) {
		*(uint32_t *)&aside[r][8 * c + t] = pair_of(sums[c][0] * low, sums[c][1] * low);
		*(uint32_t *)&aside[r + 8][8 * c + t] =
			pair_of(sums[c][2] * high, sums[c][3] * high);
	}
	__syncwarp();
#pragma unroll
	for (int n = 0; n < 16; n += 4) {
		int row = n + lane / 8, c = lane % 8 * 8;

		if (first + row < len)
			*(uint4 *)(y + (int64_t)(first + row) * step + c) =
				*(const uint4 *)&aside[row][c];
	}
	__syncwarp();
}

#define CHUNK 32 /* keys that a warp scores at a time */
#define FORWARD_WARPS (MOST_ROWS / 32 + 1)

/* Scores of CHUNK keys to weights relative to the largest so far, which moves the sums before. */
static __device__ __forceinline__ void soften(float (&s)[CHUNK / 8][4], float (&most)[2],
	float (&sum)[2], float (&o)[DIM / 8][4], float c)
{
#pragma unroll
	for (int h = 0; h < 2; h++) {
		float top = most[h], base, old;

#pragma unroll
		for (int n = 0; n < CHUNK / 8; n++)
			top = fmaxf(top, fmaxf(s[n][2 * h], s[n][2 * h + 1]));
		top = quad_max(top);
		base = top * c;
		old = power_of_two(most[h] * c - base);
		most[h] = top;
		sum[h] *= old;
#pragma unroll
		for (int n = 0; n < CHUNK / 8; n++)
#pragma unroll
			for (int e = 2 * h; e < 2 * h + 2; e++) {
				s[n][e] = power_of_two(s[n][e] * c - base);
				sum[h] += s[n][e];
			}
#pragma unroll
		for (int n = 0; n < DIM / 8; n++) {
			o[n][2 * h] *= old;
			o[n][2 * h + 1] *= old;
		}
	}
}

static __global__ void __launch_bounds__(32 * FORWARD_WARPS, 3)
	forward_whole(struct attention p, bf16 *y, float *stat, const bf16 *qkv)
{
	extern __shared__ __align__(16) unsigned char room[];
	int len = (int)p.len, heads = (int)p.heads, rows = (len + CHUNK - 1) / CHUNK * CHUNK;
	row_of *k = (row_of *)room, *v = k + rows;
	int b = (int)blockIdx.x / heads, h = (int)blockIdx.x - b * heads;
	int C = heads * DIM, step = 3 * C, lane = threadIdx.x & 31;
	int own = (blockIdx.y * blockDim.x + threadIdx.x) / 32 * 16, r = own + lane / 4;
	int64_t first = (int64_t)b * len;
	const bf16 *x = qkv + first * step + h * DIM;
	float scale = 1 / sqrtf((float)DIM), o[DIM / 8][4] = {}, sum[2] = {};
	float most[2] = {-INFINITY, -INFINITY};
	uint32_t q[DIM / 16][4];

	copy_all(&k[0][0], PITCH(DIM), x + C, step, len, rows);
	copy_commit();
	copy_all(&v[0][0], PITCH(DIM), x + 2 * C, step, len, rows);
	copy_commit();
	load_left<DIM>(q, x, step, r, len);
	copy_wait<0>();
	__syncthreads();
	if (own >= len)
		return;
#pragma unroll 1
	for (int j = 0; j < rows; j += CHUNK) {
		float s[CHUNK / 8][4];

#pragma unroll
		for (int n = 0; n < CHUNK; n += 16)
			multiply_rows<DIM>(s + n / 8, q, k, j + n);
		if (j + CHUNK > len)
#pragma unroll
			for (int n = 0; n < CHUNK / 8; n++)
#pragma unroll
				for (int e = 0; e < 4; e++)
					if (j + 8 * n + lane % 4 * 2 + e % 2 >= len)
						s[n][e] = -INFINITY;
		soften(s, most, sum, o, scale * LOG2E);
#pragma unroll
		for (int n = 0; n < CHUNK; n += 16)
			add_rows<DIM>(o, s + n / 8, v, j + n);
	}
	sum[0] = 1 / quad_sum(sum[0]);
	sum[1] = 1 / quad_sum(sum[1]);
	put_rows<DIM>(y + first * C + h * DIM, C, r, len, o, sum[0], sum[1], 0);
	stat += 2 * ((int64_t)blockIdx.x * len + r);
	for (int h = 0; h < 2; h++)
		if (lane % 4 == 0 && r + 8 * h < len) {
			stat[16 * h] = most[h] * scale;
			stat[16 * h + 1] = sum[h];
		}
}

/* Fills in what backward needs of the queries; eight lanes a row of dy . y. */
static __device__ __forceinline__ void find_queries(
	struct query *queries, const bf16 *dy, const bf16 *y, int step, const float *stat, int len)
{
	for (int r = threadIdx.x / 8; r < rows_of(len); r += blockDim.x / 8) {
		int64_t at = (int64_t)r * step + threadIdx.x % 8 * 8;
		float a[8] = {}, b[8] = {}, sum = 0;

		if (r < len) {
			load_pack<8>(a, dy + at);
			load_pack<8>(b, y + at);
		}
#pragma unroll
		for (int i = 0; i < 8; i++)
			sum += a[i] * b[i];
#pragma unroll
		for (int d = 4; d; d >>= 1)
			sum += __shfl_xor_sync(0xffffffffu, sum, d);
		if (threadIdx.x % 8 == 0) {
			queries[r].most = r < len ? stat[2 * r] * LOG2E : 0;
			queries[r].inverse = r < len ? stat[2 * r + 1] : 0;
			queries[r].aside = sum;
		}
	}
}

/* Queries from..from + 15 of the keys of the warp as the left operand, from scores (keys, queries) */
static __device__ __forceinline__ void load_scores(
	uint32_t (&a)[4], const bf16 *scores, int pitch, int key, int query)
{
	int lane = threadIdx.x & 31;

	load_turned(a, shared_at(scores + (key + lane / 16 * 8 + lane % 8) * pitch + query +
				 lane / 8 % 2 * 8));
}

static __global__ void __launch_bounds__(MOST_THREADS, 1) backward_whole(struct attention p,
	bf16 *dqkv, int acc, const bf16 *dy, const bf16 *y, const float *stat, const bf16 *qkv)
{
	extern __shared__ __align__(16) unsigned char room[];
	int len = (int)p.len, heads = (int)p.heads, rows = rows_of(len), pitch = pitch_of(len);
	row_of *q = (row_of *)room, *d = q + rows, *k = d + rows;
	bf16 *scores = (bf16 *)(k + rows);
	struct query *queries = (struct query *)(scores + rows * pitch);
	int b = (int)blockIdx.x / heads, h = (int)blockIdx.x - b * heads;
	int C = heads * DIM, step = 3 * C, lane = threadIdx.x & 31;
	int own = (threadIdx.x >> 5) * 16, r = own + lane / 4, t = lane % 4 * 2;
	int64_t first = (int64_t)b * len, head = first * C + h * DIM;
	const bf16 *x = qkv + first * step + h * DIM;
	float scale = 1 / sqrtf((float)DIM), c = scale * LOG2E;
	float dk[DIM / 8][4] = {}, dv[DIM / 8][4] = {}, dq[DIM / 8][4] = {};
	uint32_t left_k[DIM / 16][4], left_v[DIM / 16][4];

	copy_all(&q[0][0], PITCH(DIM), x, step, len, rows);
	copy_all(&d[0][0], PITCH(DIM), dy + head, C, len, rows);
	copy_all(&k[0][0], PITCH(DIM), x + C, step, len, rows);
	copy_all(scores, pitch, x + 2 * C, step, len, rows);
	copy_commit();
	find_queries(queries, dy + head, y + head, C, stat + 2 * (int64_t)blockIdx.x * len, len);
	copy_wait<0>();
	__syncthreads();
	load_own(left_k, k[own], PITCH(DIM));
	load_own(left_v, scores + own * pitch, pitch);
	__syncwarp(); /* the values lay where the scores of their keys go */
#pragma unroll 1
	for (int n = 0; n < rows; n += 16) {
		float s[2][4], dp[2][4];

		multiply_rows<DIM>(s, left_k, q, n);
		multiply_rows<DIM>(dp, left_v, d, n);
#pragma unroll
		for (int e = 0; e < 8; e++) {
			int column = n + e / 4 * 8 + t + e % 2, row = r + e / 2 % 2 * 8;

			score_back(
				&s[e / 4][e % 4], &dp[e / 4][e % 4], c, queries[column], row < len);
		}
#pragma unroll
		for (int e = 0; e < 4; e++)
			*(uint32_t *)(scores + (r + e % 2 * 8) * pitch + n + e / 2 * 8 + t) =
				pair_of(dp[e / 2][e % 2 * 2], dp[e / 2][e % 2 * 2 + 1]);
		add_rows<DIM>(dv, s, d, n);
		add_rows<DIM>(dk, dp, q, n);
	}
	dqkv += first * step + h * DIM;
	__syncthreads();
	put_lines(dqkv + C, step, own, len, dk, scale, scale, acc, q + own);
	put_lines(dqkv + 2 * C, step, own, len, dv, 1, 1, acc, d + own);
#pragma unroll 1
	for (int n = 0; n < rows; n += 16) {
		uint32_t left[4];

		load_scores(left, scores, pitch, n, own);
		add_left<DIM>(dq, left, k, n);
	}
	put_lines(dqkv, step, own, len, dq, scale, scale, acc, q + own);
}

/* Whether a block may have so much shared memory. */
static int room_fits(size_t room)
{
	static int most;
	int device;

	if (!most && (cudaGetDevice(&device) ||
			     cudaDeviceGetAttribute(
				     &most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device)))
		most = 48 << 10;
	return room <= (size_t)most;
}

static int shape_fits(const struct attention *p, const int32_t *segments)
{
	return p->dim == DIM && p->len <= MOST_ROWS && !p->causal && !segments;
}

int attention_whole(const struct attention *p, struct array y, float *stat, struct array qkv,
	const int32_t *segments)
{
	int len = (int)p->len, warps = (len + 31) / 32;
	size_t room = (size_t)(len + CHUNK - 1) / CHUNK * CHUNK * 2 * PITCH(DIM) * sizeof(bf16);

	if (!shape_fits(p, segments) || !room_fits(room))
		return 0;
	cudaFuncSetAttribute((const void *)forward_whole,
		cudaFuncAttributeMaxDynamicSharedMemorySize, (int)room);
	forward_whole<<<dim3((unsigned)(p->batch * p->heads), 2), 32 * warps, room, cuda_stream>>>(
		*p, (bf16 *)y.data, stat, (const bf16 *)qkv.data);
	return 1;
}

int attention_whole_backward(const struct attention *p, struct array dqkv, int acc, struct array dy,
	struct array y, const float *stat, struct array qkv, const int32_t *segments)
{
	size_t room;

	if (!shape_fits(p, segments))
		return 0;
	room = room_of((int)p->len);
	if (!room_fits(room))
		return 0;
	cudaFuncSetAttribute((const void *)backward_whole,
		cudaFuncAttributeMaxDynamicSharedMemorySize, (int)room);
	backward_whole<<<(unsigned)(p->batch * p->heads), rows_of((int)p->len) * 2, room,
		cuda_stream>>>(*p, (bf16 *)dqkv.data, acc, (const bf16 *)dy.data,
		(const bf16 *)y.data, stat, (const bf16 *)qkv.data);
	return 1;
}
