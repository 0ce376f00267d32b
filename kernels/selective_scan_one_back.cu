/*
 * The form for one state: backward. A first kernel leaves the states before every stretch; the second
 * walks stretches in reverse, each forward once more and then back.
 */
#include "kernels/scan_one.cuh"

#define STEPS 8	 /* of a stretch; a power of two, up to 16 */
#define BLOCKS 8 /* of a multiprocessor: leaves a thread all its registers */

/* The states before every stretch of S steps: check (b, stretches, E). */
template <int V, int S>
static __global__ void __launch_bounds__(WARP)
	one_states(struct selective_scan p, const __grid_constant__ struct scan_jobs jobs)
{
	__shared__ struct strip<S> s;
	const struct scan_job &job = jobs.of[blockIdx.z];
	struct lanes_of<V> c = lanes<V>(p, job.in);
	struct sample<V> a = sample_of<V>(c, p, job);
	struct coming<V, S, 0> next, x;
	struct ahead w = begin<V, S, 0>(next, s, a, 0, S);
	float *check = job.parts.check + blockIdx.y * ((p.len + S - 1) / S) * p.dim + c.e;
	float h[V] = {0};

#pragma unroll 2
	for (int t0 = 0, turn = 0; t0 < a.L; t0 += S, turn ^= 1) {
#pragma unroll
		for (int i = 0; i < V && c.live; i++)
			check[i] = h[i];
		check += p.dim;
		x = next;
		turn_over(next, s, &w, a, t0, S, turn);
#pragma unroll
		for (int j = 0; j < S; j++) {
			float u[V], r[V];

			unpack(u, x.u[j]);
			unpack(r, x.r[j]);
			advance(h, c, u, r, s.BC[j].x);
		}
	}
}

/* What a thread gathers over the steps. */
template <int V> struct sums_of {
	float ag[V], dA[V], dD[V], dbeta[V];
};

/* A stretch forward from h: what its way back needs. */
template <int V, int S> struct traces {
	float ah[S][V], a[S][V], delta[S][V]; /* a h of the state before each step; a; delta */
};

template <int V, int S>
static __device__ __forceinline__ void trace(struct traces<V, S> &k, float *h,
	const struct lanes_of<V> &c, const struct coming<V, S, 1> &x, const struct strip<S> &s)
{
#pragma unroll
	for (int j = 0; j < S; j++) {
		float u[V], r[V];

		unpack(u, x.u[j]);
		unpack(r, x.r[j]);
#pragma unroll
		for (int i = 0; i < V; i++) {
			k.delta[j][i] = step_size<V>(r[i], c.shift[i]);
			k.a[j][i] = ex2(k.delta[j][i] * c.A[i]);
			k.ah[j][i] = k.a[j][i] * h[i];
			h[i] = k.delta[j][i] * u[i] * s.BC[j].x + k.ah[j][i];
		}
	}
}

/* Back over step j; v gets the thread's parts of dB (over ln 2) and dC. */
template <int V, int S>
static __device__ __forceinline__ void step_back(struct sums_of<V> &g, float *v, float *du,
	float *dr, const struct traces<V, S> &k, const struct lanes_of<V> &c,
	const struct coming<V, S, 1> &x, const struct strip<S> &s, int j)
{
	float u[V], dy[V], B = s.BC[j].x, C = s.BC[j].y;

	unpack(u, x.u[j]);
	unpack(dy, x.dy[j]);
#pragma unroll
	for (int i = 0; i < V; i++) {
		float delta = k.delta[j][i], injected = delta * u[i];
		float gn = C * dy[i] + g.ag[i], m = B * gn, wn = gn * k.ah[j][i];

		du[i] = c.D[i] * dy[i] + delta * m;
		dr[i] = (u[i] * m + LN2 * c.A[i] * wn) * step_slope<V>(delta);
		v[0] += gn * injected;
		v[1] += dy[i] * (injected * B + k.ah[j][i]);
		g.dA[i] += delta * wn;
		g.dD[i] += dy[i] * u[i];
		g.dbeta[i] += dr[i];
		g.ag[i] = k.a[j][i] * gn;
	}
}

/* Grid: channels, sample, job. ACC 0: gradients of u and r are set. */
template <int V, int S, int ACC>
static __global__ void __launch_bounds__(WARP, BLOCKS)
	one_backward(struct selective_scan p, const __grid_constant__ struct scan_jobs jobs)
{
	__shared__ struct strip<S> s;
	const struct scan_job &job = jobs.of[blockIdx.z];
	struct lanes_of<V> c = lanes<V>(p, job.in);
	struct sample<V> a = sample_of<V>(c, p, job);
	struct coming<V, S, 1> next, x;
	int last = (a.L - 1) / S;
	struct ahead w = begin<V, S, 1>(next, s, a, last * S, -S);
	const float *check = job.parts.check + (blockIdx.y * (last + 1) + last) * p.dim + c.e;
	float *BC = job.parts.BC + (blockIdx.y * job.parts.tiles + blockIdx.x) * p.len * 2;
	float *left = job.parts.sample + blockIdx.y * scan_row(p) + c.e, before[V];
	int put_u = c.live && present(a.du), put_r = c.live && present(a.dr);
	struct sums_of<V> g = {
	};

#pragma unroll
	for (int i = 0; i < V; i++)
		before[i] = check[i];
#pragma unroll 1
	for (int t0 = last * S, turn = 0; t0 >= 0; t0 -= S, turn ^= 1) {
		float h[V], v[2 * S] = {0}, sum;
		struct traces<V, S> k;

		x = next;
		check -= p.dim;
#pragma unroll
		for (int i = 0; i < V; i++) {
			h[i] = before[i];
			before[i] = t0 ? check[i] : 0;
		}
		turn_over(next, s, &w, a, t0, -S, turn);
		if (!c.live || t0 + S > a.L)
#pragma unroll
			for (int j = 0; j < S; j++)
				if (!c.live || t0 + j >= a.L)
					x.dy[j].x = 0;
		trace(k, h, c, x, s);
#pragma unroll
		for (int j = S - 1; j >= 0; j--) {
			float du[V], dr[V];
			unsigned at = s.at[turn][j];

			step_back(g, v + 2 * j, du, dr, k, c, x, s, j);
			if (put_u)
				write(a.du, at, du, ACC && job.d.acc_u);
			if (put_r)
				write(a.dr, at, dr, ACC && job.d.acc_r);
		}
		sum = rest_sum<2 * S>(lane_sums<2 * S, 1>(v));
		int q = __shfl_sync(0xffffffffu, w.now, w.lane / 2 % S);

		if (w.lane < 2 * S && t0 + w.lane / 2 < a.L)
			BC[q * 2 + w.lane % 2] = w.lane % 2 ? sum : LN2 * sum;
	}
#pragma unroll
	for (int i = 0; i < V && c.live; i++) {
		left[i] = LN2 * c.A[i] * g.dA[i];
		left[p.dim + i] = g.dD[i];
		left[2 * p.dim + i] = p.kappa * g.dbeta[i];
	}
}

/* Of one channel a thread: the most there may be. */
int64_t scan_one_tiles(const struct selective_scan &p)
{
	return scan_tiles(p);
}

int64_t scan_one_check(const struct selective_scan &p)
{
	return p.batch * ((p.len + STEPS - 1) / STEPS) * p.dim;
}

template <int V> static void backward(const struct selective_scan &p, struct scan_jobs &jobs)
{
	dim3 grid = scan_one_grid(p, V, jobs.count);
	int acc = 0;

	for (int i = 0; i < jobs.count; i++) {
		jobs.of[i].parts.tiles = (p.dim + V * WARP - 1) / (V * WARP);
		acc |= jobs.of[i].d.acc_u | jobs.of[i].d.acc_r;
	}
	one_states<V, STEPS><<<grid, WARP, 0, cuda_stream>>>(p, jobs);
	if (V == 1 || acc)
		one_backward<V, STEPS, 1><<<grid, WARP, 0, cuda_stream>>>(p, jobs);
	else
		one_backward<V, STEPS, 0><<<grid, WARP, 0, cuda_stream>>>(p, jobs);
}

void scan_one_backward(const struct selective_scan &p, struct scan_jobs &jobs)
{
	if (scan_one_paired(p, jobs))
		backward<2>(p, jobs);
	else
		backward<1>(p, jobs);
}
