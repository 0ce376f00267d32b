/*
 * The set form's backward: a first sweep leaves the state before every stretch in work; then, from
 * the last stretch on, the state before every second step goes to shared memory, and pairs of steps
 * are walked in reverse. Stretches are short so that four blocks share a multiprocessor.
 *
 * dC needs no state after the step: with h = a h' + delta u B it is the sum over channels of
 * dy a h' plus B times that of dy delta u, one number a step and direction.
 */
#include "kernels/scan_set.cuh"

#define STEPS 7	 /* of a stretch; odd */
#define BLOCKS 4 /* of a multiprocessor, at most */

template <int N> struct back_tile {
	struct tile<N, STEPS> t;
	float4 dy[STEPS][WARP];
	float ddelta[STEPS][WARP];
	float codes[WARPS][STEP_CODES][N];
	float injected[STEPS][SET]; /* sums over channels of dy delta u */
	int code[STEPS + 1][SET];   /* the tile's, and that of the step after */
	pack<N / SET> before[STEPS / 2 - 1][SET][SET_THREADS];
};

/* A thread's states and sums; dD and dbeta of the lane's channel. */
template <int NL> struct walker {
	float A2[NL], dA[NL], ag[SET][NL], run[SET][NL];
	float D, dD, dbeta;
};

/* run[k]: the sum of g delta u since the code of direction k last changed; goes to its code. */
template <int N>
static __device__ __forceinline__ void flush_run(
	struct back_tile<N> &s, const struct place &w, float *run, int code)
{
	const int NL = N / SET;
	float sum = rest_sum<SET * NL>(lane_sums<NL, SET>(run));

	if (w.slot < NL)
		s.codes[w.warp][code][w.sub * NL + w.slot] += sum;
#pragma unroll
	for (int i = 0; i < NL; i++)
		run[i] = 0;
}

template <int N, int HALF>
static __device__ __forceinline__ void fill_back(struct back_tile<N> &s, struct walker<N / SET> *k,
	const struct place &w, const struct selective_scan &p, struct array dy,
	const struct scan_arrays &in, int t0)
{
	int L = (int)p.len, E = (int)p.dim;
	int64_t plane = p.merged ? 0 : (int64_t)L * E;
	int64_t base = w.b * (p.merged ? 1 : SET) * L * E + w.e;
	struct reading<N, STEPS, HALF> x;
	float4 v[x.each];

	read_tile(x, w, p, in, t0);
#pragma unroll
	for (int i = 0; i < x.each; i++) {
		v[i] = gather<HALF>(dy, base, plane, x.token[i], E);
		if (!w.live || t0 + i * WARPS + w.warp >= L)
			v[i] = make_float4(0, 0, 0, 0);
	}
	__syncthreads();
	leave_tile(s.t, x, w);
	if (threadIdx.x < (STEPS + 1) * SET) {
		int d = threadIdx.x % SET, t = step_before(t0 + (int)threadIdx.x / SET, L);

		s.code[threadIdx.x / SET][d] = in.direction_B.data ? in.code[d * L + t] : 0;
	}
#pragma unroll
	for (int i = 0; i < x.each; i++) {
		int j = i * WARPS + w.warp;

		if (j >= STEPS)
			break;
		float delta = s.t.delta[j][w.lane];
		float y[SET] = {
			v[i].x * x.u[i].x, v[i].y * x.u[i].y, v[i].z * x.u[i].z, v[i].w * x.u[i].w};

		s.dy[j][w.lane] = v[i];
		k->dD += y[0] + y[1] + y[2] + y[3];
#pragma unroll
		for (int d = 0; d < SET; d++)
			y[d] *= delta;
		y[0] = rest_sum<SET>(lane_sums<SET, 1>(y));
		if (w.lane < SET)
			s.injected[j][w.lane] = y[0];
	}
	__syncthreads();
}

/* Step j on the way back from the states before it, h (SET, NL). Leaves dB and dC in place of u. */
template <int N>
static __device__ __forceinline__ void step_back(struct back_tile<N> &s, float *own,
	struct walker<N / SET> *k, const struct place &w, int j, const float (*h)[N / SET],
	const struct step<N / SET> &x)
{
	const int NL = N / SET;
	int c = walked(w), i = w.slot % (2 * NL);
	float4 dy4 = s.dy[j][c];
	const float dy[SET] = {dy4.x, dy4.y, dy4.z, dy4.w};
	pack<NL> C = *(const pack<NL> *)&s.t.C[j][w.sub * NL];
	float u_own = quarter(s.t.u[j][c], w.sub), dy_own = quarter(s.dy[j][c], w.sub);
	float *to = own + own_token(s.t.token[j], w.sub) * EIGHT, old = *to;
	float v[2 * NL] = {}, wn[NL] = {}, m[SET] = {}, Aw = 0, m_own, sum;

#pragma unroll
	for (int d = 0; d < SET; d++) {
		pack<NL> B = weights(s.t, j, d, w.sub);

#pragma unroll
		for (int i = 0; i < NL; i++) {
			float ah = x.a[i] * h[d][i], g = C.v[i] * dy[d] + k->ag[d][i];

			m[d] += B.v[i] * g;
			wn[i] += g * ah;
			v[i] += g * x.du[d];
			v[NL + i] += dy[d] * ah;
			k->run[d][i] += g * x.du[d];
			k->ag[d][i] = x.a[i] * g;
		}
	}
#pragma unroll
	for (int i = 0; i < NL; i++) {
		Aw += k->A2[i] * wn[i];
		k->dA[i] += x.delta * wn[i];
	}
	sum = rest_sum<SET * 2 * NL>(lane_sums<2 * NL, SET>(v));
	m_own = lane_sums<SET, 1>(m);
	Aw = u_own * m_own + LN2 * Aw;
	Aw += __shfl_xor_sync(0xffffffffu, Aw, 1);
	Aw += __shfl_xor_sync(0xffffffffu, Aw, 2);
	add_total(to, w, s.t.apart[j], old, k->D * dy_own + x.delta * m_own);
	if (w.slot < 2 * NL)
		((float *)&s.t.u[j][w.warp * EIGHT])[i / NL * N + w.sub * NL + i % NL] = sum;
	if (!w.sub)
		s.ddelta[j][c] = Aw;
}

/* Before step j: runs end where the step after it (walked before) had another code. */
template <int N>
static __device__ __forceinline__ void end_runs(
	struct back_tile<N> &s, struct walker<N / SET> *k, const struct place &w, int j)
{
#pragma unroll
	for (int d = 0; d < SET; d++)
		if (s.code[j][d] != s.code[j + 1][d])
			flush_run<N>(s, w, k->run[d], s.code[j + 1][d]);
}

/* Sums over the block's warps of a stretch; dr. */
template <int N, int HALF>
static __device__ __forceinline__ void finish_stretch(struct back_tile<N> &s,
	struct walker<N / SET> *k, const struct place &w, const struct selective_scan &p,
	const struct scan_array_grads &d, float *BC, int t0)
{
	int L = (int)p.len, last = min(STEPS, L - t0);

	__syncthreads();
	for (int i = threadIdx.x; i < last * 2 * N; i += SET_THREADS) {
		int j = i / (2 * N), v = i % (2 * N);
		float sum = 0;

		for (int a = 0; a < WARPS; a++)
			sum += ((const float *)&s.t.u[j][a * EIGHT])[v];
		for (int a = 0; a < SET && v >= N; a++)
			sum += s.injected[j][a] * s.t.B[j][a][v - N];
		BC[t0 * 2 * N + i] = sum;
	}
	for (int j = w.warp; j < last && w.live; j += WARPS) {
		float dr = s.ddelta[j][w.lane] * softplus_slope(s.t.delta[j][w.lane]);

		k->dbeta += p.kappa * dr;
		if (d.r.data)
			write<HALF>(d.r, (w.b * L + t0 + j) * p.dim + w.e, dr, d.acc_r);
	}
}

/* The state before every stretch. check: this block's, (stretches, SET, threads) packs. */
template <int N, int HALF>
static __device__ __forceinline__ void first_sweep(struct back_tile<N> &s,
	const struct walker<N / SET> &k, const struct place &w, const struct selective_scan &p,
	const struct scan_arrays &in, pack<N / SET> *check)
{
	float h[SET][N / SET] = {};
	int c = walked(w);

	for (int t0 = 0;; t0 += STEPS) {
#pragma unroll
		for (int d = 0; d < SET; d++)
			check[(t0 / STEPS * SET + d) * SET_THREADS + threadIdx.x] =
				*(const pack<N / SET> *)h[d];
		if (t0 + STEPS >= p.len)
			break;
		fill_tile<N, STEPS, HALF>(s.t, w, p, in, t0);
#pragma unroll
		for (int j = 0; j < STEPS; j++)
			advance(h, open_step(s.t, j, c, k.A2), s.t, j, w.sub);
	}
}

template <int NL> static __device__ __forceinline__ void take(float (*h)[NL], const pack<NL> *from)
{
#pragma unroll
	for (int d = 0; d < SET; d++)
		*(pack<NL> *)h[d] = from[d * SET_THREADS + threadIdx.x];
}

/* h, before the step j, goes back over it. */
template <int N>
static __device__ __forceinline__ void walk_back(struct back_tile<N> &s, float *own,
	struct walker<N / SET> *k, const struct place &w, int j, int coded,
	const float (*h)[N / SET])
{
	if (coded)
		end_runs<N>(s, k, w, j);
	step_back<N>(s, own, k, w, j, h, open_step(s.t, j, walked(w), k->A2));
}

/*
 * The tile's stretch of len steps from h, that before it: the states before steps 2, 4, ... but the
 * last go to shared memory; then the last step and pairs of steps in reverse.
 */
template <int N>
static __device__ __forceinline__ void walk_stretch(struct back_tile<N> &s, float *own,
	struct walker<N / SET> *k, const struct place &w, int len, int coded, float (*h)[N / SET],
	const pack<N / SET> *check)
{
	int c = walked(w);

#pragma unroll 1
	for (int j = 0; j < STEPS - 1; j += 2) {
#pragma unroll
		for (int d = 0; d < SET && j; d++)
			s.before[j / 2 - 1][d][threadIdx.x] = *(const pack<N / SET> *)h[d];
		advance(h, open_step(s.t, j, c, k->A2), s.t, j, w.sub);
		advance(h, open_step(s.t, j + 1, c, k->A2), s.t, j + 1, w.sub);
	}
	if (STEPS - 1 < len)
		walk_back<N>(s, own, k, w, STEPS - 1, coded, h);
#pragma unroll 1
	for (int j = STEPS - 3; j >= 0; j -= 2) {
		const pack<N / SET> *from = j ? s.before[j / 2 - 1][0] : check;

		if (j >= len)
			continue;
		take(h, from);
		if (j + 1 < len) {
			advance(h, open_step(s.t, j, c, k->A2), s.t, j, w.sub);
			walk_back<N>(s, own, k, w, j + 1, coded, h);
			take(h, from);
		}
		walk_back<N>(s, own, k, w, j, coded, h);
	}
}

/* What one sample's tile leaves: du, and parts of the parameters' gradients. */
template <int N, int HALF>
static __device__ __forceinline__ void finish_tile(struct back_tile<N> &s, const float *totals,
	struct walker<N / SET> *k, const struct place &w, const struct selective_scan &p,
	const struct scan_array_grads &d, const struct scan_parts &parts, int tile)
{
	const int NL = N / SET;
	int L = (int)p.len, E = (int)p.dim, e = tile * WARP + walked(w);
	float *left = parts.sample + w.b * scan_row(p);
	float *codes = parts.code + (w.b * scan_tiles(p) + tile) * STEP_CODES * N;

	for (int a = 0; a < SET; a++)
		flush_run<N>(s, w, k->run[a], s.code[0][a]);
	for (int i = 0; i < NL && e < E; i++)
		left[(int64_t)e * N + w.sub * NL + i] = LN2 * k->A2[i] * k->dA[i];
	left += (int64_t)E * N;
	__syncthreads();
	s.dy[w.warp][w.lane] = make_float4(k->dD, k->dbeta, 0, 0);
	__syncthreads();
	if (!w.warp && w.live) {
		left[w.e] = s.dy[0][w.lane].x + s.dy[1][w.lane].x + s.dy[2][w.lane].x +
			    s.dy[3][w.lane].x;
		left[E + w.e] = s.dy[0][w.lane].y + s.dy[1][w.lane].y + s.dy[2][w.lane].y +
				s.dy[3][w.lane].y;
	}
	for (int i = threadIdx.x; i < STEP_CODES * N; i += SET_THREADS)
		codes[i] = s.codes[0][i / N][i % N] + s.codes[1][i / N][i % N] +
			   s.codes[2][i / N][i % N] + s.codes[3][i / N][i % N];
	for (int t = w.warp; t < L && w.live && d.u.data; t += WARPS)
		write<HALF>(d.u, (w.b * L + t) * E + w.e, total_of(totals, w, L, t), d.acc_u);
	__syncthreads();
}

template <int N, int HALF>
static __global__ void __launch_bounds__(SET_THREADS, BLOCKS) set_backward(struct selective_scan p,
	struct scan_array_grads d, struct array dy, struct scan_arrays in, struct scan_parts parts)
{
	extern __shared__ float4 pool[];
	struct back_tile<N> &s = *(struct back_tile<N> *)pool;
	float *totals = (float *)(&s + 1);
	int L = (int)p.len, tiles = (int)scan_tiles(p), last = (L - 1) / STEPS;
	pack<N / SET> *check =
		(pack<N / SET> *)parts.check + (int64_t)blockIdx.x * (last + 1) * SET * SET_THREADS;

	for (int64_t i = blockIdx.x; i < p.batch * tiles; i += gridDim.x) {
		int tile = (int)(i % tiles);
		struct place w = place_of(p, in, i / tiles, tile * WARP);
		int e = min(tile * WARP + walked(w), (int)p.dim - 1);
		float *BC = parts.BC + (w.b * tiles + tile) * L * 2 * N;
		struct walker<N / SET> k = {
		};

		float *own = own_totals(totals, w, L);

		k.D = value(in.D, e);
		for (int n = 0; n < N / SET; n++)
			k.A2[n] = decay(in, e, w.sub * (N / SET) + n, N);
		for (int n = threadIdx.x; n < L * WARP; n += SET_THREADS)
			totals[n] = 0;
		for (int n = threadIdx.x; n < WARPS * STEP_CODES * N; n += SET_THREADS)
			((float *)s.codes)[n] = 0;
		fill_codes(s.t, in);
		first_sweep<N, HALF>(s, k, w, p, in, check);
		for (int j = last; j >= 0; j--) {
			const pack<N / SET> *at = check + (int64_t)j * SET * SET_THREADS;
			__align__(16) float h[SET][N / SET];

			take(h, at);
			fill_back<N, HALF>(s, &k, w, p, dy, in, j * STEPS);
			walk_stretch<N>(
				s, own, &k, w, L - j * STEPS, in.direction_B.data != 0, h, at);
			finish_stretch<N, HALF>(s, &k, w, p, d, BC, j * STEPS);
		}
		finish_tile<N, HALF>(s, totals, &k, w, p, d, parts, tile);
	}
}

int64_t scan_set_back_shared(const struct selective_scan &p)
{
	return (p.state == 8 ? sizeof(struct back_tile<8>) : sizeof(struct back_tile<16>)) +
	       p.len * WARP * sizeof(float);
}

/* As many as are resident at once; each block takes tasks in strides of the grid. */
static int64_t block_count(const struct selective_scan &p)
{
	int64_t tasks = p.batch * scan_tiles(p), room = scan_set_back_shared(p) + 1024;
	int64_t fit = device_limit(cudaDevAttrMaxSharedMemoryPerMultiprocessor) / room;

	fit = (fit < 1 ? 1 : fit < BLOCKS ? fit : BLOCKS) * cuda_multiprocessors;
	return tasks < fit ? tasks : fit;
}

int64_t scan_set_check(const struct selective_scan &p)
{
	return block_count(p) * ((p.len + STEPS - 1) / STEPS) * p.state * SET_THREADS;
}

template <int N, int HALF>
static void launch(const struct selective_scan &p, const struct scan_array_grads &d,
	struct array dy, const struct scan_arrays &in, const struct scan_parts &parts)
{
	unsigned grid = (unsigned)block_count(p);
	int shared = (int)scan_set_back_shared(p);

	cudaFuncSetAttribute(
		set_backward<N, HALF>, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
	set_backward<N, HALF><<<grid, SET_THREADS, shared, cuda_stream>>>(p, d, dy, in, parts);
}

void scan_set_backward(const struct selective_scan &p, const struct scan_array_grads &d,
	struct array dy, const struct scan_arrays &in, const struct scan_parts &parts)
{
	int half = scan_all_half(in, dy);

	if (p.state == 8 && half)
		launch<8, 1>(p, d, dy, in, parts);
	else if (p.state == 8)
		launch<8, 0>(p, d, dy, in, parts);
	else if (half)
		launch<16, 1>(p, d, dy, in, parts);
	else
		launch<16, 0>(p, d, dy, in, parts);
}
