/*
 * Kernels of width 3 and 7: a block holds a tile of the grid with its margin in shared memory, a
 * warp's lanes are channels (V each), a warp owns a row of the tile and a thread 14 pixels of it in
 * registers. Other widths: dwconv2d_any.cu. Small grids: dwconv2d_whole.cu.
 *
 * Backward does both in one pass: dx from a tile of dc, dweight from the tiles of dc and x, where
 * each warp owns a row of taps. A block walks many tiles; its sums are one part of dweight.
 */
#include "kernels/dwconv.cuh"
#include "kernels/dwconv2d_any.cuh"
#include "kernels/dwconv2d_cuda.h"
#include "kernels/dwconv2d_whole.cuh"

#define COLUMNS 14 /* pixels of a row that a thread owns */
#define LANES 32

/* Warps of a block: rows of a tile, and a multiple of K for the rows of taps. */
#define ROWS(K) ((K) == 7 ? 7 : 6)
#define PITCH(K) (COLUMNS + (K)-1)
#define PIXELS(K) ((ROWS(K) + (K)-1) * PITCH(K))
/* Channels of a row of weights in shared memory: the padding keeps banks apart. */
#define WEIGHTS(V) (LANES * (V) + (V))

struct tile {
	int64_t image; /* offset of the image's first pixel, in pixels */
	int i, j;      /* first row and column */
};

struct tiling {
	int height, width, rows, columns; /* of the grid in pixels, and in tiles */
	int items;			  /* tiles of all images */
	int64_t dim;
};

static __device__ __forceinline__ tile tile_at(const tiling &g, int K, int n)
{
	int each = g.rows * g.columns, at = n % each;

	return {(int64_t)(n / each) * g.height * g.width, at / g.columns * ROWS(K),
		at % g.columns * COLUMNS};
}

#define BATCH 8 /* loads under way together */

/*
 * Fills `to` (pixels, LANES * V) with the values of the tile and its margin, zeros outside the
 * grid: those of a, or, where c is given, a times SiLU's slope at c.
 */
template <int K, int V, typename T>
static __device__ __forceinline__ void fill_tile(
	T *to, const tiling &g, const tile &t, int64_t e, const T *a, const T *c)
{
	for (int first = threadIdx.y; first < PIXELS(K); first += ROWS(K) * BATCH) {
		float f[BATCH][V], pre[BATCH][V];
		int inside[BATCH];

#pragma unroll
		for (int b = 0; b < BATCH; b++) {
			int n = first + b * ROWS(K);
			int i = t.i - K / 2 + n / PITCH(K), j = t.j - K / 2 + n % PITCH(K);
			int64_t at = (t.image + (int64_t)i * g.width + j) * g.dim + e;

			inside[b] = n < PIXELS(K) && i >= 0 && i < g.height && j >= 0 &&
				    j < g.width && e < g.dim;
			load_pack<V>(f[b], a + (inside[b] ? at : 0));
			if (c)
				load_pack<V>(pre[b], c + (inside[b] ? at : 0));
		}
#pragma unroll
		for (int b = 0; b < BATCH; b++) {
			int n = first + b * ROWS(K);

#pragma unroll
			for (int v = 0; v < V; v++) {
				if (c)
					f[b][v] *= silu_slope(pre[b][v]);
				f[b][v] = inside[b] ? f[b][v] : 0;
			}
			if (n < PIXELS(K))
				store_pack<V>(to + (n * LANES + threadIdx.x) * V, f[b]);
		}
	}
}

/* weight (dim, K K) as (K K, WEIGHTS(V)); turned: taps from last to first */
template <int K, int V>
static __device__ __forceinline__ void fill_weights(
	float *to, const float *weight, int64_t from, int64_t dim, int turned)
{
	for (int n = threadIdx.y * LANES + threadIdx.x; n < K * K * LANES * V;
		n += ROWS(K) * LANES) {
		int e = n / (K * K), tap = n % (K * K);

		to[(turned ? K * K - 1 - tap : tap) * WEIGHTS(V) + e] =
			from + e < dim ? weight[from * K * K + n] : 0;
	}
}

/* sum += the tile convolved with w: the COLUMNS pixels of row threadIdx.y of the tile */
template <int K, int V, typename T>
static __device__ __forceinline__ void convolve(
	float (&sum)[COLUMNS][V], const T *tile, const float *w, int first_row, int height)
{
	int lane = threadIdx.x * V;

#pragma unroll 1
	for (int di = 0; di < K; di++) {
		int i = first_row + threadIdx.y - K / 2 + di;
		const T *row = tile + (threadIdx.y + di) * PITCH(K) * LANES * V + lane;
		float tap[K][V];

		if (i < 0 || i >= height)
			continue;
#pragma unroll
		for (int dj = 0; dj < K; dj++)
			load_pack<V>(tap[dj], w + (di * K + dj) * WEIGHTS(V) + lane);
#pragma unroll
		for (int j = 0; j < PITCH(K); j++) {
			float x[V];

			load_pack<V>(x, row + j * LANES * V);
#pragma unroll
			for (int dj = 0; dj < K; dj++)
				if (j - dj >= 0 && j - dj < COLUMNS)
#pragma unroll
					for (int v = 0; v < V; v++)
						sum[j - dj][v] += tap[dj][v] * x[v];
		}
	}
}

template <typename TX, typename TY, int V, int K>
static __global__ void __launch_bounds__(ROWS(K) * LANES)
	forward_tiles(tiling g, TY *__restrict__ y, TY *__restrict__ c, const TX *__restrict__ x,
		const float *__restrict__ weight, const float *__restrict__ bias)
{
	extern __shared__ __align__(16) unsigned char room[];
	float *w = (float *)room;
	TX *in = (TX *)(w + K * K * WEIGHTS(V));
	int64_t from = (int64_t)blockIdx.y * LANES * V, e = from + threadIdx.x * V;
	tile t = tile_at(g, K, blockIdx.x);
	float sum[COLUMNS][V];
	int i = t.i + threadIdx.y;

	fill_weights<K, V>(w, weight, from, g.dim, 0);
	fill_tile<K, V, TX>(in, g, t, e, x, NULL);
	__syncthreads();
	if (i >= g.height || e >= g.dim)
		return;
#pragma unroll
	for (int v = 0; v < V; v++) {
		float b = bias ? bias[e + v] : 0;

#pragma unroll
		for (int j = 0; j < COLUMNS; j++)
			sum[j][v] = b;
	}
	convolve<K, V>(sum, in, w, t.i, g.height);
#pragma unroll
	for (int j = 0; j < COLUMNS; j++) {
		int64_t at = (t.image + (int64_t)i * g.width + t.j + j) * g.dim + e;
		float f[V];

		if (t.j + j >= g.width)
			break;
		if (c)
			store_pack<V>(c + at, sum[j]);
#pragma unroll
		for (int v = 0; v < V; v++)
			f[v] = sum[j][v] * sigmoid_of(sum[j][v]);
		store_pack<V>(y + at, f);
	}
}

/* Sums of dc x over the tile's pixels for the warp's row of taps; sum[K]: of dc alone */
template <int K, int V, typename TX, typename TY>
static __device__ __forceinline__ void sum_taps(
	float (&sum)[K + 1][V], const TX *in, const TY *grad, const tiling &g, int first_row)
{
	int di = threadIdx.y % K, lane = threadIdx.x * V;

#pragma unroll 1
	for (int r = threadIdx.y / K; r < ROWS(K); r += ROWS(K) / K) {
		int i = first_row + r - K / 2 + di;
		const TX *x = in + (r + di) * PITCH(K) * LANES * V + lane;
		const TY *dc = grad + ((r + K / 2) * PITCH(K) + K / 2) * LANES * V + lane;
		float near[PITCH(K)][V];

		if (first_row + r >= g.height || i < 0 || i >= g.height)
			continue;
#pragma unroll
		for (int j = 0; j < K - 1; j++)
			load_pack<V>(near[j], x + j * LANES * V);
#pragma unroll
		for (int j = 0; j < COLUMNS; j++) {
			float d[V];

			load_pack<V>(d, dc + j * LANES * V);
			load_pack<V>(near[j + K - 1], x + (j + K - 1) * LANES * V);
#pragma unroll
			for (int v = 0; v < V; v++) {
				sum[K][v] += d[v];
#pragma unroll
				for (int dj = 0; dj < K; dj++)
					sum[dj][v] += d[v] * near[j + dj][v];
			}
		}
	}
}

/* Block (x, y): tiles x, x + gridDim.x, ... of the channels of y. part: see add_tap_parts. */
template <typename TX, typename TY, int V, int K>
static __global__ void __launch_bounds__(ROWS(K) * LANES) backward_tiles(tiling g,
	TX *__restrict__ dx, int acc, float *__restrict__ part, const TY *__restrict__ dy,
	const TY *__restrict__ c, const TX *__restrict__ x, const float *__restrict__ weight)
{
	extern __shared__ __align__(16) unsigned char room[];
	float *w = (float *)room;
	TX *in = (TX *)(w + K * K * WEIGHTS(V));
	TY *grad = (TY *)(in + PIXELS(K) * LANES * V);
	int64_t from = (int64_t)blockIdx.y * LANES * V, e = from + threadIdx.x * V;
	float taps[K + 1][V] = {};

	fill_weights<K, V>(w, weight, from, g.dim, 1);
	for (int n = blockIdx.x; n < g.items; n += gridDim.x) {
		tile t = tile_at(g, K, n);
		int i = t.i + threadIdx.y;

		__syncthreads();
		if (part)
			fill_tile<K, V, TX>(in, g, t, e, x, NULL);
		fill_tile<K, V, TY>(grad, g, t, e, dy, c);
		__syncthreads();
		if (part)
			sum_taps<K, V>(taps, in, grad, g, t.i);
		if (!dx || i >= g.height || e >= g.dim)
			continue;
		float sum[COLUMNS][V] = {};

		convolve<K, V>(sum, grad, w, t.i, g.height);
#pragma unroll
		for (int j = 0; j < COLUMNS; j++)
			if (t.j + j < g.width)
				put_pack<V>(
					dx + (t.image + (int64_t)i * g.width + t.j + j) * g.dim + e,
					sum[j], acc);
	}
	if (!part || e >= g.dim)
		return;
	part += ((int64_t)blockIdx.x * (ROWS(K) / K) + threadIdx.y / K) * (K * K + 1) * g.dim + e;
#pragma unroll
	for (int v = 0; v < V; v++) {
#pragma unroll
		for (int dj = 0; dj < K; dj++)
			part[(threadIdx.y % K * K + dj) * g.dim + v] = taps[dj][v];
		if (threadIdx.y % K == K / 2)
			part[K * K * g.dim + v] = taps[K][v];
	}
}

/* --- launches --- */

static tiling tiling_of(const struct dwconv2d *p)
{
	tiling g = {(int)p->height, (int)p->width, 0, 0, 0, p->dim};

	g.rows = (g.height + ROWS(p->kernel) - 1) / ROWS(p->kernel);
	g.columns = (g.width + COLUMNS - 1) / COLUMNS;
	g.items = (int)(p->batch * g.rows * g.columns);
	return g;
}

static unsigned groups_of(int64_t dim, int V)
{
	return (unsigned)((dim + LANES * V - 1) / (LANES * V));
}

static int together(const struct dwconv2d *p, struct array x, struct array y)
{
	return x.half && y.half && p->dim % 2 == 0 ? 2 : 1;
}

/* Parts of the weight gradients: two blocks a multiprocessor, of at most one tile each. */
static int parts_of(const struct dwconv2d *p, int V)
{
	int64_t n = (2 * (int64_t)cuda_multiprocessors) / groups_of(p->dim, V), most = p->batch;

	if (p->kernel == 3 || p->kernel == 7)
		most = tiling_of(p).items;
	else if (n > 64)
		n = 64;
	return (int)(n < 1 ? 1 : n < most ? n : most);
}

static size_t room_of(const struct dwconv2d *p, int V, size_t bytes)
{
	int k = (int)p->kernel;

	return k * k * WEIGHTS(V) * sizeof(float) + bytes * PIXELS(k) * LANES * V;
}

static size_t bytes_of(struct array a)
{
	return a.half ? sizeof(bf16) : sizeof(float);
}

static int aligned(struct array a)
{
	return (uintptr_t)a.data % 16 == 0;
}

/* Whether a block may have so much shared memory. */
static int fits(size_t room)
{
	static int most;
	int device;

	if (!most && (cudaGetDevice(&device) ||
			     cudaDeviceGetAttribute(
				     &most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device)))
		most = 48 << 10;
	return room <= (size_t)most;
}

template <typename F> static void allow(F kernel, size_t room)
{
	cudaFuncSetAttribute(
		(const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)room);
}

/* CALL(TX, TY, V, K) */
#define BY_WIDTH(TX, TY, V, k, CALL)                                                               \
	do {                                                                                       \
		if ((k) == 3)                                                                      \
			CALL(TX, TY, V, 3);                                                        \
		else                                                                               \
			CALL(TX, TY, V, 7);                                                        \
	} while (0)
#define BY_PACK(x, y, V, k, CALL)                                                                  \
	do {                                                                                       \
		if ((V) == 2)                                                                      \
			BY_WIDTH(bf16, bf16, 2, k, CALL);                                          \
		else if ((x).half && (y).half)                                                     \
			BY_WIDTH(bf16, bf16, 1, k, CALL);                                          \
		else if ((x).half)                                                                 \
			BY_WIDTH(bf16, float, 1, k, CALL);                                         \
		else if ((y).half)                                                                 \
			BY_WIDTH(float, bf16, 1, k, CALL);                                         \
		else                                                                               \
			BY_WIDTH(float, float, 1, k, CALL);                                        \
	} while (0)

void dwconv2d_forward_cuda(const struct dwconv2d *p, struct array y, struct array c, struct array x,
	const float *weight, const float *bias)
{
	if (p->plain) {
		dwconv2d_any_forward(p, y, c, x, weight, bias);
		return;
	}
	if (dwconv2d_whole_fits(p) && aligned(x) && aligned(y) && aligned(c)) {
		dwconv2d_whole_forward(p, y, c, x, weight, bias);
		return;
	}
	int V = together(p, x, y);
	size_t room = room_of(p, V, bytes_of(x));
	tiling g = tiling_of(p);
	dim3 grid(g.items, groups_of(p->dim, V));

	if ((p->kernel != 3 && p->kernel != 7) || !fits(room)) {
		dwconv2d_any_forward(p, y, c, x, weight, bias);
		return;
	}
#define CALL(TX, TY, V, K)                                                                         \
	do {                                                                                       \
		allow(forward_tiles<TX, TY, V, K>, room);                                          \
		forward_tiles<TX, TY, V, K><<<grid, dim3(LANES, ROWS(K)), room, cuda_stream>>>(    \
			g, (TY *)y.data, (TY *)c.data, (const TX *)x.data, weight, bias);          \
	} while (0)
	BY_PACK(x, y, V, p->kernel, CALL);
#undef CALL
}

void dwconv2d_backward_cuda(const struct dwconv2d *p, struct array dx, int acc_x, float *dweight,
	float *dbias, struct array dy, struct array c, struct array x, const float *weight,
	float *work)
{
	int V = together(p, x, dy), parts = parts_of(p, V), k = (int)p->kernel;
	size_t room = room_of(p, V, bytes_of(x) + bytes_of(dy));
	float *part = dweight || dbias ? work : NULL;
	tiling g = tiling_of(p);
	dim3 grid(parts, groups_of(p->dim, V));

	if (!p->plain && dwconv2d_whole_fits(p) && aligned(dx) && aligned(dy) && aligned(c) && aligned(x)) {
		parts = dwconv2d_whole_backward(p, dx, acc_x, part, dy, c, x, weight);
	} else if (p->plain || (k != 3 && k != 7) || !fits(room)) {
		if (parts > p->batch)
			parts = (int)p->batch;
		dwconv2d_any_backward(p, dx, acc_x, part, parts, dy, c, x, weight);
	} else {
#define CALL(TX, TY, V, K)                                                                         \
	do {                                                                                       \
		allow(backward_tiles<TX, TY, V, K>, room);                                         \
		backward_tiles<TX, TY, V, K><<<grid, dim3(LANES, ROWS(K)), room, cuda_stream>>>(g, \
			(TX *)dx.data, acc_x, part, (const TY *)dy.data, (const TY *)c.data,       \
			(const TX *)x.data, weight);                                               \
	} while (0)
		BY_PACK(x, dy, V, k, CALL);
#undef CALL
		parts *= ROWS(k) / k;
	}
	if (part)
		sum_tap_parts(dweight, dbias, part, parts, k * k, p->dim);
}

int64_t dwconv2d_work_cuda(const struct dwconv2d *p, int backward)
{
	int parts = parts_of(p, 2) > parts_of(p, 1) ? parts_of(p, 2) : parts_of(p, 1);

	if (p->kernel == 3)
		parts *= 2; /* its rows of taps are walked twice over */
	if (dwconv2d_whole_fits(p) && dwconv2d_whole_parts(p) > parts)
		parts = dwconv2d_whole_parts(p);
	return backward ? (p->kernel * p->kernel + 1) * p->dim * parts : 0;
}
