/* The selective scan's launchers, its work, and the plain form's forward. */
#include <stdlib.h>
#include "kernels/scan_plain.cuh"

/* Grid: sample, channels, direction (1 if merged). */
/* A channel's states of a walk in pieces, from the group's first on. */
template <int NT>
static __device__ void load_state(float *h, const struct channel<NT> &c,
	const struct selective_scan &p, const struct scan_arrays &in, const struct walk &w)
{
	const float *from = in.state + (w.b * p.dim + c.e) * p.state + w.n0;

#pragma unroll
	for (int n = 0; n < NT; n++)
		if (w.n0 + n < p.state)
			h[n] = from[n];
}

template <int NT>
static __device__ void store_state(const float *h, const struct channel<NT> &c,
	const struct selective_scan &p, const struct scan_arrays &in, const struct walk &w)
{
	float *to = in.state + (w.b * p.dim + c.e) * p.state + w.n0;

#pragma unroll
	for (int n = 0; n < NT; n++)
		if (w.n0 + n < p.state)
			to[n] = h[n];
}

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
		if (in.state)
			load_state(h, c, p, in, w);
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
				clear_if<NT>(s.start[j] && !in.state, h);
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
		if (in.state && c.live)
			store_state(h, c, p, in, w);
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
	return !plain_alone && !in.state && scan_set_takes(p, in, backward);
}

/* Carves work; returns floats. */
static int64_t parts_of(
	struct scan_parts *parts, const struct selective_scan &p, int set, float *work)
{
	int64_t tiles = set ? scan_set_tiles(p) : scan_tiles(p), at = 0, tokens = p.batch * p.len * p.dim;
	int64_t sums = !set && p.directions * group_count(p) > 1 ? tokens : 0;
	const struct {
		float **place;
		int64_t count;
	} list[] = {{&parts->check, set ? scan_set_check(p) : scan_plain_check(p)},
		{&parts->BC, p.batch * tiles * p.len * 2 * p.state},
		{&parts->sample, p.batch * scan_row(p)},
		{&parts->code, p.batch * tiles * STEP_CODES * p.state}, {&parts->du, sums},
		{&parts->ddelta, sums}};

	parts->tiles = tiles;
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
	struct scan_parts parts;
	int set = use_set(*p, *in, 1);

	parts_of(&parts, *p, set, work);
	if (set)
		scan_set_backward(*p, *d, dy, *in, parts);
	else
		scan_plain_backward(*p, *d, dy, *in, parts);
	scan_sum_parts(*p, *d, parts);
}
