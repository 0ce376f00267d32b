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
	int4 token[STEPS];
	int apart[STEPS]; /* the directions' tokens differ */
	float codes_B[STEP_CODES][N];
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

static __device__ __forceinline__ int4 tokens_of(const int32_t *order, int t, int L)
{
	return make_int4(order[t], order[L + t], order[2 * L + t], order[3 * L + t]);
}

/* Four rows of x (rows, E), one a direction. */
template <int HALF>
static __device__ __forceinline__ float4 gather(
	struct array x, int64_t base, int64_t plane, int4 token, int E)
{
	float4 v;

	v.x = read<HALF>(x, base + (int64_t)token.x * E);
	v.y = read<HALF>(x, base + plane + (int64_t)token.y * E);
	v.z = read<HALF>(x, base + 2 * plane + (int64_t)token.z * E);
	v.w = read<HALF>(x, base + 3 * plane + (int64_t)token.w * E);
	return v;
}

static __device__ __forceinline__ int all_apart(int4 t)
{
	return t.x != t.y && t.x != t.z && t.x != t.w && t.y != t.z && t.y != t.w && t.z != t.w;
}

/* direction_B, or zeros; before the first fill_tile. */
template <int N, int STEPS>
static __device__ __forceinline__ void fill_codes(
	struct tile<N, STEPS> &s, const struct scan_arrays &in)
{
	for (int i = threadIdx.x; i < STEP_CODES * N; i += SET_THREADS)
		s.codes_B[i / N][i % N] = in.direction_B.data ? value(in.direction_B, i) : 0;
}

/* What a thread reads of a tile from t0 on before others are done with the last one. */
template <int N, int STEPS, int HALF> struct reading {
	static const int each = (STEPS + WARPS - 1) / WARPS;
	static const int rows = (STEPS * N + SET_THREADS - 1) / SET_THREADS;
	int4 token[each], code[rows];
	float4 u[each];
	float r[each], B[rows], C[rows];
};

/* Steps beyond the last repeat it and are not used. Lanes are channels. */
template <int N, int STEPS, int HALF>
static __device__ __forceinline__ void read_tile(struct reading<N, STEPS, HALF> &x,
	const struct place &w, const struct selective_scan &p, const struct scan_arrays &in, int t0)
{
	int L = (int)p.len, E = (int)p.dim;
	int64_t base = w.b * L * E + w.e;

#pragma unroll
	for (int i = 0; i < x.each; i++)
		x.token[i] = tokens_of(in.order, step_before(t0 + i * WARPS + w.warp, L), L);
#pragma unroll
	for (int i = 0; i < x.each; i++) {
		int t = step_before(t0 + i * WARPS + w.warp, L);

		x.r[i] = read<HALF>(in.r, base + (int64_t)t * E);
		x.u[i] = gather<HALF>(in.u, base, 0, x.token[i], E);
	}
#pragma unroll
	for (int i = 0; i < x.rows; i++) {
		int n = threadIdx.x % N;
		int t = step_before(t0 + (i * SET_THREADS + (int)threadIdx.x) / N, L);
		int64_t at = (w.b * L + t) * N + n;

		x.code[i] = in.direction_B.data ? tokens_of(in.code, t, L) : make_int4(0, 0, 0, 0);
		x.B[i] = read<HALF>(in.B, at);
		x.C[i] = read<HALF>(in.C, at);
	}
}

template <int N, int STEPS, int HALF>
static __device__ __forceinline__ void leave_tile(
	struct tile<N, STEPS> &s, const struct reading<N, STEPS, HALF> &x, const struct place &w)
{
#pragma unroll
	for (int i = 0; i < x.rows; i++) {
		int n = threadIdx.x % N, j = (i * SET_THREADS + (int)threadIdx.x) / N;

		if (j >= STEPS)
			break;
		s.B[j][0][n] = x.B[i] + s.codes_B[x.code[i].x][n];
		s.B[j][1][n] = x.B[i] + s.codes_B[x.code[i].y][n];
		s.B[j][2][n] = x.B[i] + s.codes_B[x.code[i].z][n];
		s.B[j][3][n] = x.B[i] + s.codes_B[x.code[i].w][n];
		s.C[j][n] = x.C[i];
	}
#pragma unroll
	for (int i = 0; i < x.each; i++) {
		int j = i * WARPS + w.warp;

		if (j >= STEPS)
			break;
		s.u[j][w.lane] = x.u[i];
		s.delta[j][w.lane] = softplus(x.r[i] + w.shift);
		if (!w.lane) {
			s.token[j] = x.token[i];
			s.apart[j] = all_apart(x.token[i]);
		}
	}
}

template <int N, int STEPS, int HALF>
static __device__ __forceinline__ void fill_tile(struct tile<N, STEPS> &s, const struct place &w,
	const struct selective_scan &p, const struct scan_arrays &in, int t0)
{
	struct reading<N, STEPS, HALF> x;

	read_tile(x, w, p, in, t0);
	__syncthreads();
	leave_tile(s, x, w);
	__syncthreads();
}

static __device__ __forceinline__ float quarter(const float4 &x, int i)
{
	return ((const float *)&x)[i];
}

/* The totals of the thread's channel; a token's is EIGHT times its number on. */
static __device__ __forceinline__ float *own_totals(float *totals, const struct place &w, int L)
{
	return totals + w.warp * L * EIGHT + w.slot;
}

static __device__ __forceinline__ int own_token(const int4 &token, int sub)
{
	return ((const int *)&token)[sub];
}

/*
 * Adds x to the token's total, that was old before the step if the directions' tokens are apart;
 * the four directions in order where they meet. The warp has passed all its reads after this.
 */
static __device__ __forceinline__ void add_total(
	float *to, const struct place &w, int apart, float old, float x)
{
	if (apart) {
		*to = old + x;
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
