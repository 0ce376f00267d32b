/*
 * The plain form's backward: it keeps the state before every stretch of steps in work, recomputes a
 * stretch into shared memory and walks it in reverse. A block takes one sample and CHANNELS channels
 * after another.
 */
#include "kernels/scan_plain.cuh"

#define BLOCKS 5 /* of a multiprocessor */

/* What a thread gathers over the steps of one walk, or of all. */
template <int NT> struct gathered {
	float ag[NT], dA[NT], code[STEP_CODES];
};

/* Sums of one sample's tile (32 channels), added to what earlier directions left. */
static __device__ __forceinline__ void leave(float *to, float x, int first)
{
	*to = first ? x : *to + x;
}

/* A thread's own columns of a stretch in shared memory: what the way back reads. */
template <int NT> struct columns {
	float before[STRETCH][NT][CHANNELS]; /* the state before each step */
	float u[STRETCH][CHANNELS], delta[STRETCH][CHANNELS], dy[STRETCH][CHANNELS];
};

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
	const struct channel<NT> &c, const struct stage<NT> &s, const struct columns<NT> &own,
	int t0, const struct selective_scan &p, const struct scan_array_grads &d,
	const struct scan_parts &parts)
{
	int L = (int)p.len, E = (int)p.dim, N = (int)p.state, lane = threadIdx.x & (WARP - 1);
	float *BC = parts.BC + (k->w.b * scan_tiles(p) + k->tile) * L * 2 * N;
	int n = k->w.n0 + lane % NT, part = lane / NT % 2;

#pragma unroll 1
	for (int j = STRETCH - 1; j >= 0; j--) {
		float u = own.u[j][threadIdx.x], delta = own.delta[j][threadIdx.x];
		float out = own.dy[j][threadIdx.x];
		int64_t p_at = c.base + (int64_t)s.token[j] * E;
		int64_t q_at = c.base + (int64_t)s.source[j] * E;
		float m = 0, Aw = 0, sum, du, dd;

		if (t0 + j >= L)
			continue;
		sum = step_back(g, c, s, j, own.before[j], u, delta, out, &m, &Aw);
		if (lane < 2 * NT && n < N && k->tile < scan_tiles(p))
			leave(BC + ((int64_t)s.source[j] * 2 + part) * N + n, sum, !k->w.k);
#pragma unroll
		for (int i = 0; i < STEP_CODES; i++)
			g->code[i] += i == s.code[j] ? sum : 0;
		du = delta * m;
		dd = u * m + LN2 * Aw;
		if (!k->w.n0) {
			du += c.D * out;
			k->dD += out * u;
		}
		if (!c.live)
			continue;
		if (total(parts.du, p_at, &du, k->pass, k->last) && d.u.data)
			write<HALF>(d.u, p_at, du, d.acc_u);
		if (!total(parts.ddelta, q_at, &dd, k->pass, k->last))
			continue;
		dd *= -expm1f(-delta);
		k->dbeta += p.kappa * dd;
		if (d.r.data)
			write<HALF>(d.r, q_at, dd, d.acc_r);
	}
}

/* One direction and group of states: forward to the last stretch, then back. */
template <int NT, int HALF>
static __device__ __forceinline__ void pass_back(struct task<NT> *k, struct channel<NT> &c,
	struct stage<NT> &s, struct columns<NT> &own, const struct selective_scan &p,
	const struct scan_array_grads &d, struct array dy, const struct scan_arrays &in,
	const struct scan_parts &parts)
{
	int L = (int)p.len, E = (int)p.dim, N = (int)p.state, last = (L - 1) / STRETCH;
	float *check = parts.check + (int64_t)blockIdx.x * (last + 1) * NT * CHANNELS + threadIdx.x;
	int lane = threadIdx.x & (WARP - 1), n = k->w.n0 + lane % NT;
	float h[NT] = {0}, u[STRETCH], delta[STRETCH], out[STRETCH];
	int64_t row = (p.merged ? k->w.b : k->w.b * p.directions + k->w.k) * L * E + c.e;
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
		for (int j = 0; j < STRETCH; j++)
			out[j] = c.live ? read<HALF>(dy, row + (int64_t)s.token[j] * E) : 0;
#pragma unroll
		for (int m = 0; m < NT; m++)
			h[m] = check[(i * NT + m) * CHANNELS];
#pragma unroll
		for (int j = 0; j < STRETCH; j++) {
			own.u[j][threadIdx.x] = u[j];
			own.delta[j][threadIdx.x] = delta[j];
			own.dy[j][threadIdx.x] = out[j];
			clear_if<NT>(s.start[j], h);
#pragma unroll
			for (int m = 0; m < NT; m++)
				own.before[j][m][threadIdx.x] = h[m];
			advance(h, c, s, j, u[j], delta[j]);
		}
		stretch_back<NT, HALF>(k, &g, c, s, own, i * STRETCH, p, d, parts);
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
static __global__ void __launch_bounds__(CHANNELS, BLOCKS) scan_backward(struct selective_scan p,
	struct scan_array_grads d, struct array dy, struct scan_arrays in, struct scan_parts parts)
{
	__shared__ struct stage<NT> s;
	__shared__ struct columns<NT> own;
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
			pass_back<NT, HALF>(&k, c, s, own, p, d, dy, in, parts);
		}
		if (!c.live)
			continue;
		left[c.e] = k.dD;
		left[p.dim + c.e] = k.dbeta;
	}
}

/* Blocks of the plain backward: enough to fill the device, each with checkpoints of its own. */
static int64_t back_blocks(const struct selective_scan &p)
{
	int64_t tasks = p.batch * ((p.dim + CHANNELS - 1) / CHANNELS);
	int64_t most = BLOCKS * (int64_t)cuda_multiprocessors;

	return tasks < most ? tasks : most;
}

int64_t scan_plain_check(const struct selective_scan &p)
{
	return back_blocks(p) * ((p.len + STRETCH - 1) / STRETCH) * states(p) * CHANNELS;
}

void scan_plain_backward(const struct selective_scan &p, const struct scan_array_grads &d,
	struct array dy, const struct scan_arrays &in, const struct scan_parts &parts)
{
	unsigned grid = (unsigned)back_blocks(p);

#define RUN(NT, HALF)                                                                              \
	scan_backward<NT, HALF><<<grid, CHANNELS, 0, cuda_stream>>>(p, d, dy, in, parts)
	if (states(p) == 8 && scan_all_half(in, dy))
		RUN(8, 1);
	else if (states(p) == 8)
		RUN(8, 0);
	else if (scan_all_half(in, dy))
		RUN(16, 1);
	else
		RUN(16, 0);
#undef RUN
}
