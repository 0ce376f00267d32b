/* The set form's forward, and what the set form takes. */
#include "kernels/scan_set.cuh"

/* Channels of a thread, steps of a tile, and blocks of a multiprocessor. */
template <int K, int MERGED> struct forward_shape {
	static const int P = 2;
	static const int steps = K == 1 ? 24 : MERGED ? 12 : 16;
	static const int blocks = K == 1 ? 6 : 4;
	static const int threads = team<K, P>::threads;
};

/* y (P, K): this lane's part of the sums over states of step j. */
template <int N, int K, int P, int S>
static __device__ __forceinline__ void output_parts(float (*y)[K],
	const struct states_of<N / LANES, K, P> &h, const struct tile<N, K, P, S> &s, int j,
	const struct place &w)
{
	pack<N / LANES> C = *(const pack<N / LANES> *)&s.C[j][w.sub * (N / LANES)];

#pragma unroll
	for (int c = 0; c < P; c++)
#pragma unroll
		for (int k = 0; k < K; k++) {
			y[c][k] = 0;
#pragma unroll
			for (int i = 0; i < N / LANES; i++)
				y[c][k] += C.v[i] * h.h[c][k][i];
		}
}

/* One direction: lane sub leaves the output of channel sub in place of u. */
template <int N, int P, int S>
static __device__ __forceinline__ void leave_alone(const struct states_of<N / LANES, 1, P> &h,
	struct tile<N, 1, P, S> &s, int j, const struct place &w, const float *D)
{
	float *u = s.u[j][walked<P>(w, w.sub % P)].v, y[P][1], out, D_own = D[0];

	output_parts(y, h, s, j, w);
	out = quad_sum<P>(lane_sums<P, 1>(y[0]));
#pragma unroll
	for (int c = 1; c < P; c++)
		D_own = w.sub % P == c ? D[c] : D_own;
	out += D_own * *u;
	__syncwarp();
	if (w.sub < P)
		*u = out;
}

/* Lane sub leaves direction sub's outputs: in the totals if merged, else in place of u. */
template <int MERGED, int N, int K, int P, int S>
static __device__ __forceinline__ void leave_outputs(const struct states_of<N / LANES, K, P> &h,
	struct tile<N, K, P, S> &s, int j, const struct place &w, const float *D, float *totals,
	int L, uint32_t codes, const pack<K> &token)
{
	float *to = own_totals<P>(totals, w, L, MERGED ? token_of(token, w.sub) : 0);
	float y[P][K], out[P], old[P];

#pragma unroll
	for (int c = 0; c < P && MERGED; c++)
		old[c] = to[c * L * EIGHT];
	output_parts(y, h, s, j, w);
#pragma unroll
	for (int c = 0; c < P; c++)
		out[c] = lane_sums<K, 1>(y[c]) + D[c] * s.u[j][walked<P>(w, c)].v[w.sub];
	if (MERGED) {
		add_totals<P>(to, w, L, codes, old, out);
		return;
	}
	__syncwarp();
#pragma unroll
	for (int c = 0; c < P; c++)
		s.u[j][walked<P>(w, c)].v[w.sub] = out[c];
}

/* The outputs of a tile, left in place of u, to their planes; lanes are channels. */
template <int HALF, int N, int K, int P, int S>
static __device__ __forceinline__ void put_tile(struct array y, const struct tile<N, K, P, S> &s,
	const struct paths<K> &paths, const struct place &w, const struct selective_scan &p, int t0)
{
	int64_t L = p.len, E = p.dim, base = w.b * K * L * E + w.e;

	__syncthreads();
#pragma unroll 4
	for (int i = 0; i < S * P / LANES; i++) {
		int j = row_of<K, P>(w, i);

		if (t0 + j >= L || !w.live)
			break;
		pack<K> v = s.u[j][w.part * WARP + w.lane], token = paths.token[t0 + j];

#pragma unroll
		for (int k = 0; k < K; k++)
			write<HALF>(y, base + (k * L + token_of(token, k)) * E, v.v[k], 0);
	}
}

/* Grid: tiles of channels, sample, job. */
template <int N, int HALF, int MERGED, int K>
static __global__ void __launch_bounds__(
	forward_shape<K, MERGED>::threads, forward_shape<K, MERGED>::blocks)
	set_forward(struct selective_scan p, const __grid_constant__ struct scan_jobs jobs)
{
	const int P = forward_shape<K, MERGED>::P, S = forward_shape<K, MERGED>::steps;
	extern __shared__ float4 pool[];
	const struct scan_arrays &in = job_of<K>(jobs).in;
	const struct array y = job_of<K>(jobs).y;
	struct tile<N, K, P, S> &s = *(struct tile<N, K, P, S> *)pool;
	struct place w = place_of<K, P>(p, in, blockIdx.y, blockIdx.x);
	int L = (int)p.len, E = (int)p.dim;
	struct paths<K> paths = fill_paths<K>(&s + 1, in, L);
	float *totals = (float *)((char *)(&s + 1) + path_bytes<K>(L)); /* if merged */
	struct states_of<N / LANES, K, P> h = {
	};
	float A2[P][N / LANES], D[P];

	decays_of<N, K, P>(A2, w, p, in, blockIdx.x);
	for (int c = 0; c < P; c++)
		D[c] = value(in.D, channel_of<K, P>(w, p, blockIdx.x, c));
	for (int i = threadIdx.x; MERGED && i < L * team<K, P>::width; i += blockDim.x)
		totals[i] = 0;
	fill_codes(s, in);
	__syncthreads();
	for (int t0 = 0; t0 < L; t0 += S) {
		int last = min(S, L - t0);

		fill_tile<HALF>(s, paths, w, p, in, t0);
#pragma unroll 2
		for (int j = 0; j < last; j++) {
			advance(h, open_step(s, w, j, A2), s, j, w.sub);
			if constexpr (K == 1)
				leave_alone(h, s, j, w, D);
			else
				leave_outputs<MERGED>(h, s, j, w, D, totals, L, paths.code[t0 + j],
					paths.token[t0 + j]);
		}
		if (!MERGED)
			put_tile<HALF>(y, s, paths, w, p, t0);
	}
	if (!MERGED)
		return;
	__syncthreads();
	for (int t = row_of<K, P>(w, 0); t < L && w.live; t += LANES / P)
		write<HALF>(y, (w.b * L + t) * E + w.e, total_of(totals, w, L, t), 0);
}

template <int N, int K, int MERGED> static int64_t shared_of(const struct selective_scan &p)
{
	typedef struct forward_shape<K, MERGED> shape;

	return sizeof(struct tile<N, K, shape::P, shape::steps>) + path_bytes<K>(p.len) +
	       MERGED * p.len * team<K, shape::P>::width * sizeof(float);
}

template <int N> static int64_t forward_shared(const struct selective_scan &p)
{
	if (p.directions == 1)
		return shared_of<N, 1, 0>(p);
	return p.merged ? shared_of<N, 4, 1>(p) : shared_of<N, 4, 0>(p);
}

int scan_set_takes(const struct selective_scan &p, const struct scan_arrays &in, int backward)
{
	int64_t need = backward ? scan_set_back_shared(p) : forward_shared<16>(p);
	int fits = p.directions == 1 ? !in.code : p.directions == 4 && !p.param_at_scan && in.order;

	return fits && (p.state == 8 || p.state == 16) && !in.segments && p.batch <= 65535 &&
	       p.len * p.dim < 1 << 30 &&
	       need <= device_limit(cudaDevAttrMaxSharedMemoryPerBlockOptin);
}

template <int N, int HALF, int MERGED, int K>
static void launch(const struct selective_scan &p, const struct scan_jobs &jobs)
{
	const int width = team<K, forward_shape<K, MERGED>::P>::width;
	dim3 grid((unsigned)((p.dim + width - 1) / width), (unsigned)p.batch, (unsigned)jobs.count);
	int shared = (int)shared_of<N, K, MERGED>(p), threads = forward_shape<K, MERGED>::threads;

	cudaFuncSetAttribute(set_forward<N, HALF, MERGED, K>,
		cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
	set_forward<N, HALF, MERGED, K><<<grid, threads, shared, cuda_stream>>>(p, jobs);
}

template <int N, int HALF>
static void by_directions(const struct selective_scan &p, const struct scan_jobs &jobs)
{
	if (p.directions == 1)
		launch<N, HALF, 0, 1>(p, jobs);
	else if (p.merged)
		launch<N, HALF, 1, 4>(p, jobs);
	else
		launch<N, HALF, 0, 4>(p, jobs);
}

void scan_set_forward(const struct selective_scan &p, const struct scan_jobs &jobs)
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
