/*
 * What the .cu files share: values of either storage type, launches, the library's stream.
 *
 * Kernels are templates over the storage types of their arrays; sums are float. A launcher is
 * extern "C", takes the kernel's params, outputs first, then kept, then inputs, each a struct array,
 * allocates nothing and does not wait. Reductions have a fixed order; no float atomics.
 */
#ifndef KERNELS_CUDA_CUH
#define KERNELS_CUDA_CUH

#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <stdint.h>
#include "kernels/array.h"

typedef __nv_bfloat16 bf16;

extern "C" cudaStream_t cuda_stream; /* lib/cuda/device.c */
extern "C" int cuda_multiprocessors;

static __device__ __forceinline__ float load(const float *p, int64_t i)
{
	return p[i];
}

static __device__ __forceinline__ float load(const bf16 *p, int64_t i)
{
	return __bfloat162float(p[i]);
}

static __device__ __forceinline__ void store(float *p, int64_t i, float x)
{
	p[i] = x;
}

static __device__ __forceinline__ void store(bf16 *p, int64_t i, float x)
{
	p[i] = __float2bfloat16_rn(x);
}

/* Four neighbours at once; i a multiple of 4. */
static __device__ __forceinline__ float4 load4(const float *p, int64_t i)
{
	return *(const float4 *)(p + i);
}

static __device__ __forceinline__ float4 load4(const bf16 *p, int64_t i)
{
	uint2 bits = *(const uint2 *)(p + i);
	float2 a = __bfloat1622float2(*(__nv_bfloat162 *)&bits.x);
	float2 b = __bfloat1622float2(*(__nv_bfloat162 *)&bits.y);

	return make_float4(a.x, a.y, b.x, b.y);
}

static __device__ __forceinline__ void store4(float *p, int64_t i, float4 v)
{
	*(float4 *)(p + i) = v;
}

static __device__ __forceinline__ void store4(bf16 *p, int64_t i, float4 v)
{
	__nv_bfloat162 a = __floats2bfloat162_rn(v.x, v.y), b = __floats2bfloat162_rn(v.z, v.w);
	uint2 bits;

	bits.x = *(unsigned *)&a;
	bits.y = *(unsigned *)&b;
	*(uint2 *)(p + i) = bits;
}

static __device__ __forceinline__ float4 value4(struct array a, int64_t i)
{
	return a.half ? load4((const bf16 *)a.data, i) : load4((const float *)a.data, i);
}

static __device__ __forceinline__ float4 axpy4(float s, float4 x, float4 y)
{
	return make_float4(s * x.x + y.x, s * x.y + y.y, s * x.z + y.z, s * x.w + y.w);
}

static __device__ __forceinline__ void set_value4(struct array a, int64_t i, float4 v, int acc)
{
	if (acc)
		v = axpy4(1, v, value4(a, i));
	if (a.half)
		store4((bf16 *)a.data, i, v);
	else
		store4((float *)a.data, i, v);
}

/* Set or add, in the storage type. */
template <typename T> static __device__ __forceinline__ void put(T *p, int64_t i, float x, int acc)
{
	store(p, i, acc ? load(p, i) + x : x);
}

/* A value of an array whose type is known at run time alone: for what is read or written little. */
static __device__ __forceinline__ float value(struct array a, int64_t i)
{
	return a.half ? load((const bf16 *)a.data, i) : load((const float *)a.data, i);
}

static __device__ __forceinline__ void set_value(struct array a, int64_t i, float x, int acc)
{
	if (a.half)
		put((bf16 *)a.data, i, x, acc);
	else
		put((float *)a.data, i, x, acc);
}

/* Sum over a warp; every lane gets it, in a fixed order. */
static __device__ __forceinline__ float warp_sum(float x)
{
	for (int d = 16; d; d >>= 1)
		x += __shfl_xor_sync(0xffffffffu, x, d);
	return x;
}

static __device__ __forceinline__ float warp_max(float x)
{
	for (int d = 16; d; d >>= 1)
		x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, d));
	return x;
}

/* Sum over a block of up to 1024 threads (a multiple of 32); every thread gets it. */
static __device__ __forceinline__ float block_sum(float x)
{
	__shared__ float part[32];
	int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = (blockDim.x + 31) >> 5;

	x = warp_sum(x);
	__syncthreads();
	if (!lane)
		part[warp] = x;
	__syncthreads();
	return warp_sum(lane < warps ? part[lane] : 0);
}

/* Blocks of a grid that walks n items in strides. */
static inline int grid_for(int64_t n, int threads)
{
	int64_t blocks = (n + threads - 1) / threads, most = 32 * (int64_t)cuda_multiprocessors;

	return (int)(blocks < 1 ? 1 : blocks < most ? blocks : most);
}

#define GRID_STRIDE(i, n)                                                                          \
	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < (n);                  \
		i += (int64_t)gridDim.x * blockDim.x)

/* CALL(T) with T the array's storage type. */
#define BY_TYPE(array, CALL)                                                                       \
	do {                                                                                       \
		if ((array).half)                                                                  \
			CALL(bf16);                                                                \
		else                                                                               \
			CALL(float);                                                               \
	} while (0)

/* As BY_TYPE for two arrays: CALL(T, U). */
#define BY_TYPES(a, b, CALL)                                                                       \
	do {                                                                                       \
		if ((a).half && (b).half)                                                          \
			CALL(bf16, bf16);                                                          \
		else if ((a).half)                                                                 \
			CALL(bf16, float);                                                         \
		else if ((b).half)                                                                 \
			CALL(float, bf16);                                                         \
		else                                                                               \
			CALL(float, float);                                                        \
	} while (0)

#endif
