/* What attention by tensor cores shares: products of a warp's 16 rows with rows in shared memory. */
#ifndef KERNELS_ATTENTION_TILE_CUH
#define KERNELS_ATTENTION_TILE_CUH

#include "kernels/attention.h"
#include "kernels/mma.cuh"
#include "kernels/pack.cuh"

#define LOG2E 1.4426950408889634f

/* Halves of a tile's row in shared memory: 16 bytes beside D keep ldmatrix free of conflicts. */
#define PITCH(D) ((D) + 8)

/* 2^x; error 2 ulp, and numbers below 2^-126 are 0 */
static __device__ __forceinline__ float power_of_two(float x)
{
	float y;

	asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
	return y;
}

/* The warp's 16 rows as the left operand; r: the lane's first row, the other is r + 8. */
template <int D>
static __device__ __forceinline__ void load_left(
	uint32_t (&a)[D / 16][4], const bf16 *x, int row, int r, int len)
{
	const bf16 *low = x + (int64_t)r * row + threadIdx.x % 4 * 2;
	const bf16 *high = low + (int64_t)8 * row;

#pragma unroll
	for (int k = 0; k < D / 16; k++) {
		a[k][0] = r < len ? *(const uint32_t *)(low + 16 * k) : 0;
		a[k][1] = r + 8 < len ? *(const uint32_t *)(high + 16 * k) : 0;
		a[k][2] = r < len ? *(const uint32_t *)(low + 16 * k + 8) : 0;
		a[k][3] = r + 8 < len ? *(const uint32_t *)(high + 16 * k + 8) : 0;
	}
}

/* s (16 x 16) = left times rows from..from + 15 of the tile, turned */
template <int D>
static __device__ __forceinline__ void multiply_rows(
	float (*s)[4], const uint32_t (&left)[D / 16][4], const bf16 (*tile)[PITCH(D)], int from)
{
	int lane = threadIdx.x & 31;
	uint32_t at = shared_at(&tile[from + lane / 16 * 8 + lane % 8][lane / 8 % 2 * 8]), b[4];

#pragma unroll
	for (int e = 0; e < 4; e++)
		s[0][e] = s[1][e] = 0;
#pragma unroll
	for (int k = 0; k < D / 16; k++) {
		load_matrices(b, at + 32 * k);
		multiply_add(s[0], left[k], b[0], b[1]);
		multiply_add(s[1], left[k], b[2], b[3]);
	}
}

/* sums (16 x D) += left (16 x 16) times rows from..from + 15 of the tile */
template <int D>
static __device__ __forceinline__ void add_left(
	float (&sums)[D / 8][4], const uint32_t (&left)[4], const bf16 (*tile)[PITCH(D)], int from)
{
	int lane = threadIdx.x & 31;
	uint32_t at = shared_at(&tile[from + lane % 16][lane / 16 * 8]), b[4];

#pragma unroll
	for (int c = 0; c < D / 16; c++) {
		load_turned(b, at + 32 * c);
		multiply_add(sums[2 * c], left, b[0], b[1]);
		multiply_add(sums[2 * c + 1], left, b[2], b[3]);
	}
}

/* The same with w as left. */
template <int D>
static __device__ __forceinline__ void add_rows(
	float (&sums)[D / 8][4], const float (*w)[4], const bf16 (*tile)[PITCH(D)], int from)
{
	const uint32_t left[4] = {pair_of(w[0][0], w[0][1]), pair_of(w[0][2], w[0][3]),
		pair_of(w[1][0], w[1][1]), pair_of(w[1][2], w[1][3])};

	add_left<D>(sums, left, tile, from);
}

/* Rows r and r + 8 of the lane, D columns at y, set or added. */
template <int D>
static __device__ __forceinline__ void put_rows(bf16 *y, int row, int r, int len,
	const float (&sums)[D / 8][4], float low, float high, int acc)
{
	int t = threadIdx.x % 4 * 2;

#pragma unroll
	for (int c = 0; c < D / 8; c++) {
		float a[2] = {sums[c][0] * low, sums[c][1] * low};
		float b[2] = {sums[c][2] * high, sums[c][3] * high};

		if (r < len)
			put_pack<2>(y + (int64_t)r * row + 8 * c + t, a, acc);
		if (r + 8 < len)
			put_pack<2>(y + (int64_t)(r + 8) * row + 8 * c + t, b, acc);
	}
}

/* Over the four lanes that share rows. */
static __device__ __forceinline__ float quad_max(float x)
{
	x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
	return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

static __device__ __forceinline__ float quad_sum(float x)
{
	x += __shfl_xor_sync(0xffffffffu, x, 1);
	return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

/* What backward needs of a query: log2 of e^max, 1 / sum, and dy . y; zeros past the end. */
struct query {
	float most, inverse, aside;
};

/* Score to weight, and dp to the score's gradient without the scale. */
static __device__ __forceinline__ void score_back(
	float *s, float *dp, float c, const struct query &q, int seen)
{
	*s = seen ? power_of_two(*s * c - q.most) * q.inverse : 0;
	*dp = *s * (*dp - q.aside);
}

/*
 * Samples that a block holds whole; as attention_tiles_cuda and its backward, for arrays that those
 * take. 0: they do not fit.
 */
int attention_whole(const struct attention *p, struct array y, float *stat, struct array qkv,
	const int32_t *segments);
int attention_whole_backward(const struct attention *p, struct array dqkv, int acc, struct array dy,
	struct array y, const float *stat, struct array qkv, const int32_t *segments);

#endif
