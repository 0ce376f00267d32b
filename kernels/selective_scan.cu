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

enum scan_form scan_form_of(
	const struct selective_scan &p, const struct scan_arrays &in, int backward)
{
	if (plain_alone < 0)
		plain_alone = getenv("TRANSMAMBA_PLAIN_SCAN") != NULL;
	if (plain_alone || in.state)
		return SCAN_PLAIN;
	if (scan_one_takes(p, in))
		return SCAN_ONE;
	return scan_set_takes(p, in, backward) ? SCAN_SET : SCAN_PLAIN;
}

int64_t scan_parts_of(struct scan_parts *parts, const struct selective_scan &p, enum scan_form form,
	float *work)
{
	static int64_t (*const tiles_of[])(const struct selective_scan &) = {
		scan_tiles, scan_set_tiles, scan_one_tiles};
	static int64_t (*const check_of[])(const struct selective_scan &) = {
		scan_plain_check, scan_set_check, scan_one_check};
	int64_t tiles = tiles_of[form](p), at = 0, tokens = p.batch * p.len * p.dim;
	int64_t sums = form == SCAN_PLAIN && p.directions * group_count(p) > 1 ? tokens : 0;
	const struct {
		float **place;
		int64_t count;
	} list[] = {{&parts->check, check_of[form](p)},
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

void scan_jobs_forward(
	const struct selective_scan &p, enum scan_form form, const struct scan_jobs &jobs)
{
	if (form == SCAN_ONE)
		scan_one_forward(p, jobs);
	else
		scan_set_forward(p, jobs);
}

void scan_jobs_backward(
	const struct selective_scan &p, enum scan_form form, struct scan_jobs &jobs)
{
	if (form == SCAN_ONE)
		scan_one_backward(p, jobs);
	else
		scan_set_backward(p, jobs);
	scan_sum_parts(p, jobs);
}

int64_t selective_scan_cuda_work(
	const struct selective_scan *p, const struct scan_arrays *in, int half, int backward)
{
	enum scan_form form = scan_form_of(*p, *in, backward);
	struct scan_parts parts;

	if (backward)
		return scan_parts_of(&parts, *p, form, NULL);
	if (form || !half || (p->merged ? p->directions : 1) * group_count(*p) == 1)
		return 0;
	return p->batch * (p->merged ? 1 : p->directions) * p->len * p->dim;
}

void selective_scan_cuda(
	const struct selective_scan *p, struct array y, const struct scan_arrays *in, float *work)
{
	dim3 grid((unsigned)p->batch, (unsigned)((p->dim + CHANNELS - 1) / CHANNELS),
		(unsigned)(p->merged ? 1 : p->directions));
	float *sum = y.half ? work : (float *)y.data;
	enum scan_form form = scan_form_of(*p, *in, 0);

	if (form) {
		struct scan_jobs jobs = {1, {{*in, y}}};

		scan_jobs_forward(*p, form, jobs);
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
	enum scan_form form = scan_form_of(*p, *in, 1);
	struct scan_jobs jobs = {1, {{*in, dy, *d}}};

	scan_parts_of(&jobs.of[0].parts, *p, form, work);
	if (form) {
		scan_jobs_backward(*p, form, jobs);
	} else {
		scan_plain_backward(*p, *d, dy, *in, jobs.of[0].parts);
		scan_sum_parts(*p, jobs);
	}
}
