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

/* Packs of states that a tile of one sample leaves. */
template <int K>
static __device__ __forceinline__ int64_t tile_states(int64_t L)
{
	return (L + STEPS - 1) / STEPS * (back_shape<K>::P * K * SET_THREADS);
}

/* The states before every stretch: check (b, tiles, stretches, P K, threads) packs. */
template <int N, int HALF, int K>
static __global__ void __launch_bounds__(SET_THREADS, back_shape<K>::sweep_blocks)
	set_states(struct selective_scan p, struct scan_arrays in, pack<N / LANES> *check)
{
	const int P = back_shape<K>::P;
	extern __shared__ float4 pool[];
	struct tile<N, K, P, SWEEP> &s = *(struct tile<N, K, P, SWEEP> *)pool;
	int L = (int)p.len, tile = blockIdx.x;
	struct paths<K> paths = fill_paths<K>(&s + 1, in, L);
	struct place w = place_of<P>(p, in, blockIdx.y, tile * P * WARP);
	struct states_of<N / LANES, K, P> h = {
	};
	float A2[P][N / LANES];

	check += (w.b * gridDim.x + tile) * tile_states<K>(L);
	decays_of<N, P>(A2, w, p, in, tile);
	fill_codes(s, in);
	__syncthreads();
	for (int t0 = 0; t0 < L; t0 += SWEEP) {
		fill_tile<HALF>(s, paths, w, p, in, t0);
#pragma unroll 1
		for (int j = 0; j < SWEEP && t0 + j < L; j += STEPS) {
			put_states(check + (t0 + j) / STEPS * P * K * SET_THREADS, h);
#pragma unroll 2
			for (int i = j; i < j + STEPS; i++)
				advance(h, open_step(s, w, i, A2), s, i, w.sub);
		}
	}
}

/* Grid: tiles of channels, sample. */
template <int N, int HALF, int K>
static __global__ void __launch_bounds__(SET_THREADS, back_shape<K>::blocks)
	set_backward(struct selective_scan p, struct scan_array_grads d, struct array dy,
		struct scan_arrays in, struct scan_parts parts)
{
	const int P = back_shape<K>::P;
	extern __shared__ float4 pool[];
	struct back_tile<N, K, P> &s = *(struct back_tile<N, K, P> *)pool;
	int L = (int)p.len, tiles = gridDim.x, tile = blockIdx.x, last = (L - 1) / STEPS;
	struct paths<K> paths = fill_paths<K>(&s + 1, in, L);
	float *totals = (float *)((char *)(&s + 1) + path_bytes<K>(L));
	struct place w = place_of<P>(p, in, blockIdx.y, tile * P * WARP);
	const pack<N / LANES> *check =
		(const pack<N / LANES> *)parts.check + (w.b * tiles + tile) * tile_states<K>(L);
	float *BC = parts.BC + (w.b * tiles + tile) * L * 2 * N;
	struct walker<N / LANES, K, P> k = begin_tile<N, K, P>(s, totals, w, p, in, tile);

	fill_codes(s.t, in);
	send_states<N / LANES, P * K>(s.before[0][0], check + last * P * K * SET_THREADS);
	__syncthreads();
	for (int j = last; j >= 0; j--) {
		fill_back<HALF, N, K, P>(s, k, paths, w, p, dy, in, j * STEPS);
		walk_stretch<N, K, P>(s, paths, totals, k, w, L, j * STEPS,
			check + (j - 1) * P * K * SET_THREADS);
		finish_stretch<HALF, N, K, P>(s, k, paths, w, p, d, BC, j * STEPS);
	}
	finish_tile<HALF, N, K, P>(s, totals, k, paths, w, p, d, parts, tile);
}

template <int N, int K> static int64_t shared_of(const struct selective_scan &p)
{
	const int P = back_shape<K>::P;

	return sizeof(struct back_tile<N, K, P>) + path_bytes<K>(p.len) +
	       (K > 1 ? p.len * P * WARP * sizeof(float) : 0);
}

int64_t scan_set_back_shared(const struct selective_scan &p)
{
	if (p.directions == 1)
		return p.state == 8 ? shared_of<8, 1>(p) : shared_of<16, 1>(p);
	return p.state == 8 ? shared_of<8, 4>(p) : shared_of<16, 4>(p);
}

int64_t scan_set_tiles(const struct selective_scan &p)
{
	int width = WARP * (p.directions == 1 ? back_shape<1>::P : back_shape<4>::P);

	return (p.dim + width - 1) / width;
}

int64_t scan_set_check(const struct selective_scan &p)
{
	int64_t walked = p.directions * (p.directions == 1 ? back_shape<1>::P : back_shape<4>::P);

	return p.batch * scan_set_tiles(p) * ((p.len + STEPS - 1) / STEPS) * p.state / LANES *
	       walked * SET_THREADS;
}

template <int N, int HALF, int K>
static void launch(const struct selective_scan &p, const struct scan_array_grads &d,
	struct array dy, const struct scan_arrays &in, const struct scan_parts &parts)
{
	dim3 grid((unsigned)parts.tiles, (unsigned)p.batch);
	int shared = (int)shared_of<N, K>(p);
	int sweep =
		(int)(sizeof(struct tile<N, K, back_shape<K>::P, SWEEP>) + path_bytes<K>(p.len));

	cudaFuncSetAttribute(
		set_states<N, HALF, K>, cudaFuncAttributeMaxDynamicSharedMemorySize, sweep);
	cudaFuncSetAttribute(
		set_backward<N, HALF, K>, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
	set_states<N, HALF, K>
		<<<grid, SET_THREADS, sweep, cuda_stream>>>(p, in, (pack<N / LANES> *)parts.check);
	set_backward<N, HALF, K><<<grid, SET_THREADS, shared, cuda_stream>>>(p, d, dy, in, parts);
}

template <int N, int HALF>
static void by_directions(const struct selective_scan &p, const struct scan_array_grads &d,
	struct array dy, const struct scan_arrays &in, const struct scan_parts &parts)
{
	if (p.directions == 1)
		launch<N, HALF, 1>(p, d, dy, in, parts);
	else
		launch<N, HALF, 4>(p, d, dy, in, parts);
}

void scan_set_backward(const struct selective_scan &p, const struct scan_array_grads &d,
	struct array dy, const struct scan_arrays &in, const struct scan_parts &parts)
{
	int half = scan_all_half(in, dy);

	if (p.state == 8 && half)
		by_directions<8, 1>(p, d, dy, in, parts);
	else if (p.state == 8)
		by_directions<8, 0>(p, d, dy, in, parts);
	else if (half)
		by_directions<16, 1>(p, d, dy, in, parts);
	else
		by_directions<16, 0>(p, d, dy, in, parts);
}
