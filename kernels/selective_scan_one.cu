/* The form for one state: what it takes, and its forward. */
#include "kernels/scan_one.cuh"

#define STEPS 16 /* of a stretch */

/* Grid: channels, sample, job. */
template <int V, int S>
static __global__ void __launch_bounds__(WARP)
	one_forward(struct selective_scan p, const __grid_constant__ struct scan_jobs jobs)
{
	__shared__ struct strip<S> s;
	const struct scan_job &job = jobs.of[blockIdx.z];
	struct lanes_of<V> c = lanes<V>(p, job.in);
	struct sample<V> a = sample_of<V>(c, p, job);
	struct coming<V, S, 0> next, x;
	struct ahead w = begin<V, S, 0>(next, s, a, 0, S);
	float h[V] = {0};

#pragma unroll 2
	for (int t0 = 0, turn = 0; t0 < a.L; t0 += S, turn ^= 1) {
		x = next;
		turn_over(next, s, &w, a, t0, S, turn);
		if (t0 + S > a.L)
#pragma unroll
			for (int j = 0; j < S; j++)
				if (t0 + j >= a.L)
					x.r[j] = minus_infinity<V>();
#pragma unroll
		for (int j = 0; j < S; j++) {
			float u[V], r[V], y[V];

			unpack(u, x.u[j]);
			unpack(r, x.r[j]);
			advance(h, c, u, r, s.BC[j].x);
#pragma unroll
			for (int i = 0; i < V; i++)
				y[i] = s.BC[j].y * h[i] + c.D[i] * u[i];
			if (c.live)
				write(a.y, s.at[turn][j], y, 0);
		}
	}
}

int scan_one_takes(const struct selective_scan &p, const struct scan_arrays &in)
{
	int in_place = p.param_at_scan || !in.order; /* r where u is */

	return p.directions == 1 && p.state == 1 && in_place && !in.code && !in.segments &&
	       p.batch <= 65535 && p.len * p.dim < 1 << 30;
}

void scan_one_forward(const struct selective_scan &p, const struct scan_jobs &jobs)
{
	if (scan_one_paired(p, jobs))
		one_forward<2, STEPS>
			<<<scan_one_grid(p, 2, jobs.count), WARP, 0, cuda_stream>>>(p, jobs);
	else
		one_forward<1, STEPS>
			<<<scan_one_grid(p, 1, jobs.count), WARP, 0, cuda_stream>>>(p, jobs);
}
