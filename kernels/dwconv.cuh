/* What the depthwise convolutions share: SiLU's slope, sums of the parts of weight gradients. */
#ifndef KERNELS_DWCONV_CUH
#define KERNELS_DWCONV_CUH

#include "kernels/pack.cuh"

/* Fast forms: about 1e-6 relative; beyond exp's range 0, as it should be. */
static __device__ __forceinline__ float sigmoid_of(float c)
{
	return __fdividef(1, 1 + __expf(-c));
}

/* dy / dc of y = c sigmoid(c) */
static __device__ __forceinline__ float silu_slope(float c)
{
	float s = sigmoid_of(c);

	return s * (1 + c * (1 - s));
}

#define PART_COLUMNS 32
#define PART_ROWS 8

/*
 * Adds the parts (parts, taps + 1, dim), a row for each tap and one for the bias, to dweight
 * (dim, taps) and dbias (dim); NULL is not wanted. Parts in order.
 */
static __global__ void add_tap_parts(
	float *dweight, float *dbias, const float *part, int parts, int taps, int64_t dim)
{
	__shared__ float sums[PART_ROWS][PART_COLUMNS + 1];
	int64_t c = (int64_t)blockIdx.x * PART_COLUMNS + threadIdx.x, n = (taps + 1) * dim;
	float sum = 0;

	for (int k = threadIdx.y; k < parts && c < n; k += PART_ROWS)
		sum += part[k * n + c];
	sums[threadIdx.y][threadIdx.x] = sum;
	__syncthreads();
	if (threadIdx.y || c >= n)
		return;
	for (int k = 1; k < PART_ROWS; k++)
		sum += sums[k][threadIdx.x];
	if (c >= taps * dim) {
		if (dbias)
			dbias[c - taps * dim] += sum;
	} else if (dweight) {
		dweight[c % dim * taps + c / dim] += sum;
	}
}

static inline void sum_tap_parts(
	float *dweight, float *dbias, const float *part, int parts, int taps, int64_t dim)
{
	int64_t blocks = ((taps + 1) * dim + PART_COLUMNS - 1) / PART_COLUMNS;

	add_tap_parts<<<(unsigned)blocks, dim3(PART_COLUMNS, PART_ROWS), 0, cuda_stream>>>(
		dweight, dbias, part, parts, taps, dim);
}

#endif
