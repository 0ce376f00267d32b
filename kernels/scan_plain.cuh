/*
 * The selective scan's plain form: a thread walks one channel of one sample, NT states at a time,
 * in registers; directions and further groups of states follow one another (a pass each).
 */
#ifndef KERNELS_SCAN_PLAIN_CUH
#define KERNELS_SCAN_PLAIN_CUH

#include "kernels/scan.cuh"

#define CHANNELS 64
#define STRETCH 8 /* steps */

/* What all channels of a block share of a stretch: B and C (with zeros beyond the last state). */
template <int NT> struct stage {
	float B[STRETCH][NT], C[STRETCH][NT];
	int token[STRETCH], source[STRETCH], code[STRETCH], start[STRETCH];
};

/* One walk: sample, direction, first state. */
struct walk {
	int64_t b;
	int k, n0;
};

static __device__ __forceinline__ int token_at(
	const struct selective_scan &p, const struct scan_arrays &in, int k, int t)
{
	return in.order ? in.order[(int64_t)k * p.len + t] : t;
}

static __device__ int starts(
	const struct selective_scan &p, const struct scan_arrays &in, const struct walk &w, int t)
{
	const int32_t *s = in.segments + w.b * p.len;

	return !t || (in.segments && s[token_at(p, in, w.k, t)] != s[token_at(p, in, w.k, t - 1)]);
}

template <int NT, int HALF>
static __device__ void fill_stage(struct stage<NT> &s, const struct selective_scan &p,
	const struct scan_arrays &in, const struct walk &w, int t0)
{
	int L = (int)p.len, N = (int)p.state;

	__syncthreads();
	for (int i = threadIdx.x; i < STRETCH * NT; i += CHANNELS) {
		int j = i / NT, t = t0 + j, n = w.n0 + i % NT;
		float B = 0, C = 0;

		if (t < L && n < N) {
			int q = p.param_at_scan ? token_at(p, in, w.k, t) : t;
			int64_t at = (w.b * L + q) * N + n;

			B = read<HALF>(in.B, at);
			C = read<HALF>(in.C, at);
			if (in.direction_B.data)
				B += value(in.direction_B, in.code[(int64_t)w.k * L + t] * N + n);
		}
		s.B[j][i % NT] = B;
		s.C[j][i % NT] = C;
	}
	if (threadIdx.x < STRETCH) {
		int t = t0 + (int)threadIdx.x < L ? t0 + (int)threadIdx.x : L - 1;
		int token = token_at(p, in, w.k, t);

		s.token[threadIdx.x] = token;
		s.source[threadIdx.x] = p.param_at_scan ? token : t;
		s.code[threadIdx.x] = in.direction_B.data ? in.code[(int64_t)w.k * L + t] : 0;
		s.start[threadIdx.x] = starts(p, in, w, t);
	}
	__syncthreads();
}

/* One thread's channel. base: of its first value in u, r and their gradients. */
template <int NT> struct channel {
	int e, live;
	int64_t base;
	float shift, D; /* kappa beta */
	float A2[NT];
};

template <int NT>
static __device__ __forceinline__ void channel_open(struct channel<NT> *c,
	const struct selective_scan &p, const struct scan_arrays &in, int64_t b, int e)
{
	c->live = e < p.dim;
	c->e = c->live ? e : (int)p.dim - 1;
	c->base = b * p.len * p.dim + c->e;
	c->shift = p.kappa * value(in.beta, c->e);
	c->D = value(in.D, c->e);
}

template <int NT>
static __device__ __forceinline__ void channel_decay(
	struct channel<NT> *c, const struct selective_scan &p, const struct scan_arrays &in, int n0)
{
#pragma unroll
	for (int n = 0; n < NT; n++)
		c->A2[n] = decay(in, c->e, n0 + n, (int)p.state);
}

template <int NT, int HALF>
static __device__ __forceinline__ void load_stretch(float *u, float *delta,
	const struct stage<NT> &s, const struct channel<NT> &c, const struct selective_scan &p,
	const struct scan_arrays &in)
{
	int E = (int)p.dim;

#pragma unroll
	for (int j = 0; j < STRETCH; j++) {
		u[j] = read<HALF>(in.u, c.base + (int64_t)s.token[j] * E);
		delta[j] = read<HALF>(in.r, c.base + (int64_t)s.source[j] * E);
	}
#pragma unroll
	for (int j = 0; j < STRETCH; j++)
		delta[j] = softplus(delta[j] + c.shift);
}

template <int NT>
static __device__ __forceinline__ void advance(float *h, const struct channel<NT> &c,
	const struct stage<NT> &s, int j, float u, float delta)
{
	float du = delta * u;

#pragma unroll
	for (int n = 0; n < NT; n++)
		h[n] = ex2(delta * c.A2[n]) * h[n] + du * s.B[j][n];
}

template <int NT> static __device__ __forceinline__ void clear_if(int start, float *h)
{
	if (!start)
		return;
#pragma unroll
	for (int n = 0; n < NT; n++)
		h[n] = 0;
}

/* The directions a block walks and in how many groups of states each. */
struct passes {
	int first, groups, count;
};

static __device__ __forceinline__ struct passes passes_of(
	const struct selective_scan &p, int NT, int k, int directions)
{
	int groups = (int)((p.state + NT - 1) / NT);
	struct passes s = {k, groups, groups * directions};

	return s;
}

static inline int states(const struct selective_scan &p)
{
	return p.state <= 8 ? 8 : 16;
}

static inline int64_t group_count(const struct selective_scan &p)
{
	return (p.state + states(p) - 1) / states(p);
}

#endif
