/* The set form's forward, and what the set form takes. */
#include "kernels/scan_set.cuh"

#define STEPS 16

/* Direction sub's output of step j, D u included. */
template <int N>
static __device__ __forceinline__ float outputs(const float (*h)[N / SET],
	const struct tile<N, STEPS> &s, int j, const struct place &w, float D)
{
	pack<N / SET> C = *(const pack<N / SET> *)&s.C[j][w.sub * (N / SET)];
	float y[SET] = {0, 0, 0, 0};

#pragma unroll
	for (int k = 0; k < SET; k++)
#pragma unroll
		for (int i = 0; i < N / SET; i++)
			y[k] += C.v[i] * h[k][i];
	return lane_sums<SET, 1>(y) + D * quarter(s.u[j][walked(w)], w.sub);
}

/* The outputs of a tile, left in place of u, to their planes; lanes are channels. */
template <int N, int HALF>
static __device__ __forceinline__ void put_tile(struct array y, const struct tile<N, STEPS> &s,
	const struct place &w, const struct selective_scan &p, int t0)
{
	int64_t L = p.len, E = p.dim, base = w.b * SET * L * E + w.e;

	__syncthreads();
	for (int j = w.warp; j < STEPS && t0 + j < L && w.live; j += WARPS) {
		float4 v = s.u[j][w.lane];

		write<HALF>(y, base + s.token[j].x * E, v.x, 0);
		write<HALF>(y, base + (L + s.token[j].y) * E, v.y, 0);
		write<HALF>(y, base + (2 * L + s.token[j].z) * E, v.z, 0);
		write<HALF>(y, base + (3 * L + s.token[j].w) * E, v.w, 0);
	}
}

/* Grid: tiles of channels, sample. */
template <int N, int HALF, int MERGED>
static __global__ void __launch_bounds__(SET_THREADS, 5)
	set_forward(struct selective_scan p, struct array y, struct scan_arrays in)
{
	extern __shared__ float4 pool[];
	struct tile<N, STEPS> &s = *(struct tile<N, STEPS> *)pool;
	float *totals = (float *)(&s + 1); /* if merged */
	struct place w = place_of(p, in, blockIdx.y, blockIdx.x * WARP);
	int L = (int)p.len, E = (int)p.dim, c = walked(w);
	float *own = own_totals(totals, w, L);
	int e = min((int)blockIdx.x * WARP + c, E - 1);
	float A2[N / SET], h[SET][N / SET] = {}, D = value(in.D, e);

	for (int i = 0; i < N / SET; i++)
		A2[i] = decay(in, e, w.sub * (N / SET) + i, N);
	for (int i = threadIdx.x; MERGED && i < L * WARP; i += SET_THREADS)
		totals[i] = 0;
	fill_codes(s, in);
	for (int t0 = 0; t0 < L; t0 += STEPS) {
		int last = min(STEPS, L - t0);

		fill_tile<N, STEPS, HALF>(s, w, p, in, t0);
#pragma unroll 2
		for (int j = 0; j < last; j++) {
			struct step<N / SET> x = open_step(s, j, c, A2);
			float out;

			advance(h, x, s, j, w.sub);
			out = outputs<N>(h, s, j, w, D);
			if (MERGED) {
				float *to = own + own_token(s.token[j], w.sub) * EIGHT;

				add_total(to, w, s.apart[j], *to, out);
			} else {
				__syncwarp();
				((float *)&s.u[j][c])[w.sub] = out;
			}
		}
		if (!MERGED)
			put_tile<N, HALF>(y, s, w, p, t0);
	}
	if (!MERGED)
		return;
	__syncthreads();
	for (int t = w.warp; t < L && w.live; t += WARPS)
		write<HALF>(y, (w.b * L + t) * E + w.e, total_of(totals, w, L, t), 0);
}

static int64_t forward_shared(const struct selective_scan &p)
{
	return (p.state == 8 ? sizeof(struct tile<8, STEPS>) : sizeof(struct tile<16, STEPS>)) +
	       (p.merged ? p.len * WARP * sizeof(float) : 0);
}

int scan_set_takes(const struct selective_scan &p, const struct scan_arrays &in, int backward)
{
	int64_t need = backward ? scan_set_back_shared(p) : forward_shared(p);

	return p.directions == SET && !p.param_at_scan && (p.state == 8 || p.state == 16) &&
	       in.order && !in.segments && p.batch <= 65535 &&
	       need <= device_limit(cudaDevAttrMaxSharedMemoryPerBlockOptin);
}

template <int N, int HALF, int MERGED>
static void launch(const struct selective_scan &p, struct array y, const struct scan_arrays &in)
{
	dim3 grid((unsigned)scan_tiles(p), (unsigned)p.batch);
	int shared = (int)forward_shared(p);

	cudaFuncSetAttribute(
		set_forward<N, HALF, MERGED>, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
	set_forward<N, HALF, MERGED><<<grid, SET_THREADS, shared, cuda_stream>>>(p, y, in);
}

template <int N, int HALF>
static void by_merged(const struct selective_scan &p, struct array y, const struct scan_arrays &in)
{
	if (p.merged)
		launch<N, HALF, 1>(p, y, in);
	else
		launch<N, HALF, 0>(p, y, in);
}

void scan_set_forward(const struct selective_scan &p, struct array y, const struct scan_arrays &in)
{
	int half = scan_all_half(in, y);

	if (p.state == 8 && half)
		by_merged<8, 1>(p, y, in);
	else if (p.state == 8)
		by_merged<8, 0>(p, y, in);
	else if (half)
		by_merged<16, 1>(p, y, in);
	else
		by_merged<16, 0>(p, y, in);
}
