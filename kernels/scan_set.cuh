/*
 * The selective scan's set form: K directions that share step sizes (4, or 1 alone), N of 8 or 16.
 *
 * A block takes one sample and 8 P channels a warp; four lanes walk P channels that lie EIGHT
 * apart, each with N / 4 states of all directions, so that one set of exponentials serves all
 * directions and one read of B and C all channels. Steps are staged in shared memory a tile at a
 * time. With four directions lane i of a channel holds direction i's sum over states after a step,
 * with one direction lane i that of channel i; tokens' totals over directions lie in shared memory,
 * (4 P, L, 8) for the block's channels in eights. Directions that stand alone, each with parameters
 * of its own, are jobs of one grid.
 */
#ifndef KERNELS_SCAN_SET_CUH
#define KERNELS_SCAN_SET_CUH

#include "kernels/scan.cuh"

#define LANES 4	    /* of a channel */
#define EIGHT 8	    /* channels of a warp, P times */
#define CODE_BITS 7 /* of a direction in a step's codes; above all of them: tokens are apart */

template <int V> struct __align__(4 * V) pack
{
	float v[V];
};

/* Of a block: three warps of four channels a thread make tiles of 96, of which widths are multiples. */
template <int K, int P> struct team {
	static const int warps = K == 1 && P == 4 ? 3 : 4;
	static const int threads = warps * WARP;
	static const int groups = warps * P; /* of EIGHT channels */
	static const int width = groups * EIGHT;
	static const int parts = width / WARP; /* warps side by side where lanes are channels */
};

template <int N, int K, int P, int S> struct tile {
	pack<K> u[S][team<K, P>::width]; /* by direction */
	float B[S][K][N], C[S][N];
	float delta[S][team<K, P>::width];
	float codes_B[K > 1 ? STEP_CODES : 1][N];
};

/* Where the directions go, in shared memory: tokens (L); of several, codes and whether apart (L + 1). */
template <int K> struct paths {
	pack<K> *token; /* as bits */
	uint32_t *code;
};

template <int K> static inline __host__ __device__ int64_t path_bytes(int64_t L)
{
	return (L * (int64_t)sizeof(pack<K>) + (K > 1) * (L + 1) * 4 + 15) / 16 * 16;
}

/* The block's scan; directions that share step sizes are one. */
template <int K>
static __device__ __forceinline__ const struct scan_job &job_of(const struct scan_jobs &jobs)
{
	return jobs.of[K == 1 ? blockIdx.z : 0];
}

/* A thread's place: sample, and in the tile of channels. */
struct place {
	int64_t b;
	int warp, lane, sub, slot; /* slot: channel in the eight */
	int part, e, live;	   /* when lanes are channels: which 32, the channel */
	float shift;		   /* its kappa beta */
};

template <int K, int P>
static __device__ __forceinline__ struct place place_of(
	const struct selective_scan &p, const struct scan_arrays &in, int64_t b, int tile)
{
	struct place w;

	w.b = b;
	w.warp = threadIdx.x / WARP;
	w.lane = threadIdx.x % WARP;
	w.sub = w.lane % LANES;
	w.slot = w.lane / LANES;
	w.part = w.warp % team<K, P>::parts;
	w.e = tile * team<K, P>::width + w.part * WARP + w.lane;
	w.live = w.e < p.dim;
	w.e = w.live ? w.e : (int)p.dim - 1;
	w.shift = p.kappa * value(in.beta, w.e);
	return w;
}

/* The i-th channel that the thread walks, in the tile. */
template <int P> static __device__ __forceinline__ int walked(const struct place &w, int i)
{
	return (w.warp * P + i) * EIGHT + w.slot;
}

/* That channel, or the last. */
template <int K, int P>
static __device__ __forceinline__ int channel_of(
	const struct place &w, const struct selective_scan &p, int tile, int i)
{
	return min(tile * team<K, P>::width + walked<P>(w, i), (int)p.dim - 1);
}

template <int N, int K, int P>
static __device__ __forceinline__ void decays_of(float (*A2)[N / LANES], const struct place &w,
	const struct selective_scan &p, const struct scan_arrays &in, int tile)
{
	for (int c = 0; c < P; c++)
		for (int i = 0; i < N / LANES; i++)
			A2[c][i] = decay(
				in, channel_of<K, P>(w, p, tile, c), w.sub * (N / LANES) + i, N);
}

/* The i-th step of a tile that the thread reads or writes with lanes as channels. */
template <int K, int P> static __device__ __forceinline__ int row_of(const struct place &w, int i)
{
	return i * (LANES / P) + w.warp / team<K, P>::parts;
}

static __device__ __forceinline__ int step_before(int t, int64_t len)
{
	return t < len ? t : (int)len - 1;
}

template <int K> static __device__ __forceinline__ int token_of(const pack<K> &token, int k)
{
	return __float_as_int(token.v[k]);
}

static __device__ __forceinline__ int code_of(uint32_t codes, int k)
{
	return codes >> (CODE_BITS * k) & ((1 << CODE_BITS) - 1);
}

static __device__ __forceinline__ uint32_t all_codes(uint32_t codes)
{
	return codes & ((1u << (CODE_BITS * 4)) - 1);
}

static __device__ __forceinline__ int apart(uint32_t codes)
{
	return codes >> (CODE_BITS * 4);
}

/* The paths, after the tile; the last step's codes stand twice. Seen after the next barrier. */
template <int K>
static __device__ __forceinline__ struct paths<K> fill_paths(
	void *at, const struct scan_arrays &in, int L) {
	struct paths<K> s = {
		(pack<K> *)at, (uint32_t *)((pack<K> *)at + L)
	};

	for (int i = threadIdx.x; i < L + (K > 1); i += blockDim.x) {
		int t = step_before(i, L), met = 0, token[K];
		uint32_t codes = 0;

#pragma unroll
		for (int k = 0; k < K; k++) {
			token[k] = in.order ? in.order[k * L + t] : t;
			for (int m = 0; m < k; m++)
				met |= token[m] == token[k];
			if (K > 1 && in.direction_B.data)
				codes |= (uint32_t)in.code[k * L + t] << (CODE_BITS * k);
			if (i < L)
				s.token[i].v[k] = __int_as_float(token[k]);
		}
		if (K > 1)
			s.code[i] = codes | (uint32_t)!met << (CODE_BITS * 4);
	}
	return s;
}

/* x[base + row E], with 32 bits inside a sample. */
template <int HALF>
static __device__ __forceinline__ float row_value(struct array x, int64_t base, int row, int E)
{
	return HALF ? load((const bf16 *)x.data + base, row * E)
		    : value(x, base + (int64_t)row * E);
}

/* Rows of x (K, L, E) at the directions' tokens; plane 0: of x (L, E). */
template <int HALF, int K>
static __device__ __forceinline__ pack<K> gather(
	struct array x, int64_t base, int64_t plane, const pack<K> &token, int E)
{
	pack<K> v;

#pragma unroll
	for (int k = 0; k < K; k++)
		v.v[k] = row_value<HALF>(x, base + k * plane, token_of(token, k), E);
	return v;
}

/* direction_B, or zeros; before the first fill_tile. */
template <int N, int K, int P, int S>
static __device__ __forceinline__ void fill_codes(
	struct tile<N, K, P, S> &s, const struct scan_arrays &in)
{
	for (int i = threadIdx.x; K > 1 && i < STEP_CODES * N; i += blockDim.x)
		s.codes_B[i / N][i % N] = in.direction_B.data ? value(in.direction_B, i) : 0;
}

/* Where step t finds r, B and C. */
template <int K>
static __device__ __forceinline__ int source_of(
	const struct selective_scan &p, const struct paths<K> &paths, int t)
{
	return K == 1 && p.param_at_scan ? token_of(paths.token[t], 0) : t;
}

/* What a thread reads of a tile from t0 on before others are done with the last one. */
template <int N, int K, int P, int S> struct reading {
	static const int threads = team<K, P>::threads;
	static const int each = (S * P + LANES - 1) / LANES;
	static const int rows = (S * N + threads - 1) / threads;
	pack<K> u[each];
	float r[each], B[rows], C[rows];
};

/* Steps beyond the last repeat it and are not used. Lanes are channels. */
template <int HALF, int N, int K, int P, int S>
static __device__ __forceinline__ void read_tile(struct reading<N, K, P, S> &x,
	const struct paths<K> &paths, const struct place &w, const struct selective_scan &p,
	const struct scan_arrays &in, int t0)
{
	int L = (int)p.len, E = (int)p.dim;
	int64_t base = w.b * L * E + w.e;

#pragma unroll
	for (int i = 0; i < x.each; i++) {
		int t = step_before(t0 + row_of<K, P>(w, i), L);

		x.r[i] = row_value<HALF>(in.r, base, source_of(p, paths, t), E);
		x.u[i] = gather<HALF>(in.u, base, 0, paths.token[t], E);
	}
#pragma unroll
	for (int i = 0; i < x.rows; i++) {
		int n = threadIdx.x % N;
		int t = step_before(t0 + (i * x.threads + (int)threadIdx.x) / N, L);
		int row = source_of(p, paths, t);

		x.B[i] = row_value<HALF>(in.B, w.b * L * N + n, row, N);
		x.C[i] = row_value<HALF>(in.C, w.b * L * N + n, row, N);
	}
}

template <int N, int K, int P, int S>
static __device__ __forceinline__ void leave_tile(struct tile<N, K, P, S> &s,
	const struct reading<N, K, P, S> &x, const struct paths<K> &paths, const struct place &w,
	int L, int t0)
{
#pragma unroll
	for (int i = 0; i < x.rows; i++) {
		int n = threadIdx.x % N, j = (i * x.threads + (int)threadIdx.x) / N;
		uint32_t codes = K > 1 ? paths.code[step_before(t0 + j, L)] : 0;

		if (j >= S)
			break;
#pragma unroll
		for (int k = 0; k < K; k++)
			s.B[j][k][n] = x.B[i] + (K > 1 ? s.codes_B[code_of(codes, k)][n] : 0);
		s.C[j][n] = x.C[i];
	}
#pragma unroll
	for (int i = 0; i < x.each; i++) {
		int j = row_of<K, P>(w, i), c = w.part * WARP + w.lane;

		if (j >= S)
			break;
		s.u[j][c] = x.u[i];
		s.delta[j][c] = softplus(x.r[i] + w.shift);
	}
}

template <int HALF, int N, int K, int P, int S>
static __device__ __forceinline__ void fill_tile(struct tile<N, K, P, S> &s,
	const struct paths<K> &paths, const struct place &w, const struct selective_scan &p,
	const struct scan_arrays &in, int t0)
{
	struct reading<N, K, P, S> x;

	read_tile<HALF>(x, paths, w, p, in, t0);
	__syncthreads();
	leave_tile(s, x, paths, w, (int)p.len, t0);
	__syncthreads();
}

/* Sum over a channel's lanes that differ in bits FROM to 2. */
template <int FROM> static __device__ __forceinline__ float quad_sum(float x)
{
#pragma unroll
	for (int d = FROM; d < LANES; d *= 2)
		x += __shfl_xor_sync(0xffffffffu, x, d);
	return x;
}

/* The totals of the token for a thread's first channel; those of the next are L EIGHT on. */
template <int P>
static __device__ __forceinline__ float *own_totals(
	float *totals, const struct place &w, int L, int token)
{
	return totals + (w.warp * P * L + token) * EIGHT + w.slot;
}

/*
 * Adds x[i] to the token's total of channel i, which was old[i] before the step; lane k of a channel
 * has direction k's. They are added at once if the tokens are apart, else in order. The warp has
 * passed all its reads after this.
 */
template <int P>
static __device__ __forceinline__ void add_totals(
	float *to, const struct place &w, int L, uint32_t codes, const float *old, const float *x)
{
	if (apart(codes)) {
#pragma unroll
		for (int i = 0; i < P; i++)
			to[i * L * EIGHT] = old[i] + x[i];
	} else {
		for (int k = 0; k < LANES; k++) {
			for (int i = 0; i < P && w.sub == k; i++)
				to[i * L * EIGHT] += x[i];
			__syncwarp();
		}
	}
	__syncwarp();
}

/* A token's total when lanes are channels. */
static __device__ __forceinline__ float total_of(
	const float *totals, const struct place &w, int L, int token)
{
	int c = w.part * WARP + w.lane;

	return totals[(c / EIGHT * L + token) * EIGHT + c % EIGHT];
}

/* What a step needs of the tile before its states. */
template <int NL, int K, int P> struct step {
	float a[P][NL], du[P][K], delta[P];
};

template <int N, int K, int P, int S>
static __device__ __forceinline__ struct step<N / LANES, K, P> open_step(
	const struct tile<N, K, P, S> &s, const struct place &w, int j,
	const float (*A2)[N / LANES]) {
	struct step<N / LANES, K, P> x;

#pragma unroll
	for (int c = 0; c < P; c++) {
		pack<K> u = s.u[j][walked<P>(w, c)];

		x.delta[c] = s.delta[j][walked<P>(w, c)];
#pragma unroll
		for (int k = 0; k < K; k++)
			x.du[c][k] = x.delta[c] * u.v[k];
#pragma unroll
		for (int i = 0; i < N / LANES; i++)
			x.a[c][i] = ex2(x.delta[c] * A2[c][i]);
	}
	return x;
}

template <int N, int K, int P, int S>
static __device__ __forceinline__ pack<N / LANES> weights(
	const struct tile<N, K, P, S> &s, int j, int k, int sub)
{
	return *(const pack<N / LANES> *)&s.B[j][k][sub * (N / LANES)];
}

/* A thread's states. */
template <int NL, int K, int P> struct __align__(16) states_of
{
	float h[P][K][NL];
};

/* h = a h */
template <int NL, int K, int P>
static __device__ __forceinline__ void decay_states(
	struct states_of<NL, K, P> &h, const struct step<NL, K, P> &x)
{
#pragma unroll
	for (int c = 0; c < P; c++)
#pragma unroll
		for (int k = 0; k < K; k++)
#pragma unroll
			for (int i = 0; i < NL; i++)
				h.h[c][k][i] *= x.a[c][i];
}

/* to = h + delta u B */
template <int N, int K, int P, int S>
static __device__ __forceinline__ void inject(struct states_of<N / LANES, K, P> &to,
	const struct states_of<N / LANES, K, P> &h, const struct step<N / LANES, K, P> &x,
	const struct tile<N, K, P, S> &s, int j, int sub)
{
#pragma unroll
	for (int k = 0; k < K; k++) {
		pack<N / LANES> B = weights(s, j, k, sub);

#pragma unroll
		for (int c = 0; c < P; c++)
#pragma unroll
			for (int i = 0; i < N / LANES; i++)
				to.h[c][k][i] = x.du[c][k] * B.v[i] + h.h[c][k][i];
	}
}

template <int N, int K, int P, int S>
static __device__ __forceinline__ void advance(struct states_of<N / LANES, K, P> &h,
	const struct step<N / LANES, K, P> &x, const struct tile<N, K, P, S> &s, int j, int sub)
{
	decay_states(h, x);
	inject(h, h, x, s, j, sub);
}

#endif
