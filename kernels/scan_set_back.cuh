/*
 * The way back over a tile of steps, in the set form: what a block's threads keep, walk and leave.
 * selective_scan_set_back.cu says how the stretches of a tile follow each other.
 */
#ifndef KERNELS_SCAN_SET_BACK_CUH
#define KERNELS_SCAN_SET_BACK_CUH

#include "kernels/scan_set.cuh"

#define STEPS 6 /* of a stretch; even, from 4 on */

/* Channels of a thread, and blocks of a multiprocessor. */
template <int K> struct back_shape {
	static const int P = K == 1 ? 4 : 2;
	static const int threads = team<K, P>::threads;
	static const int blocks = K == 1 ? 4 : 2;
	static const int sweep_P = 2; /* of the first kernel */
	static const int sweep_threads = team<K, sweep_P>::threads;
	static const int sweep_blocks = K == 1 ? 6 : 4;
	static const int coded = K > 1; /* there may be a direction_B */
};

template <int N, int K, int P> struct back_tile {
	struct tile<N, K, P, STEPS> t;
	pack<K> dy[STEPS][team<K, P>::width];
	float ddelta[STEPS][team<K, P>::width];
	float sums[STEPS][team<K, P>::warps][2 * N]; /* dB and dC of a warp's channels */
	float codes[K > 1 ? team<K, P>::warps : 1][STEP_CODES][N];
	pack<K> injected[STEPS][team<K, P>::parts]; /* sums over channels of dy delta u */
	/* of the stretch, of pairs */
	pack<N / LANES> before[STEPS / 2 - 1][P * K][team<K, P>::threads];
};

/* A thread's states and sums; dD and dbeta of the lane's channel. */
template <int NL, int K, int P> struct walker {
	float A2[P][NL], dA[P][NL], ag[P][K][NL], run[K][NL];
	float D[P], dD, dbeta;
};

/* run[k]: the sum of g delta u since the code of direction k last changed; goes to its code. */
template <int N, int K, int P>
static __device__ __forceinline__ void flush_run(
	struct back_tile<N, K, P> &s, const struct place &w, float *run, int code)
{
	const int NL = N / LANES;
	float sum = rest_sum<LANES * NL>(lane_sums<NL, LANES>(run));

	if (w.slot < NL)
		s.codes[w.warp][code][w.sub * NL + w.slot] += sum;
#pragma unroll
	for (int i = 0; i < NL; i++)
		run[i] = 0;
}

/* Before step t, whose code differs from that of the step walked before it. */
template <int N, int K, int P>
static __device__ __forceinline__ void end_runs(struct back_tile<N, K, P> &s,
	struct walker<N / LANES, K, P> &k, const struct place &w, uint32_t codes, uint32_t last)
{
#pragma unroll
	for (int d = 0; d < K; d++)
		if (code_of(codes, d) != code_of(last, d))
			flush_run<N, K, P>(s, w, k.run[d], code_of(last, d));
}

/* The tile, dy, dD, and what dC lacks. */
template <int HALF, int N, int K, int P>
static __device__ __forceinline__ void fill_back(struct back_tile<N, K, P> &s,
	struct walker<N / LANES, K, P> &k, const struct paths<K> &paths, const struct place &w,
	const struct selective_scan &p, struct array dy, const struct scan_arrays &in, int t0)
{
	int L = (int)p.len, E = (int)p.dim, c = w.part * WARP + w.lane;
	int64_t plane = p.merged ? 0 : (int64_t)L * E;
	int64_t base = w.b * (p.merged ? 1 : K) * L * E + w.e;
	struct reading<N, K, P, STEPS> x;
	pack<K> v[x.each];

	read_tile<HALF>(x, paths, w, p, in, t0);
#pragma unroll
	for (int i = 0; i < x.each; i++) {
		int t = t0 + row_of<K, P>(w, i);

		v[i] = gather<HALF>(dy, base, plane, paths.token[step_before(t, L)], E);
#pragma unroll
		for (int d = 0; d < K; d++)
			v[i].v[d] = w.live && t < L ? v[i].v[d] : 0;
	}
	__syncthreads();
	leave_tile(s.t, x, paths, w, L, t0);
#pragma unroll
	for (int i = 0; i < x.each; i++) {
		int j = row_of<K, P>(w, i);
		float y[K];

		if (j >= STEPS)
			break;
		s.dy[j][c] = v[i];
#pragma unroll
		for (int d = 0; d < K; d++) {
			y[d] = v[i].v[d] * x.u[i].v[d];
			k.dD += y[d];
			y[d] *= s.t.delta[j][c];
		}
		y[0] = rest_sum<K>(lane_sums<K, 1>(y));
		if (w.lane < K)
			s.injected[j][w.part].v[w.lane % K] = y[0];
	}
	__syncthreads();
}

/* What steps back leave for the sums over lanes: two at a time. */
template <int NL, int K, int P> struct back_sums {
	float v[2][2 * NL], m[2][P][K], Aw[2][P];
};

/*
 * Back over step j of the tile, step t of the sample; ah: the states before it, decayed. The i-th of
 * two.
 */
template <int N, int K, int P>
static __device__ __forceinline__ void step_back(struct back_sums<N / LANES, K, P> &r, int q,
	struct back_tile<N, K, P> &s, const struct paths<K> &paths,
	struct walker<N / LANES, K, P> &k, const struct place &w, int t, int j,
	const struct states_of<N / LANES, K, P> &ah, const struct step<N / LANES, K, P> &x)
{
	const int NL = N / LANES;
	pack<NL> C = *(const pack<NL> *)&s.t.C[j][w.sub * NL];
	float wn[P][NL] = {};
	pack<K> dy[P];

	if (back_shape<K>::coded && all_codes(paths.code[t] ^ paths.code[t + 1]))
		end_runs<N, K, P>(s, k, w, paths.code[t], paths.code[t + 1]);
#pragma unroll
	for (int c = 0; c < P; c++)
		dy[c] = s.dy[j][walked<P>(w, c)];
#pragma unroll
	for (int d = 0; d < K; d++) {
		pack<NL> B = weights(s.t, j, d, w.sub);

#pragma unroll
		for (int c = 0; c < P; c++) {
			r.m[q][c][d] = 0;
#pragma unroll
			for (int i = 0; i < NL; i++) {
				float g = C.v[i] * dy[c].v[d] + k.ag[c][d][i];

				r.m[q][c][d] += B.v[i] * g;
				wn[c][i] += g * ah.h[c][d][i];
				r.v[q][i] += g * x.du[c][d];
				r.v[q][NL + i] += dy[c].v[d] * ah.h[c][d][i];
				if (back_shape<K>::coded)
					k.run[d][i] += g * x.du[c][d];
				k.ag[c][d][i] = x.a[c][i] * g;
			}
		}
	}
#pragma unroll
	for (int c = 0; c < P; c++) {
		r.Aw[q][c] = 0;
#pragma unroll
		for (int i = 0; i < NL; i++) {
			r.Aw[q][c] += k.A2[c][i] * wn[c][i];
			k.dA[c][i] += x.delta[c] * wn[c][i];
		}
		r.Aw[q][c] *= LN2;
	}
}

/* Sums over lanes of steps j and j + 1 (if there is one): dB and dC of the warp's channels. */
template <int N, int K, int P>
static __device__ __forceinline__ void leave_sums(struct back_tile<N, K, P> &s,
	struct back_sums<N / LANES, K, P> &r, const struct place &w, int j)
{
	const int V = 2 * N / LANES;

	lane_sums_of<V, LANES, 2, V>(r.v);
#pragma unroll
	for (int q = 0; q < 2; q++) {
		float sum = rest_sum<LANES * V>(r.v[q][0]);

		if (w.slot < V)
			s.sums[j + q][w.warp]
			      [w.slot / (V / 2) * N + w.sub * (V / 2) + w.slot % (V / 2)] = sum;
	}
}

/*
 * du and ddelta of steps j, j + 1 with four directions: lane d has direction d's m of every channel.
 * x: what the steps opened with.
 */
template <int N, int K, int P>
static __device__ __forceinline__ void leave_set(struct back_tile<N, K, P> &s,
	const struct paths<K> &paths, float *totals, const struct walker<N / LANES, K, P> &k,
	const struct place &w, int L, int t, int j, struct back_sums<N / LANES, K, P> &r,
	const float (*delta)[P], int two)
{
	lane_sums_of<K, 1, 2 * P, K>(&r.m[0][0]);
#pragma unroll
	for (int q = 0; q < 2; q++)
#pragma unroll
		for (int c = 0; c < P; c++)
			r.Aw[q][c] += s.t.u[j + q][walked<P>(w, c)].v[w.sub] * r.m[q][c][0];
	lane_sums_of<P, 1, 2, P>(r.Aw);
#pragma unroll
	for (int q = 1; q >= 0; q--) {
		float Aw = quad_sum<P>(r.Aw[q][0]), old[P], du[P];
		float *to;

		if (q && !two)
			continue;
		to = own_totals<P>(totals, w, L, token_of(paths.token[t + q], w.sub));
#pragma unroll
		for (int c = 0; c < P; c++) {
			old[c] = to[c * L * EIGHT];
			du[c] = k.D[c] * s.dy[j + q][walked<P>(w, c)].v[w.sub] +
				delta[q][c] * r.m[q][c][0];
		}
		add_totals<P>(to, w, L, paths.code[t + q], old, du);
		if (w.sub < P)
			s.ddelta[j + q][walked<P>(w, w.sub % P)] = Aw;
	}
}

/* The same with one direction: lane c has channel c's; du stands in place of dy. */
template <int N, int P>
static __device__ __forceinline__ void leave_alone(struct back_tile<N, 1, P> &s,
	const struct walker<N / LANES, 1, P> &k, const struct place &w, int j,
	struct back_sums<N / LANES, 1, P> &r)
{
	int c = walked<P>(w, w.sub % P);
	float m[2][P], D = k.D[0];

#pragma unroll
	for (int i = 1; i < P; i++)
		D = w.sub % P == i ? k.D[i] : D;
#pragma unroll
	for (int q = 0; q < 2; q++)
#pragma unroll
		for (int i = 0; i < P; i++)
			m[q][i] = r.m[q][i][0];
	lane_sums_of<P, 1, 2, P>(m);
	lane_sums_of<P, 1, 2, P>(r.Aw);
#pragma unroll
	for (int q = 0; q < 2; q++) {
		float sum = quad_sum<P>(m[q][0]);
		float Aw = quad_sum<P>(r.Aw[q][0]) + s.t.u[j + q][c].v[0] * sum;
		float du = D * s.dy[j + q][c].v[0] + s.t.delta[j + q][c] * sum;

		__syncwarp();
		if (w.sub < P) {
			s.dy[j + q][c].v[0] = du;
			s.ddelta[j + q][c] = Aw;
		}
	}
}

/*
 * States to and from packs `stride` apart, in order of channels and directions: in shared memory
 * (P K, threads), in work (groups of EIGHT, K, lanes).
 */
template <int NL, int K, int P>
static __device__ __forceinline__ void put_states(
	pack<NL> *to, int stride, const struct states_of<NL, K, P> &h)
{
#pragma unroll
	for (int c = 0; c < P; c++)
#pragma unroll
		for (int d = 0; d < K; d++)
			to[(c * K + d) * stride] = *(const pack<NL> *)h.h[c][d];
}

template <int NL, int K, int P>
static __device__ __forceinline__ void take_states(
	struct states_of<NL, K, P> &h, const pack<NL> *from)
{
#pragma unroll
	for (int c = 0; c < P; c++)
#pragma unroll
		for (int d = 0; d < K; d++)
			*(pack<NL> *)h.h[c][d] = from[(c * K + d) * team<K, P>::threads];
}

/* A thread's COUNT packs on their way from work to its own places in shared memory. */
template <int NL, int COUNT, int THREADS>
static __device__ __forceinline__ void send_states(pack<NL> *to, const pack<NL> *from)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
	unsigned at = (unsigned)__cvta_generic_to_shared(to);

	if constexpr (COUNT > 0) {
		asm volatile("cp.async.ca.shared.global [%0+%3], [%1+%4], %2;" ::"r"(at), "l"(from),
			     "n"(sizeof(pack<NL>)), "n"((COUNT - 1) * THREADS * sizeof(pack<NL>)),
			     "n"((COUNT - 1) * WARP * sizeof(pack<NL>))
			     : "memory");
		send_states<NL, COUNT - 1, THREADS>(to, from);
	}
#else
	for (int i = 0; i < COUNT; i++)
		to[i * THREADS] = from[i * WARP];
#endif
}

static __device__ __forceinline__ void await_states(void)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
	asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

/* Back over steps j + 1 (if there is one) and j of a tile from h, the states before j. */
template <int N, int K, int P>
static __device__ __forceinline__ void walk_pair(struct back_tile<N, K, P> &s,
	const struct paths<K> &paths, float *totals, struct walker<N / LANES, K, P> &k,
	const struct place &w, int L, int t0, int j, struct states_of<N / LANES, K, P> &h)
{
	struct step<N / LANES, K, P> x = open_step(s.t, w, j, k.A2), y;
	struct states_of<N / LANES, K, P> next;
	struct back_sums<N / LANES, K, P> r = {
	};
	int two = t0 + j + 1 < L;
	float delta[2][P];

	decay_states(h, x);
	y = open_step(s.t, w, j + 1, k.A2);
	if (two) {
		inject(next, h, x, s.t, j, w.sub);
		decay_states(next, y);
		step_back<N, K, P>(r, 1, s, paths, k, w, t0 + j + 1, j + 1, next, y);
	}
	step_back<N, K, P>(r, 0, s, paths, k, w, t0 + j, j, h, x);
#pragma unroll
	for (int c = 0; c < P; c++) {
		delta[0][c] = x.delta[c];
		delta[1][c] = y.delta[c];
	}
	leave_sums<N, K, P>(s, r, w, j);
	if constexpr (K == 1)
		leave_alone<N, P>(s, k, w, j, r);
	else
		leave_set<N, K, P>(s, paths, totals, k, w, L, t0 + j, j, r, delta, two);
}

/*
 * The tile's stretch from t0 on, whose first states are on their way to s.before[0], where those of
 * the stretch before it (at `check`, if there is one) are sent for at the end.
 */
template <int N, int K, int P>
static __device__ __forceinline__ void walk_stretch(struct back_tile<N, K, P> &s,
	const struct paths<K> &paths, float *totals, struct walker<N / LANES, K, P> &k,
	const struct place &w, int L, int t0, const pack<N / LANES> *check)
{
	struct states_of<N / LANES, K, P> h;
	int len = L - t0;

	await_states();
	take_states(h, s.before[0][0] + threadIdx.x);
#pragma unroll 1
	for (int j = 0; j < STEPS - 2; j += 2) {
		if (j)
			put_states(s.before[j / 2][0] + threadIdx.x, team<K, P>::threads, h);
		advance(h, open_step(s.t, w, j, k.A2), s.t, j, w.sub);
		advance(h, open_step(s.t, w, j + 1, k.A2), s.t, j + 1, w.sub);
	}
#pragma unroll 1
	for (int j = STEPS - 2; j >= 0; j -= 2) {
		if (j >= len)
			continue;
		if (j < STEPS - 2)
			take_states(h, s.before[j / 2][0] + threadIdx.x);
		if (!j && t0)
			send_states<N / LANES, P * K, team<K, P>::threads>(
				s.before[0][0] + threadIdx.x, check);
		walk_pair<N, K, P>(s, paths, totals, k, w, L, t0, j, h);
	}
}

/* Sums over the block's warps of a stretch; dr, and du of one direction. */
template <int HALF, int N, int K, int P>
static __device__ __forceinline__ void finish_stretch(struct back_tile<N, K, P> &s,
	struct walker<N / LANES, K, P> &k, const struct paths<K> &paths, const struct place &w,
	const struct selective_scan &p, const struct scan_array_grads &d, float *BC, int t0)
{
	int last = min(STEPS, (int)p.len - t0), E = (int)p.dim;
	int64_t base = w.b * p.len * E + w.e;

	__syncthreads();
	for (int i = threadIdx.x; i < last * 2 * N; i += blockDim.x) {
		int j = i / (2 * N), v = i % (2 * N);
		float sum = 0;

		for (int a = 0; a < team<K, P>::warps; a++)
			sum += s.sums[j][a][v];
		for (int a = 0; a < K && v >= N; a++) {
			float all = 0;

			for (int i = 0; i < team<K, P>::parts; i++)
				all += s.injected[j][i].v[a];
			sum += all * s.t.B[j][a][v - N];
		}
		BC[source_of(p, paths, t0 + j) * 2 * N + v] = sum;
	}
	for (int j = row_of<K, P>(w, 0); j < last && w.live; j += LANES / P) {
		int c = w.part * WARP + w.lane, q = source_of(p, paths, t0 + j);
		float dr = s.ddelta[j][c] * softplus_slope(s.t.delta[j][c]);

		k.dbeta += p.kappa * dr;
		if (d.r.data)
			write<HALF>(d.r, base + q * E, dr, d.acc_r);
		if (K == 1 && d.u.data)
			write<HALF>(d.u, base + token_of(paths.token[t0 + j], 0) * E,
				s.dy[j][c].v[0], d.acc_u);
	}
}

/* What one sample's tile leaves: du of several directions, and parts of the parameters' gradients. */
template <int HALF, int N, int K, int P>
static __device__ __forceinline__ void finish_tile(struct back_tile<N, K, P> &s,
	const float *totals, struct walker<N / LANES, K, P> &k, const struct paths<K> &paths,
	const struct place &w, const struct selective_scan &p, const struct scan_array_grads &d,
	const struct scan_parts &parts, int tile)
{
	const int NL = N / LANES;
	int L = (int)p.len, E = (int)p.dim;
	float *left = parts.sample + w.b * scan_row(p);
	float *codes = parts.code + (w.b * parts.tiles + tile) * STEP_CODES * N;
	float2 *sums = (float2 *)s.dy;

	for (int a = 0; a < K && back_shape<K>::coded; a++)
		flush_run<N, K, P>(s, w, k.run[a], code_of(paths.code[0], a));
	for (int c = 0; c < P; c++) {
		int e = tile * team<K, P>::width + walked<P>(w, c);

		for (int i = 0; i < NL && e < E; i++)
			left[(int64_t)e * N + w.sub * NL + i] = LN2 * k.A2[c][i] * k.dA[c][i];
	}
	left += (int64_t)E * N;
	__syncthreads();
	sums[threadIdx.x] = make_float2(k.dD, k.dbeta);
	__syncthreads();
	if (w.warp < team<K, P>::parts && w.live) {
		float2 sum = make_float2(0, 0);

		for (int a = threadIdx.x; a < team<K, P>::threads; a += team<K, P>::width) {
			sum.x += sums[a].x;
			sum.y += sums[a].y;
		}
		left[w.e] = sum.x;
		left[E + w.e] = sum.y;
	}
	for (int i = threadIdx.x; i < STEP_CODES * N; i += blockDim.x) {
		float sum = 0;

		for (int a = 0; a < team<K, P>::warps && back_shape<K>::coded; a++)
			sum += s.codes[a][i / N][i % N];
		codes[i] = sum;
	}
	for (int t = row_of<K, P>(w, 0); K > 1 && t < L && w.live && d.u.data; t += LANES / P)
		write<HALF>(d.u, (w.b * L + t) * E + w.e, total_of(totals, w, L, t), d.acc_u);
	__syncthreads();
}

/* The walker of a tile, and shared memory made ready for it. */
template <int N, int K, int P>
static __device__ __forceinline__ struct walker<N / LANES, K, P> begin_tile(
	struct back_tile<N, K, P> &s, float *totals, const struct place &w,
	const struct selective_scan &p, const struct scan_arrays &in, int tile) {
	struct walker<N / LANES, K, P> k = {
	};

	decays_of<N, K, P>(k.A2, w, p, in, tile);
	for (int c = 0; c < P; c++)
		k.D[c] = value(in.D, channel_of<K, P>(w, p, tile, c));
	for (int n = threadIdx.x; K > 1 && n < p.len * team<K, P>::width; n += blockDim.x)
		totals[n] = 0;
	for (int n = threadIdx.x; n < sizeof(s.codes) / sizeof(float); n += blockDim.x)
		((float *)s.codes)[n] = 0;
	return k;
}

#endif
