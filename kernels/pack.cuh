/* Several neighbouring values as floats, read or written by one access. */
#ifndef KERNELS_PACK_CUH
#define KERNELS_PACK_CUH

#include "kernels/cuda.cuh"

static __device__ __forceinline__ uint32_t pair_of(float a, float b)
{
	__nv_bfloat162 h = __floats2bfloat162_rn(a, b);

	return *(uint32_t *)&h;
}

static __device__ __forceinline__ void halves_of(float *f, uint32_t u)
{
	f[0] = __uint_as_float(u << 16);
	f[1] = __uint_as_float(u & 0xffff0000u);
}

/* V: 1, 2, 4 or 8; p a multiple of V from an aligned array. */
template <int V> static __device__ __forceinline__ void load_pack(float (&f)[V], const float *p)
{
	if constexpr (V % 4 == 0) {
#pragma unroll
		for (int i = 0; i < V; i += 4) {
			float4 q = *(const float4 *)(p + i);

			f[i] = q.x;
			f[i + 1] = q.y;
			f[i + 2] = q.z;
			f[i + 3] = q.w;
		}
	} else if constexpr (V == 2) {
		float2 q = *(const float2 *)p;

		f[0] = q.x;
		f[1] = q.y;
	} else {
		f[0] = *p;
	}
}

template <int V> static __device__ __forceinline__ void load_pack(float (&f)[V], const bf16 *p)
{
	if constexpr (V == 8) {
		uint4 q = *(const uint4 *)p;

		halves_of(f, q.x);
		halves_of(f + 2, q.y);
		halves_of(f + 4, q.z);
		halves_of(f + 6, q.w);
	} else if constexpr (V == 4) {
		uint2 q = *(const uint2 *)p;

		halves_of(f, q.x);
		halves_of(f + 2, q.y);
	} else if constexpr (V == 2) {
		halves_of(f, *(const uint32_t *)p);
	} else {
		f[0] = load(p, 0);
	}
}

template <int V> static __device__ __forceinline__ void store_pack(float *p, const float (&f)[V])
{
	if constexpr (V % 4 == 0) {
#pragma unroll
		for (int i = 0; i < V; i += 4)
			*(float4 *)(p + i) = make_float4(f[i], f[i + 1], f[i + 2], f[i + 3]);
	} else if constexpr (V == 2) {
		*(float2 *)p = make_float2(f[0], f[1]);
	} else {
		*p = f[0];
	}
}

template <int V> static __device__ __forceinline__ void store_pack(bf16 *p, const float (&f)[V])
{
	if constexpr (V == 8)
		*(uint4 *)p = make_uint4(pair_of(f[0], f[1]), pair_of(f[2], f[3]),
			pair_of(f[4], f[5]), pair_of(f[6], f[7]));
	else if constexpr (V == 4)
		*(uint2 *)p = make_uint2(pair_of(f[0], f[1]), pair_of(f[2], f[3]));
	else if constexpr (V == 2)
		*(uint32_t *)p = pair_of(f[0], f[1]);
	else
		store(p, 0, f[0]);
}

/* Set or add. */
template <int V, typename T>
static __device__ __forceinline__ void put_pack(T *p, float (&f)[V], int acc)
{
	float old[V];

	if (acc) {
		load_pack<V>(old, p);
#pragma unroll
		for (int v = 0; v < V; v++)
			f[v] += old[v];
	}
	store_pack<V>(p, f);
}

#endif
