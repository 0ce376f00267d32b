/*
 * 7 x 7 kernels on grids of at most 14 x 14: a block holds a whole image of LANES V channels in
 * shared memory, without a margin: taps that fall outside a row are left out when compiled, those
 * outside a column are jumped over. Lanes are channels (V each), a warp owns a row of the image and
 * a thread its 14 pixels in registers. Forward copies the next image meanwhile.
 *
 * Backward does both in one pass: dx from dc, dweight from dc and x, where each warp owns a row of
 * taps for every other row of the image. A block walks many images; its sums are two parts.
 */
#include "kernels/dwconv.cuh"
#include "kernels/dwconv2d_whole.cuh"
#include "kernels/mma.cuh"

#define K DWCONV2D_WHOLE_KERNEL
#define SIDE DWCONV2D_WHOLE_SIDE
#define LANES 32
#define THREADS (SIDE * LANES)
#define PIXELS (SIDE * SIDE)
/* Channels of a row of weights in shared memory: the padding keeps banks apart. */
#define WEIGHTS(V) (LANES * (V) + (V))
/* Values that one copy moves, and copies of a pixel's channels. */
#define PIECE(T) (16 / (int)sizeof(T))
#define PIECES(T, V) (LANES * (V) / PIECE(T))

struct grid {
	int images, height, width, dim;
};

/* Where a thread's n-th piece of the image lies; at: in values from the image's first. */
struct piece {
	int to, at, inside;
};

template <typename T, int V>
static __device__ __forceinline__ struct piece piece_of(const grid &g, int from, int n)
{
	int p = n / PIECES(T, V), e = from + n % PIECES(T, V) * PIECE(T);
	int i = p / SIDE, j = p % SIDE;
	struct piece q = {n * PIECE(T), (i * g.width + j) * g.dim + e,
		i < g.height && j < g.width && e < g.dim};

	return q;
}

/* Starts copying the channels from.. of an image to `to` (SIDE, SIDE, LANES V), zeros outside. */
template <typename T, int V>
static __device__ __forceinline__ void copy_image(T *to, const T *image, const grid &g, int from)
{
#pragma unroll
	for (int k = 0; k < (PIXELS * PIECES(T, V) + THREADS - 1) / THREADS; k++) {
		int n = threadIdx.y * LANES + threadIdx.x + k * THREADS;
		struct piece q = piece_of<T, V>(g, from, n);
		const T *x = image + (q.inside ? q.at : 0);

		if (n >= PIXELS * PIECES(T, V))
			break;
#if HAS_MMA
		copy_piece(shared_at(to + q.to), x, q.inside);
#else
		*(uint4 *)(to + q.to) = q.inside ? *(const uint4 *)x : make_uint4(0, 0, 0, 0);
#endif
	}
}

/* The same of dc = dy times SiLU's slope at c, at once. */
template <typename T, int V>
static __device__ __forceinline__ void fill_gradient(
	T *to, const T *dy, const T *c, const grid &g, int from)
{
	for (int n = threadIdx.y * LANES + threadIdx.x; n < PIXELS * PIECES(T, V); n += THREADS) {
		struct piece q = piece_of<T, V>(g, from, n);
		float f[PIECE(T)] = {}, pre[PIECE(T)];

		if (q.inside) {
			load_pack<PIECE(T)>(f, dy + q.at);
			load_pack<PIECE(T)>(pre, c + q.at);
#pragma unroll
			for (int v = 0; v < PIECE(T); v++)
				f[v] *= silu_slope(pre[v]);
		}
		store_pack<PIECE(T)>(to + q.to, f);
	}
}

/* weight (dim, K K) as (K K, WEIGHTS(V)); turned: taps from last to first */
template <int V>
static __device__ __forceinline__ void fill_weights(
	float *to, const float *weight, int from, int dim, int turned)
{
	for (int n = threadIdx.y * LANES + threadIdx.x; n < K * K * LANES * V; n += THREADS) {
		int e = n / (K * K), tap = n % (K * K);

		to[(turned ? K * K - 1 - tap : tap) * WEIGHTS(V) + e] =
			from + e < dim ? weight[from * K * K + n] : 0;
	}
}

/* sum += the image convolved with w: the pixels of row threadIdx.y */
template <int V, typename T>
static __device__ __forceinline__ void convolve(
	float (&sum)[SIDE][V], const T *image, const float *w, int height)
{
	int lane = threadIdx.x * V, row = threadIdx.y;
	int end = height - row + K / 2 < K ? height - row + K / 2 : K;

#pragma unroll 1
	for (int di = row < K / 2 ? K / 2 - row : 0; di < end; di++) {
		const T *in = image + (row + di - K / 2) * SIDE * LANES * V + lane;
		float tap[K][V];

#pragma unroll
		for (int dj = 0; dj < K; dj++)
			load_pack<V>(tap[dj], w + (di * K + dj) * WEIGHTS(V) + lane);
#pragma unroll
		for (int j = 0; j < SIDE; j++) {
			float x[V];

			load_pack<V>(x, in + j * LANES * V);
#pragma unroll
			for (int dj = 0; dj < K; dj++) {
				int to = j - dj + K / 2;

				if (to >= 0 && to < SIDE)
#pragma unroll
					for (int v = 0; v < V; v++)
						sum[to][v] += tap[dj][v] * x[v];
			}
		}
	}
}

/* Block (x, y): images x, x + gridDim.x, ... of the channels of y. */
template <typename TX, typename TY, int V>
static __global__ void __launch_bounds__(THREADS, 2)
	forward_whole(grid g, TY *__restrict__ y, TY *__restrict__ c, const TX *__restrict__ x,
		const float *__restrict__ weight, const float *__restrict__ bias)
{
	extern __shared__ __align__(16) unsigned char room[];
	TX *in = (TX *)room, *next = in + PIXELS * LANES * V;
	float *w = (float *)(next + PIXELS * LANES * V);
	int from = blockIdx.y * LANES * V, e = from + threadIdx.x * V, row = threadIdx.y;
	int64_t size = (int64_t)g.height * g.width * g.dim;
	float b[V];

	copy_image<TX, V>(in, x + blockIdx.x * size, g, from);
	copy_commit();
	fill_weights<V>(w, weight, from, g.dim, 0);
#pragma unroll
	for (int v = 0; v < V; v++)
		b[v] = bias && e + v < g.dim ? bias[e + v] : 0;
	for (int n = blockIdx.x; n < g.images; n += gridDim.x) {
		int64_t at = n * size + (int64_t)row * g.width * g.dim + e;
		float sum[SIDE][V];
		TX *other = in;

		if (n + (int)gridDim.x < g.images)
			copy_image<TX, V>(next, x + (n + gridDim.x) * size, g, from);
		copy_commit();
		copy_wait<1>();
		__syncthreads();
		if (row < g.height && e < g.dim) {
#pragma unroll
			for (int j = 0; j < SIDE; j++)
#pragma unroll
				for (int v = 0; v < V; v++)
					sum[j][v] = b[v];
			convolve<V, TX>(sum, in, w, g.height);
#pragma unroll
			for (int j = 0; j < SIDE; j++) {
				float f[V];

				if (j >= g.width)
					break;
				if (c)
					store_pack<V>(c + at + j * g.dim, sum[j]);
#pragma unroll
				for (int v = 0; v < V; v++)
					f[v] = sum[j][v] * sigmoid_of(sum[j][v]);
				store_pack<V>(y + at + j * g.dim, f);
			}
		}
		__syncthreads();
		in = next;
		next = other;
	}
}

/* Sums of dc x over every other row for the warp's row of taps; sum[K]: of dc alone */
template <int V, typename TX, typename TY>
static __device__ __forceinline__ void sum_taps(
	float (&sum)[K + 1][V], const TX *image, const TY *grad, int height)
{
	int di = threadIdx.y % K, lane = threadIdx.x * V;

#pragma unroll 1
	for (int r = threadIdx.y / K; r < height; r += SIDE / K) {
		int i = r + di - K / 2;
		const TX *in = image + i * SIDE * LANES * V + lane;
		const TY *dc = grad + r * SIDE * LANES * V + lane;
		float x[SIDE][V];

		if (i < 0 || i >= height)
			continue;
#pragma unroll
		for (int j = 0; j < SIDE; j++)
			load_pack<V>(x[j], in + j * LANES * V);
#pragma unroll
		for (int j = 0; j < SIDE; j++) {
			float d[V];

			load_pack<V>(d, dc + j * LANES * V);
#pragma unroll
			for (int v = 0; v < V; v++) {
				sum[K][v] += d[v];
#pragma unroll
				for (int dj = 0; dj < K; dj++)
					if (j + dj - K / 2 >= 0 && j + dj - K / 2 < SIDE)
						sum[dj][v] += d[v] * x[j + dj - K / 2][v];
			}
		}
	}
}

/* Block (x, y): as forward_whole. part: see add_tap_parts. */
template <typename TX, typename TY, int V>
static __global__ void __launch_bounds__(THREADS, 2) backward_whole(grid g, TX *__restrict__ dx,
	int acc, float *__restrict__ part, const TY *__restrict__ dy, const TY *__restrict__ c,
	const TX *__restrict__ x, const float *__restrict__ weight)
{
	extern __shared__ __align__(16) unsigned char room[];
	TX *in = (TX *)room;
	TY *grad = (TY *)(in + PIXELS * LANES * V);
	float *w = (float *)(grad + PIXELS * LANES * V);
	int from = blockIdx.y * LANES * V, e = from + threadIdx.x * V, row = threadIdx.y;
	int64_t size = (int64_t)g.height * g.width * g.dim;
	float taps[K + 1][V] = {};

	fill_weights<V>(w, weight, from, g.dim, 1);
	for (int n = blockIdx.x; n < g.images; n += gridDim.x) {
		int64_t at = n * size + (int64_t)row * g.width * g.dim + e;
		float sum[SIDE][V] = {};

		if (part)
			copy_image<TX, V>(in, x + n * size, g, from);
		copy_commit();
		fill_gradient<TY, V>(grad, dy + n * size, c + n * size, g, from);
		copy_wait<0>();
		__syncthreads();
		if (part)
			sum_taps<V, TX, TY>(taps, in, grad, g.height);
		if (dx && row < g.height && e < g.dim) {
			convolve<V, TY>(sum, grad, w, g.height);
#pragma unroll
			for (int j = 0; j < SIDE; j++)
				if (j < g.width)
					put_pack<V>(dx + at + j * g.dim, sum[j], acc);
		}
		__syncthreads();
	}
	if (!part || e >= g.dim)
		return;
	part += ((int64_t)blockIdx.x * (SIDE / K) + row / K) * (K * K + 1) * g.dim + e;
#pragma unroll
	for (int v = 0; v < V; v++) {
#pragma unroll
		for (int dj = 0; dj < K; dj++)
			part[(row % K * K + dj) * g.dim + v] = taps[dj][v];
		if (row % K == K / 2)
			part[K * K * g.dim + v] = taps[K][v];
	}
}

/* --- launches --- */

int dwconv2d_whole_fits(const struct dwconv2d *p)
{
	return p->kernel == K && p->height <= SIDE && p->width <= SIDE && p->dim % 8 == 0 &&
	       p->dim <= 1 << 20 && p->batch <= 1 << 30;
}

static int together(struct array x, struct array y)
{
	return x.half && y.half ? 2 : 1;
}

static int groups_of(const struct dwconv2d *p, int V)
{
	return (int)((p->dim + LANES * V - 1) / (LANES * V));
}

/* Two blocks a multiprocessor, of at most one image each. */
static int blocks_of(const struct dwconv2d *p, int V)
{
	int n = 2 * cuda_multiprocessors / groups_of(p, V);

	return n < 1 ? 1 : n < p->batch ? n : (int)p->batch;
}

int dwconv2d_whole_parts(const struct dwconv2d *p)
{
	int one = blocks_of(p, 1), two = blocks_of(p, 2);

	return SIDE / K * (one > two ? one : two);
}

template <typename T> static size_t room_of(int V)
{
	return sizeof(T) * PIXELS * LANES * V;
}

template <typename TX, typename TY, int V>
static void forward(const struct dwconv2d *p, struct array y, struct array c, struct array x,
	const float *weight, const float *bias)
{
	grid g = {(int)p->batch, (int)p->height, (int)p->width, (int)p->dim};
	dim3 blocks(blocks_of(p, V), groups_of(p, V)), threads(LANES, SIDE);
	size_t room = K * K * WEIGHTS(V) * sizeof(float) + 2 * room_of<TX>(V);

	cudaFuncSetAttribute((const void *)forward_whole<TX, TY, V>,
		cudaFuncAttributeMaxDynamicSharedMemorySize, (int)room);
	forward_whole<TX, TY, V><<<blocks, threads, room, cuda_stream>>>(
		g, (TY *)y.data, (TY *)c.data, (const TX *)x.data, weight, bias);
}

template <typename TX, typename TY, int V>
static int backward(const struct dwconv2d *p, struct array dx, int acc, float *part,
	struct array dy, struct array c, struct array x, const float *weight)
{
	grid g = {(int)p->batch, (int)p->height, (int)p->width, (int)p->dim};
	dim3 blocks(blocks_of(p, V), groups_of(p, V)), threads(LANES, SIDE);
	size_t room = K * K * WEIGHTS(V) * sizeof(float) + room_of<TX>(V) + room_of<TY>(V);

	cudaFuncSetAttribute((const void *)backward_whole<TX, TY, V>,
		cudaFuncAttributeMaxDynamicSharedMemorySize, (int)room);
	backward_whole<TX, TY, V><<<blocks, threads, room, cuda_stream>>>(g, (TX *)dx.data, acc,
		part, (const TY *)dy.data, (const TY *)c.data, (const TX *)x.data, weight);
	return SIDE / K * (int)blocks.x;
}

void dwconv2d_whole_forward(const struct dwconv2d *p, struct array y, struct array c,
	struct array x, const float *weight, const float *bias)
{
	if (together(x, y) == 2)
		forward<bf16, bf16, 2>(p, y, c, x, weight, bias);
	else if (x.half)
		forward<bf16, float, 1>(p, y, c, x, weight, bias);
	else if (y.half)
		forward<float, bf16, 1>(p, y, c, x, weight, bias);
	else
		forward<float, float, 1>(p, y, c, x, weight, bias);
}

int dwconv2d_whole_backward(const struct dwconv2d *p, struct array dx, int acc, float *part,
	struct array dy, struct array c, struct array x, const float *weight)
{
	if (together(x, dy) == 2)
		return backward<bf16, bf16, 2>(p, dx, acc, part, dy, c, x, weight);
	if (x.half)
		return backward<bf16, float, 1>(p, dx, acc, part, dy, c, x, weight);
	if (dy.half)
		return backward<float, bf16, 1>(p, dx, acc, part, dy, c, x, weight);
	return backward<float, float, 1>(p, dx, acc, part, dy, c, x, weight);
}
