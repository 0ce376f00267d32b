/*
 * The selective scan's plain form: a thread walks one channel of one sample, NT states at a time,
 * in registers; directions and further groups of states follow one another (a pass each).
 *
 * Backward keeps the state before every stretch of steps in work, recomputes a stretch into shared
 * memory and walks it in reverse. A block takes one sample and CHANNELS channels after another.
 */
#include <stdlib.h>
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

/* Grid: sample, channels, direction (1 if merged). */
template <int NT, int HALF>
static __global__ void __launch_bounds__(CHANNELS)
	scan_forward(struct selective_scan p, struct array y, struct scan_arrays in, float *sum)
{
	__shared__ struct stage<NT> s;
	struct passes passes =
		passes_of(p, NT, p.merged ? 0 : (int)blockIdx.z, p.merged ? (int)p.directions : 1);
	struct walk w = {(int64_t)blockIdx.x, 0, 0};
	struct channel<NT> c;
	int L = (int)p.len, E = (int)p.dim;

	channel_open(&c, p, in, w.b, (int)(blockIdx.y * CHANNELS + threadIdx.x));
	for (int pass = 0; pass < passes.count; pass++) {
		float h[NT] = {0};

		w.k = passes.first + pass / passes.groups;
		w.n0 = pass % passes.groups * NT;
		channel_decay(&c, p, in, w.n0);
		int64_t row = (p.merged ? w.b : w.b * p.directions + w.k) * L * E + c.e;

		for (int t0 = 0; t0 < L; t0 += STRETCH) {
			float u[STRETCH], delta[STRETCH];

			fill_stage<NT, HALF>(s, p, in, w, t0);
			load_stretch<NT, HALF>(u, delta, s, c, p, in);
#pragma unroll
			for (int j = 0; j < STRETCH; j++) {
				int64_t at = row + (int64_t)s.token[j] * E;
				float v = w.n0 ? 0 : c.D * u[j];

				if (t0 + j >= L)
					break;
				clear_if<NT>(s.start[j], h);
				advance(h, c, s, j, u[j], delta[j]);
#pragma unroll
				for (int n = 0; n < NT; n++)
					v += s.C[j][n] * h[n];
				if (!c.live)
					continue;
				if (pass)
					v += sum[at];
				if (pass < passes.count - 1)
					sum[at] = v;
				else
					write<HALF>(y, at, v, 0);
			}
		}
	}
}

/* What a thread gathers over the steps of one walk, or of all. */
template <int NT> struct gathered {
	float ag[NT], dA[NT], code[STEP_CODES];
};

/* Sums of one sample's tile (32 channels), added to what earlier directions left. */
static __device__ __forceinline__ void leave(float *to, float x, int first)
{
	*to = first ? x : *to + x;
}

/* Step j on the way back; *m, *Aw: the sums over states that du and ddelta are made of. */
template <int NT>
static __device__ __forceinline__ float step_back(struct gathered<NT> *g,
	const struct channel<NT> &c, const struct stage<NT> &s, int j,
	const float (*before)[CHANNELS], float u, float delta, float dy, float *m, float *Aw)
{
	float v[2 * NT], xu = delta * u;

#pragma unroll
	for (int n = 0; n < NT; n++) {
		float a = ex2(delta * c.A2[n]), ah = a * before[n][threadIdx.x];
		float gn = s.C[j][n] * dy + g->ag[n], w = gn * ah;

		*m += s.B[j][n] * gn;
		*Aw += c.A2[n] * w;
		g->dA[n] += delta * w;
		v[n] = gn * xu;
		v[NT + n] = dy * (ah + xu * s.B[j][n]);
		g->ag[n] = a * gn;
	}
	clear_if<NT>(s.start[j], g->ag);
	return rest_sum<2 * NT>(lane_sums<2 * NT, 1>(v));
}

/* Totals of a token over the passes: kept in sum until the last one. Returns whether it is. */
static __device__ __forceinline__ int total(float *sum, int64_t at, float *x, int pass, int last)
{
	if (pass)
		*x += sum[at];
	if (pass < last)
		sum[at] = *x;
	return pass == last;
}

/* What a block works on. */
template <int NT> struct task {
	struct walk w;
	int pass, last, tile; /* tile: of the warp's 32 channels */
	float dD, dbeta;
};

template <int NT, int HALF>
static __device__ __forceinline__ void stretch_back(struct task<NT> *k, struct gathered<NT> *g,
	const struct channel<NT> &c, const struct stage<NT> &s, const float (*before)[NT][CHANNELS],
	int t0, const float *u, const float *delta, const struct selective_scan &p,
	const struct scan_array_grads &d, struct array dy, const struct scan_parts &parts)
{
	int L = (int)p.len, E = (int)p.dim, N = (int)p.state, lane = threadIdx.x & (WARP - 1);
	int64_t row = (p.merged ? k->w.b : k->w.b * p.directions + k->w.k) * L * E + c.e;
	float *BC = parts.BC + (k->w.b * scan_tiles(p) + k->tile) * L * 2 * N;
	int n = k->w.n0 + lane % NT, part = lane / NT % 2;
	float out[STRETCH];

#pragma unroll
	for (int j = 0; j < STRETCH; j++)
		out[j] = c.live ? read<HALF>(dy, row + (int64_t)s.token[j] * E) : 0;
#pragma unroll
	for (int j = STRETCH - 1; j >= 0; j--) {
		int64_t p_at = c.base + (int64_t)s.token[j] * E;
		int64_t q_at = c.base + (int64_t)s.source[j] * E;
		float m = 0, Aw = 0, sum, du, dd;

		if (t0 + j >= L)
			continue;
		sum = step_back(g, c, s, j, before[j], u[j], delta[j], out[j], &m, &Aw);
		if (lane < 2 * NT && n < N && k->tile < scan_tiles(p))
			leave(BC + ((int64_t)s.source[j] * 2 + part) * N + n, sum, !k->w.k);
#pragma unroll
		for (int i = 0; i < STEP_CODES; i++)
			g->code[i] += i == s.code[j] ? sum : 0;
		du = delta[j] * m;
		dd = u[j] * m + LN2 * Aw;
		if (!k->w.n0) {
			du += c.D * out[j];
			k->dD += out[j] * u[j];
		}
		if (!c.live)
			continue;
		if (total(parts.du, p_at, &du, k->pass, k->last) && d.u.data)
			write<HALF>(d.u, p_at, du, d.acc_u);
		if (!total(parts.ddelta, q_at, &dd, k->pass, k->last))
			continue;
		dd *= -expm1f(-delta[j]);
		k->dbeta += p.kappa * dd;
		if (d.r.data)
			write<HALF>(d.r, q_at, dd, d.acc_r);
	}
}

/* One direction and group of states: forward to the last stretch, then back. */
template <int NT, int HALF>
static __device__ __forceinline__ void pass_back(struct task<NT> *k, struct channel<NT> &c,
	struct stage<NT> &s, float (*before)[NT][CHANNELS], const struct selective_scan &p,
	const struct scan_array_grads &d, struct array dy, const struct scan_arrays &in,
	const struct scan_parts &parts)
{
	int L = (int)p.len, N = (int)p.state, last = (L - 1) / STRETCH;
	float *check = parts.check + (int64_t)blockIdx.x * (last + 1) * NT * CHANNELS + threadIdx.x;
	int lane = threadIdx.x & (WARP - 1), n = k->w.n0 + lane % NT;
	float h[NT] = {0}, u[STRETCH], delta[STRETCH];
	struct gathered<NT> g = {
	};
	float *left = parts.sample + k->w.b * scan_row(p) + (int64_t)c.e * N + k->w.n0;

	channel_decay(&c, p, in, k->w.n0);
	for (int i = 0; i <= last; i++) {
#pragma unroll
		for (int m = 0; m < NT; m++)
			check[(i * NT + m) * CHANNELS] = h[m];
		if (i == last)
			break;
		fill_stage<NT, HALF>(s, p, in, k->w, i * STRETCH);
		load_stretch<NT, HALF>(u, delta, s, c, p, in);
#pragma unroll
		for (int j = 0; j < STRETCH; j++) {
			clear_if<NT>(s.start[j], h);
			advance(h, c, s, j, u[j], delta[j]);
		}
	}
	for (int i = last; i >= 0; i--) {
		fill_stage<NT, HALF>(s, p, in, k->w, i * STRETCH);
		load_stretch<NT, HALF>(u, delta, s, c, p, in);
#pragma unroll
		for (int m = 0; m < NT; m++)
			h[m] = check[(i * NT + m) * CHANNELS];
#pragma unroll
		for (int j = 0; j < STRETCH; j++) {
			clear_if<NT>(s.start[j], h);
#pragma unroll
			for (int m = 0; m < NT; m++)
				before[j][m][threadIdx.x] = h[m];
			advance(h, c, s, j, u[j], delta[j]);
		}
		stretch_back<NT, HALF>(k, &g, c, s, before, i * STRETCH, u, delta, p, d, dy, parts);
	}
	for (int m = 0; m < NT; m++)
		if (c.live && k->w.n0 + m < N)
			leave(left + m, LN2 * c.A2[m] * g.dA[m], !k->w.k);
	for (int i = 0; i < STEP_CODES; i++)
		if (lane < NT && n < N && k->tile < scan_tiles(p))
			leave(parts.code +
					((k->w.b * scan_tiles(p) + k->tile) * STEP_CODES + i) * N +
					n,
				g.code[i], !k->w.k);
}

template <int NT, int HALF>
static __global__ void __launch_bounds__(CHANNELS, 6) scan_backward(struct selective_scan p,
	struct scan_array_grads d, struct array dy, struct scan_arrays in, struct scan_parts parts)
{
	__shared__ struct stage<NT> s;
	__shared__ float before[STRETCH][NT][CHANNELS];
	struct passes passes = passes_of(p, NT, 0, (int)p.directions);
	int blocks = (int)((p.dim + CHANNELS - 1) / CHANNELS);

	for (int64_t i = blockIdx.x; i < p.batch * blocks; i += gridDim.x) {
		int e = (int)(i % blocks) * CHANNELS + (int)threadIdx.x;
		struct task<NT> k = {
			{i / blocks, 0, 0}, 0, passes.count - 1, e / WARP, 0, 0
		};
		float *left = parts.sample + k.w.b * scan_row(p) + p.dim * p.state;
		struct channel<NT> c;

		channel_open(&c, p, in, k.w.b, e);
		for (k.pass = 0; k.pass < passes.count; k.pass++) {
			k.w.k = k.pass / passes.groups;
			k.w.n0 = k.pass % passes.groups * NT;
			pass_back<NT, HALF>(&k, c, s, before, p, d, dy, in, parts);
		}
		if (!c.live)
			continue;
		left[c.e] = k.dD;
		left[p.dim + c.e] = k.dbeta;
	}
}

static int plain_alone = -1;

void selective_scan_cuda_plain(int on)
{
	plain_alone = on;
}

static int use_set(const struct selective_scan &p, const struct scan_arrays &in, int backward)
{
	if (plain_alone < 0)
		plain_alone = getenv("TRANSMAMBA_PLAIN_SCAN") != NULL;
	return !plain_alone && scan_set_takes(p, in, backward);
}

static int states(const struct selective_scan &p)
{
	return p.state <= 8 ? 8 : 16;
}

static int64_t group_count(const struct selective_scan &p)
{
	return (p.state + states(p) - 1) / states(p);
}

/* Blocks of the plain backward: enough to fill the device, each with checkpoints of its own. */
static int64_t back_blocks(const struct selective_scan &p)
{
	int64_t tasks = p.batch * ((p.dim + CHANNELS - 1) / CHANNELS);
	int64_t most = 8 * (int64_t)cuda_multiprocessors;

	return tasks < most ? tasks : most;
}

static int64_t plain_check(const struct selective_scan &p)
{
	return back_blocks(p) * ((p.len + STRETCH - 1) / STRETCH) * states(p) * CHANNELS;
}

/* Carves work; returns floats. */
static int64_t parts_of(
	struct scan_parts *parts, const struct selective_scan &p, int set, float *work)
{
	int64_t tiles = scan_tiles(p), at = 0, tokens = p.batch * p.len * p.dim;
	int64_t sums = !set && p.directions * group_count(p) > 1 ? tokens : 0;
	const struct {
		float **place;
		int64_t count;
	} list[] = {{&parts->check, set ? scan_set_check(p) : plain_check(p)},
		{&parts->BC, p.batch * tiles * p.len * 2 * p.state},
		{&parts->sample, p.batch * scan_row(p)},
		{&parts->code, p.batch * tiles * STEP_CODES * p.state}, {&parts->du, sums},
		{&parts->ddelta, sums}};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		*list[i].place = work ? work + at : NULL;
		at += (list[i].count + 31) / 32 * 32;
	}
	return at;
}

int64_t selective_scan_cuda_work(
	const struct selective_scan *p, const struct scan_arrays *in, int half, int backward)
{
	struct scan_parts parts;
	int set = use_set(*p, *in, backward);

	if (backward)
		return parts_of(&parts, *p, set, NULL);
	if (set || !half || (p->merged ? p->directions : 1) * group_count(*p) == 1)
		return 0;
	return p->batch * (p->merged ? 1 : p->directions) * p->len * p->dim;
}

void selective_scan_cuda(
	const struct selective_scan *p, struct array y, const struct scan_arrays *in, float *work)
{
	dim3 grid((unsigned)p->batch, (unsigned)((p->dim + CHANNELS - 1) / CHANNELS),
		(unsigned)(p->merged ? 1 : p->directions));
	float *sum = y.half ? work : (float *)y.data;

	if (use_set(*p, *in, 0)) {
		scan_set_forward(*p, y, *in);
		return;
	}
#define RUN(NT, HALF) scan_forward<NT, HALF><<<grid, CHANNELS, 0, cuda_stream>>>(*p, y, *in, sum)
	if (states(*p) == 8 && scan_all_half(*in, y))
		RUN(8, 1);
	else if (states(*p) == 8)
		RUN(8, 0);
	else if (scan_all_half(*in, y))
		RUN(16, 1);
	else
		RUN(16, 0);
#undef RUN
}

void selective_scan_cuda_backward(const struct selective_scan *p, const struct scan_array_grads *d,
	struct array dy, const struct scan_arrays *in, float *work)
{
	unsigned grid = (unsigned)back_blocks(*p);
	struct scan_parts parts;
	int set = use_set(*p, *in, 1);

	parts_of(&parts, *p, set, work);
#define RUN(NT, HALF)                                                                              \
	scan_backward<NT, HALF><<<grid, CHANNELS, 0, cuda_stream>>>(*p, *d, dy, *in, parts)
	if (set)
		scan_set_backward(*p, *d, dy, *in, parts);
	else if (states(*p) == 8 && scan_all_half(*in, dy))
		RUN(8, 1);
	else if (states(*p) == 8)
		RUN(8, 0);
	else if (scan_all_half(*in, dy))
		RUN(16, 1);
	else
		RUN(16, 0);
#undef RUN
	scan_sum_parts(*p, *d, parts);
}
