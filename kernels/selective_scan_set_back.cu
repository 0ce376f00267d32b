/*
 * The set form's backward. A first kernel leaves the states before every stretch of steps in work.
 * The second walks stretches in reverse: within one, the states before every second step but the
 * last go to shared memory, then pairs of steps are walked in reverse. A stretch's first states
 * come to shared memory while the stretch after it is walked.
 *
 * dC needs no state after the step: with h = a h' + delta u B it is the sum over channels of
 * dy a h' plus B times that of dy delta u, one number a step and direction.
 */
#include "kernels/scan_set_back.cuh"

#define SWEEP (2 * STEPS) /* of the first kernel's tile */

/* Packs of states of one sample before one stretch. */
template <int K> static inline __host__ __device__ int64_t stretch_states(int64_t tiles)
{
	return tiles * (team<K, back_shape<K>::P>::groups * K * WARP);
}

/* The thread's first pack in parts.check, packs (b, stretches, groups of EIGHT, K, lanes). */
template <int N, int K>
static __device__ __forceinline__ pack<N / LANES> *own_states(
	const struct selective_scan &p, const struct scan_parts &parts, int group)
{
	int64_t stretches = (p.len + STEPS - 1) / STEPS;

	return (pack<N / LANES> *)parts.check +
	       blockIdx.y * stretches * stretch_states<K>(parts.tiles) + group * K * WARP +
	       threadIdx.x % WARP;
}

/* The states before every stretch. Grid: tiles of channels, sample, job. */
template <int N, int HALF, int K>
static __global__ void __launch_bounds__(back_shape<K>::sweep_threads, back_shape<K>::sweep_blocks)
	set_states(struct selective_scan p, const __grid_constant__ struct scan_jobs jobs)
{
	const int P = back_shape<K>::sweep_P;
	extern __shared__ float4 pool[];
	struct tile<N, K, P, SWEEP> &s = *(struct tile<N, K, P, SWEEP> *)pool;
	const struct scan_arrays &in = job_of<K>(jobs).in;
	const struct scan_parts &parts = job_of<K>(jobs).parts;
	int L = (int)p.len;
	struct paths<K> paths = fill_paths<K>(&s + 1, in, L);
	struct place w = place_of<K, P>(p, in, blockIdx.y, blockIdx.x);
	struct states_of<N / LANES, K, P> h = {
	};
	float A2[P][N / LANES];
	int group = blockIdx.x * team<K, P>::groups + w.warp * P;
	int kept = group < (int)parts.tiles * team<K, back_shape<K>::P>::groups;
	pack<N / LANES> *check = own_states<N, K>(p, parts, group);
	int64_t stride = stretch_states<K>(parts.tiles);

	decays_of<N, K, P>(A2, w, p, in, blockIdx.x);
	fill_codes(s, in);
	__syncthreads();
	for (int t0 = 0; t0 < L; t0 += SWEEP) {
		fill_tile<HALF>(s, paths, w, p, in, t0);
#pragma unroll 1
		for (int j = 0; j < SWEEP && t0 + j < L; j += STEPS) {
			if (kept)
				put_states(check, WARP, h);
			check += stride;
#pragma unroll 2
			for (int i = j; i < j + STEPS; i++)
				advance(h, open_step(s, w, i, A2), s, i, w.sub);
		}
	}
}

/* Grid: tiles of channels, sample, job. */
template <int N, int HALF, int K>
static __global__ void __launch_bounds__(back_shape<K>::threads, back_shape<K>::blocks)
	set_backward(struct selective_scan p, const __grid_constant__ struct scan_jobs jobs)
{
	const int P = back_shape<K>::P;
	extern __shared__ float4 pool[];
	struct back_tile<N, K, P> &s = *(struct back_tile<N, K, P> *)pool;
	const struct scan_job &job = job_of<K>(jobs);
	int L = (int)p.len, tiles = gridDim.x, tile = blockIdx.x, last = (L - 1) / STEPS;
	struct paths<K> paths = fill_paths<K>(&s + 1, job.in, L);
	float *totals = (float *)((char *)(&s + 1) + path_bytes<K>(L));
	struct place w = place_of<K, P>(p, job.in, blockIdx.y, tile);
	const pack<N / LANES> *check =
		own_states<N, K>(p, job.parts, tile * team<K, P>::groups + w.warp * P);
	int64_t stride = stretch_states<K>(tiles);
	float *BC = job.parts.BC + (w.b * tiles + tile) * L * 2 * N;
	struct walker<N / LANES, K, P> k = begin_tile<N, K, P>(s, totals, w, p, job.in, tile);

	check += last * stride;
	fill_codes(s.t, job.in);
	send_states<N / LANES, P * K, team<K, P>::threads>(s.before[0][0] + threadIdx.x, check);
	__syncthreads();
	for (int j = last; j >= 0; j--) {
		check -= stride;
		fill_back<HALF, N, K, P>(s, k, paths, w, p, job.y, job.in, j * STEPS);
		walk_stretch<N, K, P>(s, paths, totals, k, w, L, j * STEPS, check);
		finish_stretch<HALF, N, K, P>(s, k, paths, w, p, job.d, BC, j * STEPS);
	}
	finish_tile<HALF, N, K, P>(s, totals, k, paths, w, p, job.d, job.parts, tile);
}

template <int N, int K> static int64_t shared_of(const struct selective_scan &p)
{
	const int P = back_shape<K>::P;

	return sizeof(struct back_tile<N, K, P>) + path_bytes<K>(p.len) +
	       (K > 1 ? p.len * team<K, P>::width * sizeof(float) : 0);
}

int64_t scan_set_back_shared(const struct selective_scan &p)
{
	if (p.directions == 1)
		return p.state == 8 ? shared_of<8, 1>(p) : shared_of<16, 1>(p);
	return p.state == 8 ? shared_of<8, 4>(p) : shared_of<16, 4>(p);
}

/* Of EIGHT channels, up to whole tiles. */
static int64_t groups_of_tile(const struct selective_scan &p)
{
	return p.directions == 1 ? team<1, back_shape<1>::P>::groups
				 : team<4, back_shape<4>::P>::groups;
}

int64_t scan_set_tiles(const struct selective_scan &p)
{
	int64_t width = groups_of_tile(p) * EIGHT;

	return (p.dim + width - 1) / width;
}

int64_t scan_set_check(const struct selective_scan &p)
{
	return p.batch * ((p.len + STEPS - 1) / STEPS) * scan_set_tiles(p) * groups_of_tile(p) *
	       p.directions * WARP * (p.state / LANES);
}

template <int N, int HALF, int K>
static void launch(const struct selective_scan &p, const struct scan_jobs &jobs)
{
	const int P = back_shape<K>::sweep_P, groups = team<K, P>::groups;
	const int threads = back_shape<K>::threads, sweep_threads = back_shape<K>::sweep_threads;
	dim3 grid((unsigned)jobs.of[0].parts.tiles, (unsigned)p.batch, (unsigned)jobs.count);
	int64_t kept = jobs.of[0].parts.tiles * team<K, back_shape<K>::P>::groups;
	dim3 first((unsigned)((kept + groups - 1) / groups), grid.y, grid.z);
	int shared = (int)shared_of<N, K>(p);
	int sweep = (int)(sizeof(struct tile<N, K, P, SWEEP>) + path_bytes<K>(p.len));

	cudaFuncSetAttribute(
		set_states<N, HALF, K>, cudaFuncAttributeMaxDynamicSharedMemorySize, sweep);
	cudaFuncSetAttribute(
		set_backward<N, HALF, K>, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
	set_states<N, HALF, K><<<first, sweep_threads, sweep, cuda_stream>>>(p, jobs);
	set_backward<N, HALF, K><<<grid, threads, shared, cuda_stream>>>(p, jobs);
}

template <int N, int HALF>
static void by_directions(const struct selective_scan &p, const struct scan_jobs &jobs)
{
	if (p.directions == 1)
		launch<N, HALF, 1>(p, jobs);
	else
		launch<N, HALF, 4>(p, jobs);
}

void scan_set_backward(const struct selective_scan &p, const struct scan_jobs &jobs)
{
	int half = scan_jobs_half(jobs);

	if (p.state == 8 && half)
		by_directions<8, 1>(p, jobs);
	else if (p.state == 8)
		by_directions<8, 0>(p, jobs);
	else if (half)
		by_directions<16, 1>(p, jobs);
	else
		by_directions<16, 0>(p, jobs);
}
