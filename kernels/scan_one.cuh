/*
 * The selective scan's form for one state: one direction, no direction_B, no segments.
 *
 * A block is a warp and walks 32 V channels of one sample, a thread V neighbours (2 where activations
 * are halves and E is even), S steps at a time. What the warp shares of such a stretch (tokens, B, C)
 * lies in shared memory; while a stretch is walked, u, r and dy of the next are on their way to
 * registers, and the tokens of the one after that.
 *
 * Step sizes are in units of ln 2, so that exponentials are powers of two; what they are multiplied
 * with (B, A) is scaled instead. Steps beyond the last repeat it: with a step size of zero in
 * forward, which leaves the state and writes the same output again; with a dy of zero in backward,
 * where the last step then overwrites what they wrote.
 */
#ifndef KERNELS_SCAN_ONE_CUH
#define KERNELS_SCAN_ONE_CUH

#include "kernels/scan.cuh"

/* An array from a thread's first channel on, in units of its V channels. */
template <int V> struct lane_array;
template <> struct lane_array<1> {
	struct array a;
};
template <> struct lane_array<2> {
	uint32_t *pairs; /* of halves */
};

/* V values as they were read. */
template <int V> struct raw;
template <> struct raw<1> {
	float x;
};
template <> struct raw<2> {
	uint32_t x;
};

template <int V> static __device__ __forceinline__ lane_array<V> from(struct array a, int64_t i)
{
	if constexpr (V == 1) {
		char *p = (char *)a.data;
		struct array b = {p ? p + i * (a.half ? 2 : 4) : p, a.half};

		return {b};
	} else {
		return {a.data ? (uint32_t *)a.data + i / 2 : NULL};
	}
}

static __device__ __forceinline__ raw<1> read(lane_array<1> x, unsigned i)
{
	return {value(x.a, i)};
}

static __device__ __forceinline__ raw<2> read(lane_array<2> x, unsigned i)
{
	return {x.pairs[i]};
}

static __device__ __forceinline__ void unpack(float *v, raw<1> r)
{
	v[0] = r.x;
}

static __device__ __forceinline__ void unpack(float *v, raw<2> r)
{
	v[0] = __uint_as_float(r.x << 16);
	v[1] = __uint_as_float(r.x & 0xffff0000u);
}

template <int V> static __device__ __forceinline__ raw<V> minus_infinity(void)
{
	if constexpr (V == 1)
		return {__uint_as_float(0xff800000u)};
	else
		return {0xff80ff80u};
}

static __device__ __forceinline__ int present(lane_array<1> x)
{
	return x.a.data != NULL;
}

static __device__ __forceinline__ int present(lane_array<2> x)
{
	return x.pairs != NULL;
}

static __device__ __forceinline__ void write(lane_array<1> x, unsigned i, const float *v, int acc)
{
	set_value(x.a, i, v[0], acc);
}

static __device__ __forceinline__ void write(lane_array<2> x, unsigned i, const float *v, int acc)
{
	float old[2] = {0, 0};
	__nv_bfloat162 pair;

	if (acc)
		unpack(old, read(x, i));
	pair = __floats2bfloat162_rn(acc ? v[0] + old[0] : v[0], acc ? v[1] + old[1] : v[1]);
	x.pairs[i] = *(uint32_t *)&pair;
}

static __device__ __forceinline__ float lg2(float x)
{
#ifdef __CUDA_ARCH__
	float y;

	asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
	return y;
#else
	return log2f(x);
#endif
}

/*
 * The step size of r and its bias, the latter times log2(e), in units of ln 2. Of halves by two
 * instructions of the special functions' unit: below 0.01 they lose up to 2^-23 of 1, where a half's
 * last place in r is worth 2^-8 of the step.
 */
template <int V> static __device__ __forceinline__ float step_size(float r, float shift)
{
	float x = r * LOG2E + shift;

	if constexpr (V == 1)
		return LOG2E * softplus(LN2 * x);
	return fmaxf(x, 0) + lg2(1 + ex2(-fabsf(x)));
}

/* Its derivative by r, in units of (ln 2)^2. */
template <int V> static __device__ __forceinline__ float step_slope(float delta)
{
	if constexpr (V == 1)
		return LOG2E * softplus_slope(LN2 * delta);
	return LOG2E - LOG2E * ex2(-delta);
}

/* A stretch in shared memory: ln 2 B, C; where two stretches' tokens lie, in V channels. */
template <int S> struct strip {
	float2 BC[S];
	unsigned at[2][S];
};

/* A thread's channels, from e on. */
template <int V> struct lanes_of {
	int e, live;
	float shift[V], A[V], D[V];
};

template <int V>
static __device__ __forceinline__ struct lanes_of<V> lanes(
	const struct selective_scan &p, const struct scan_arrays &in) {
	struct lanes_of<V> c;
	int e = (int)(blockIdx.x * WARP + threadIdx.x) * V;

	c.live = e < p.dim;
	c.e = c.live ? e : (int)p.dim - V;
#pragma unroll
	for (int i = 0; i < V; i++) {
		c.shift[i] = LOG2E * p.kappa * value(in.beta, c.e + i);
		c.A[i] = LN2 * decay(in, c.e + i, 0, 1);
		c.D[i] = value(in.D, c.e + i);
	}
	return c;
}

/* The sample's arrays; B and C from the first token on. */
template <int V>
struct sample {
	lane_array<V> u, r, y, du, dr;
	lane_array<1> B, C;
	const int32_t *order;
	int L, width; /* in V channels */
};

template <int V>
static __device__ __forceinline__ struct sample<V> sample_of(
	const struct lanes_of<V> &c, const struct selective_scan &p, const struct scan_job &job) {
	int64_t token = blockIdx.y * p.len, base = token * p.dim + c.e;
	struct sample<V> s = {
		from<V>(job.in.u, base), from<V>(job.in.r, base), from<V>(job.y, base),
			from<V>(job.d.u, base), from<V>(job.d.r, base), from<1>(job.in.B, token),
			from<1>(job.in.C, token), job.in.order, (int)p.len, (int)p.dim / V
	};

	return s;
}

/* A lane's step (of S) in the stretch walked, the next, and the one after: tokens; B and C. */
struct ahead {
	int lane, now, next, token;
	float2 BC; /* of the next */
};

template <int S, int V>
static __device__ __forceinline__ void read_token(
	struct ahead *w, const struct sample<V> &a, int t0)
{
	int t = min(max(t0 + w->lane % S, 0), a.L - 1);

	w->now = w->next;
	w->next = w->token;
	w->token = a.order ? a.order[t] : t;
}

template <int V>
static __device__ __forceinline__ void read_BC(struct ahead *w, const struct sample<V> &a)
{
	w->BC = make_float2(LN2 * read(a.B, w->token).x, read(a.C, w->token).x);
}

/* What is on its way. */
template <int V, int S, int DY> struct coming {
	raw<V> u[S], r[S], dy[DY ? S : 1];
};

template <int V, int S, int DY>
static __device__ __forceinline__ void read_stretch(
	struct coming<V, S, DY> &x, const struct sample<V> &a, const unsigned *at)
{
#pragma unroll
	for (int j = 0; j < S; j++) {
		unsigned i = at[j];

		x.u[j] = read(a.u, i);
		x.r[j] = read(a.r, i);
		if constexpr (DY)
			x.dy[j] = read(a.y, i);
	}
}

/* The first stretch, from t0 on: its tokens in place, its values and the next tokens on their way. */
template <int V, int S, int DY>
static __device__ __forceinline__ struct ahead begin(
	struct coming<V, S, DY> &x, struct strip<S> &s, const struct sample<V> &a, int t0, int step)
{
	struct ahead w = {(int)threadIdx.x};

	read_token<S>(&w, a, t0);
	if (w.lane < S)
		s.at[0][w.lane] = w.token * a.width;
	read_BC(&w, a);
	__syncwarp();
	read_stretch(x, a, s.at[0]);
	read_token<S>(&w, a, t0 + step);
	return w;
}

/*
 * Puts B and C of the stretch from t0 on in place, and sends for the values of the next, `step`
 * steps on, into x; turn says which of the two places has this stretch's tokens.
 */
template <int V, int S, int DY>
static __device__ __forceinline__ void turn_over(struct coming<V, S, DY> &x, struct strip<S> &s,
	struct ahead *w, const struct sample<V> &a, int t0, int step, int turn)
{
	__syncwarp();
	if (w->lane < S) {
		s.BC[w->lane] = w->BC;
		s.at[!turn][w->lane] = w->token * a.width;
	}
	__syncwarp();
	read_BC(w, a);
	read_stretch(x, a, s.at[!turn]);
	read_token<S>(w, a, t0 + 2 * step);
}

template <int V>
static __device__ __forceinline__ void advance(
	float *h, const struct lanes_of<V> &c, const float *u, const float *r, float B)
{
#pragma unroll
	for (int i = 0; i < V; i++) {
		float delta = step_size<V>(r[i], c.shift[i]);

		h[i] = ex2(delta * c.A[i]) * h[i] + delta * u[i] * B;
	}
}

/* Whether a thread takes two neighbours, read at once. */
static inline int scan_one_paired(const struct selective_scan &p, const struct scan_jobs &jobs)
{
	return p.dim % 2 == 0 && scan_jobs_half(jobs);
}

static inline dim3 scan_one_grid(const struct selective_scan &p, int V, int count)
{
	int64_t width = V * WARP;

	return dim3((unsigned)((p.dim + width - 1) / width), (unsigned)p.batch, (unsigned)count);
}

#endif
