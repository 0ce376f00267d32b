/*
 * The selective scan's set form: four directions that share step sizes, N of 8 or 16.
 *
 * A block takes one sample and 32 channels with 4 warps; four lanes walk a channel, each with
 * N / 4 states of all four directions, so that one set of exponentials serves them all. Steps are
 * staged in shared memory a tile at a time. After a step lane i of a channel holds direction i's
 * sum over states; tokens' totals over directions lie in shared memory, (4, L, 8) for the 4 warps'
 * 8 channels each.
 */
#ifndef KERNELS_SCAN_SET_CUH
#define KERNELS_SCAN_SET_CUH

#include "kernels/scan.cuh"

#define SET 4	/* directions, and lanes of a channel */
#define WARPS 4 /* of a block */
#define EIGHT 8 /* channels of a warp */
#define SET_THREADS (WARPS * WARP)

template <int NL> struct __align__(4 * NL) pack
{
	float v[NL];
};

template <int N, int STEPS> struct tile {
	float4 u[STEPS][WARP]; /* by direction */
	float B[STEPS][SET][N], C[STEPS][N];
	float delta[STEPS][WARP];
	int token[STEPS][SET];
	int apart[STEPS]; /* the directions' tokens differ */
};

/* A thread's place: sample, tile of channels, and in it. */
struct place {
	int64_t b;
	int warp, lane, sub, slot; /* slot: channel in the warp */
	int e, live;		   /* the lane's channel when lanes are channels */
	float shift;		   /* its kappa beta */
};

static __device__ __forceinline__ struct place place_of(
	const struct selective_scan &p, const struct scan_arrays &in, int64_t b, int e0)
{
	struct place w;

	w.b = b;
	w.warp = threadIdx.x / WARP;
	w.lane = threadIdx.x % WARP;
	w.sub = w.lane % SET;
	w.slot = w.lane / SET;
	w.live = e0 + w.lane < p.dim;
	w.e = w.live ? e0 + w.lane : (int)p.dim - 1;
	w.shift = p.kappa * value(in.beta, w.e);
	return w;
}

/* The channel that the thread walks, in the tile of 32. */
static __device__ __forceinline__ int walked(const struct place &w)
{
	return w.warp * EIGHT + w.slot;
}

static __device__ __forceinline__ int step_before(int t, int64_t len)
{
	return t < len ? t : (int)len - 1;
}

/* Four rows of x (rows, E), one a direction. */
template <int HALF>
static __device__ __forceinline__ float4 gather(
	struct array x, int64_t base, int64_t plane, const int32_t *order, int t, int L, int E)
{
	float4 v;

	v.x = read<HALF>(x, base + (int64_t)order[t] * E);
	v.y = read<HALF>(x, base + plane + (int64_t)order[L + t] * E);
	v.z = read<HALF>(x, base + 2 * plane + (int64_t)order[2 * L + t] * E);
	v.w = read<HALF>(x, base + 3 * plane + (int64_t)order[3 * L + t] * E);
	return v;
}

/* Steps from t0 on; those beyond the last repeat it and are not used. Lanes are channels. */
template <int N, int STEPS, int HALF>
static __device__ __forceinline__ void fill_tile(struct tile<N, STEPS> &s, const struct place &w,
	const struct selective_scan &p, const struct scan_arrays &in, int t0)
{
	const int each = (STEPS + WARPS - 1) / WARPS;
	int L = (int)p.len, E = (int)p.dim;
	int64_t base = w.b * L * E + w.e;
	float4 u[each];
	float r[each];

	__syncthreads();
#pragma unroll
	for (int i = 0; i < each; i++) {
		int t = step_before(t0 + i * WARPS + w.warp, L);

		u[i] = gather<HALF>(in.u, base, 0, in.order, t, L, E);
		r[i] = read<HALF>(in.r, base + (int64_t)t * E);
	}
	for (int i = threadIdx.x; i < STEPS * SET * N; i += SET_THREADS) {
		int n = i % N, k = i / N % SET, j = i / (SET * N), t = step_before(t0 + j, L);
		int64_t at = (w.b * L + t) * N + n;
		float B = read<HALF>(in.B, at);

		if (in.direction_B.data)
			B += value(in.direction_B, in.code[k * L + t] * N + n);
		s.B[j][k][n] = B;
		if (!k)
			s.C[j][n] = read<HALF>(in.C, at);
	}
	if (threadIdx.x < STEPS) {
		const int32_t *o = in.order + step_before(t0 + (int)threadIdx.x, L);
		int a = o[0], b = o[L], c = o[2 * L], d = o[3 * L];

		s.token[threadIdx.x][0] = a;
		s.token[threadIdx.x][1] = b;
		s.token[threadIdx.x][2] = c;
		s.token[threadIdx.x][3] = d;
		s.apart[threadIdx.x] = a != b && a != c && a != d && b != c && b != d && c != d;
	}
#pragma unroll
	for (int i = 0; i < each; i++) {
		int j = i * WARPS + w.warp;

		if (j >= STEPS)
			break;
		s.u[j][w.lane] = u[i];
		s.delta[j][w.lane] = softplus(r[i] + w.shift);
	}
	__syncthreads();
}

static __device__ __forceinline__ float quarter(const float4 &x, int i)
{
	return ((const float *)&x)[i];
}

/* Adds x to the token's total, the four directions in order where they meet. */
static __device__ __forceinline__ void add_total(
	float *totals, const struct place &w, int L, const int *token, int apart, float x)
{
	float *to = totals + ((int64_t)w.warp * L + token[w.sub]) * EIGHT + w.slot;

	if (apart) {
		*to += x;
	} else {
		for (int k = 0; k < SET; k++) {
			if (w.sub == k)
				*to += x;
			__syncwarp();
		}
	}
	__syncwarp();
}

static __device__ __forceinline__ float total_of(
	const float *totals, const struct place &w, int L, int token)
{
	return totals[((int64_t)(w.lane / EIGHT) * L + token) * EIGHT + w.lane % EIGHT];
}

/* What a step needs of the tile before its states. */
template <int NL> struct step {
	float a[NL], du[SET], delta;
};

template <int N, int STEPS>
static __device__ __forceinline__ struct step<N / SET> open_step(
	const struct tile<N, STEPS> &s, int j, int c, const float *A2) {
	struct step<N / SET> x;
	float4 u = s.u[j][c];

	x.delta = s.delta[j][c];
	x.du[0] = x.delta * u.x;
	x.du[1] = x.delta * u.y;
	x.du[2] = x.delta * u.z;
	x.du[3] = x.delta * u.w;
#pragma unroll
	for (int i = 0; i < N / SET; i++)
		x.a[i] = ex2(x.delta * A2[i]);
	return x;
}

template <int N, int STEPS>
static __device__ __forceinline__ pack<N / SET> weights(
	const struct tile<N, STEPS> &s, int j, int k, int sub)
{
	return *(const pack<N / SET> *)&s.B[j][k][sub * (N / SET)];
}

/* h = a h + delta u B; h (SET, NL) */
template <int N, int STEPS>
static __device__ __forceinline__ void advance(float (*h)[N / SET], const struct step<N / SET> &x,
	const struct tile<N, STEPS> &s, int j, int sub)
{
#pragma unroll
	for (int k = 0; k < SET; k++) {
		pack<N / SET> B = weights(s, j, k, sub);

#pragma unroll
		for (int i = 0; i < N / SET; i++)
			h[k][i] = x.a[i] * h[k][i] + x.du[k] * B.v[i];
	}
}

#endif
