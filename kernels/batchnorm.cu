/*
 * Batch norm. A thread walks rows of V neighbouring channels; a block's threads are laid out as
 * (channels / V, rows). The statistics of a stretch of rows, a part, are its mean and its sum of
 * squares about it, from sums about each thread's first value; parts are merged in order, the last
 * step in double.
 */
#include "kernels/batchnorm_cuda.h"
#include "kernels/pack.cuh"

#define THREADS 256
#define PARTS 1024 /* at most */
#define DEEP 16	   /* rows at least that a thread of a part walks */

struct layout {
	int64_t rows, each; /* rows in all, rows of a part */
	int dim, parts;
};

static __device__ __forceinline__ int64_t part_rows(const layout &l, int k)
{
	int64_t from = k * l.each, to = from + l.each < l.rows ? from + l.each : l.rows;

	return to > from ? to - from : 0;
}

/* mean and square (about the mean) of n values, merged with those of m others */
static __device__ __forceinline__ void merge(
	float &n, float &mean, float &square, float m, float other, float other_square)
{
	float all = n + m, d = other - mean;

	if (m <= 0)
		return;
	mean += d * (m / all);
	square += other_square + d * d * (n * (m / all));
	n = all;
}

/* part (parts, 2, dim): means, squares */
template <typename T, int V>
static __global__ void __launch_bounds__(THREADS)
	statistics(float *__restrict__ part, const T *__restrict__ x, layout l)
{
	__shared__ float means[V][THREADS], squares[V][THREADS];
	int id = threadIdx.y * blockDim.x + threadIdx.x;
	int c = (blockIdx.x * blockDim.x + threadIdx.x) * V;
	int64_t from = blockIdx.y * l.each, to = from + part_rows(l, blockIdx.y);
	float first[V], sum[V] = {}, square[V] = {}, f[V], n = 0;

	if (c < l.dim && from + threadIdx.y < to) {
		load_pack<V>(first, x + (from + threadIdx.y) * l.dim + c);
#pragma unroll 4
		for (int64_t r = from + threadIdx.y; r < to; r += blockDim.y) {
			load_pack<V>(f, x + r * l.dim + c);
			n++;
#pragma unroll
			for (int v = 0; v < V; v++) {
				float d = f[v] - first[v];

				sum[v] += d;
				square[v] += d * d;
			}
		}
	}
#pragma unroll
	for (int v = 0; v < V; v++) {
		means[v][id] = n > 0 ? first[v] + sum[v] / n : 0;
		squares[v][id] = n > 0 ? fmaxf(square[v] - sum[v] * (sum[v] / n), 0) : 0;
	}
	__syncthreads();
	for (int k = id; k < V * blockDim.x; k += THREADS) {
		int v = k % V, t = k / V, at = (blockIdx.x * blockDim.x + t) * V + v;
		float all = 0, mean = 0, sum2 = 0;

		for (int r = 0; r < blockDim.y && from + r < to; r++) {
			int64_t rows = (to - from - r + blockDim.y - 1) / blockDim.y;

			merge(all, mean, sum2, (float)rows, means[v][r * blockDim.x + t],
				squares[v][r * blockDim.x + t]);
		}
		if (at < l.dim) {
			part[2 * (int64_t)blockIdx.y * l.dim + at] = mean;
			part[(2 * (int64_t)blockIdx.y + 1) * l.dim + at] = sum2;
		}
	}
}

static __device__ __forceinline__ double warp_sum_double(double x)
{
	for (int d = 16; d; d >>= 1)
		x += __shfl_xor_sync(0xffffffffu, x, d);
	return x;
}

/* A warp a channel. */
static __global__ void merge_statistics(float *__restrict__ kept, float *__restrict__ stat_mean,
	float *__restrict__ stat_var, const float *__restrict__ part, layout l, float eps)
{
	int c = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
	double mean = 0, square = 0;

	if (c >= l.dim)
		return;
	for (int k = lane; k < l.parts; k += 32)
		mean += (double)part_rows(l, k) * part[2 * (int64_t)k * l.dim + c];
	mean = warp_sum_double(mean) / l.rows;
	for (int k = lane; k < l.parts; k += 32) {
		double d = part[2 * (int64_t)k * l.dim + c] - mean;

		square += part[(2 * (int64_t)k + 1) * l.dim + c] + part_rows(l, k) * d * d;
	}
	square = warp_sum_double(square);
	if (lane)
		return;
	kept[c] = (float)mean;
	kept[l.dim + c] = (float)(1 / sqrt(square / l.rows + eps));
	if (stat_mean)
		stat_mean[c] += (float)mean;
	if (stat_var)
		stat_var[c] += (float)(square / (l.rows - 1));
}

/* (2, dim): mean and inv of the running statistics */
static __global__ void given_statistics(float *__restrict__ to, const float *__restrict__ mean,
	const float *__restrict__ var, int dim, float eps)
{
	GRID_STRIDE(c, dim)
	{
		to[c] = mean[c];
		to[dim + c] = (float)(1 / sqrt((double)var[c] + eps));
	}
}

/* What a thread knows of its channels. */
template <int V> struct channels {
	float mean[V], inv[V], scale[V], bias[V];

	__device__ channels(const float *kept, const float *weight, const float *b, int c, int dim)
	{
#pragma unroll
		for (int v = 0; v < V; v++) {
			mean[v] = kept[c + v];
			inv[v] = kept[dim + c + v];
			scale[v] = weight[c + v] * inv[v];
			bias[v] = b[c + v];
		}
	}

	__device__ float out(int v, float x) const
	{
		return (x - mean[v]) * scale[v] + bias[v];
	}
};

template <typename TY, typename TX, int V>
static __global__ void __launch_bounds__(THREADS) apply(TY *__restrict__ y,
	const TX *__restrict__ x, const float *__restrict__ kept, const float *__restrict__ weight,
	const float *__restrict__ bias, layout l, int relu)
{
	int c = (blockIdx.x * blockDim.x + threadIdx.x) * V;
	int64_t from = blockIdx.y * l.each, to = from + part_rows(l, blockIdx.y);

	if (c >= l.dim)
		return;
	channels<V> ch(kept, weight, bias, c, l.dim);
#pragma unroll 4
	for (int64_t r = from + threadIdx.y; r < to; r += blockDim.y) {
		float f[V];

		load_pack<V>(f, x + r * l.dim + c);
#pragma unroll
		for (int v = 0; v < V; v++) {
			f[v] = ch.out(v, f[v]);
			f[v] = relu && f[v] < 0 ? 0 : f[v]; /* NaN stays */
		}
		store_pack<V>(y + r * l.dim + c, f);
	}
}

/* part (parts, 2, dim): sums of g and of g h */
template <typename TY, typename TX, int V>
static __global__ void __launch_bounds__(THREADS) gradient_sums(float *__restrict__ part,
	const TY *__restrict__ dy, const TX *__restrict__ x, const float *__restrict__ kept,
	const float *__restrict__ weight, const float *__restrict__ bias, layout l, int relu)
{
	__shared__ float sums[V][THREADS], products[V][THREADS];
	int id = threadIdx.y * blockDim.x + threadIdx.x;
	int c = (blockIdx.x * blockDim.x + threadIdx.x) * V;
	int64_t from = blockIdx.y * l.each, to = from + part_rows(l, blockIdx.y);
	float sum[V] = {}, product[V] = {};

	if (c < l.dim) {
		channels<V> ch(kept, weight, bias, c, l.dim);
#pragma unroll 2
		for (int64_t r = from + threadIdx.y; r < to; r += blockDim.y) {
			float f[V], d[V];

			load_pack<V>(f, x + r * l.dim + c);
			load_pack<V>(d, dy + r * l.dim + c);
#pragma unroll
			for (int v = 0; v < V; v++) {
				float g = !relu || ch.out(v, f[v]) > 0 ? d[v] : 0;

				sum[v] += g;
				product[v] += g * ((f[v] - ch.mean[v]) * ch.inv[v]);
			}
		}
	}
#pragma unroll
	for (int v = 0; v < V; v++) {
		sums[v][id] = sum[v];
		products[v][id] = product[v];
	}
	__syncthreads();
	for (int k = id; k < V * blockDim.x; k += THREADS) {
		int v = k % V, t = k / V, at = (blockIdx.x * blockDim.x + t) * V + v;
		float a = 0, b = 0;

		for (int r = 0; r < blockDim.y; r++) {
			a += sums[v][r * blockDim.x + t];
			b += products[v][r * blockDim.x + t];
		}
		if (at < l.dim) {
			part[2 * (int64_t)blockIdx.y * l.dim + at] = a;
			part[(2 * (int64_t)blockIdx.y + 1) * l.dim + at] = b;
		}
	}
}

/* A warp a channel; means (2, dim): of g and of g h over the rows. */
static __global__ void merge_sums(float *__restrict__ means, float *__restrict__ dweight,
	float *__restrict__ dbias, const float *__restrict__ part, layout l)
{
	int c = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
	double sum = 0, product = 0;

	if (c >= l.dim)
		return;
	for (int k = lane; k < l.parts; k += 32) {
		sum += part[2 * (int64_t)k * l.dim + c];
		product += part[(2 * (int64_t)k + 1) * l.dim + c];
	}
	sum = warp_sum_double(sum);
	product = warp_sum_double(product);
	if (lane)
		return;
	means[c] = (float)(sum / l.rows);
	means[l.dim + c] = (float)(product / l.rows);
	if (dbias)
		dbias[c] += (float)sum;
	if (dweight)
		dweight[c] += (float)product;
}

template <typename TY, typename TX, int V>
static __global__ void __launch_bounds__(THREADS) input_gradient(TX *__restrict__ dx, int acc,
	const TY *__restrict__ dy, const TX *__restrict__ x, const float *__restrict__ kept,
	const float *__restrict__ means, const float *__restrict__ weight,
	const float *__restrict__ bias, layout l, int relu)
{
	int c = (blockIdx.x * blockDim.x + threadIdx.x) * V;
	int64_t from = blockIdx.y * l.each, to = from + part_rows(l, blockIdx.y);
	float of_g[V], of_gh[V];

	if (c >= l.dim)
		return;
	channels<V> ch(kept, weight, bias, c, l.dim);
#pragma unroll
	for (int v = 0; v < V; v++) {
		of_g[v] = means[c + v];
		of_gh[v] = means[l.dim + c + v];
	}
#pragma unroll 2
	for (int64_t r = from + threadIdx.y; r < to; r += blockDim.y) {
		float f[V], d[V];

		load_pack<V>(f, x + r * l.dim + c);
		load_pack<V>(d, dy + r * l.dim + c);
#pragma unroll
		for (int v = 0; v < V; v++) {
			float g = !relu || ch.out(v, f[v]) > 0 ? d[v] : 0;
			float h = (f[v] - ch.mean[v]) * ch.inv[v];

			f[v] = ch.scale[v] * (g - of_g[v] - h * of_gh[v]);
		}
		put_pack<V>(dx + r * l.dim + c, f, acc);
	}
}

/* --- launches --- */

struct shape {
	dim3 grid, block;
	layout l;
};

static shape shape_of(const struct batchnorm *p, int V)
{
	int64_t threads = (p->dim + V - 1) / V, x = 1;
	shape s;

	while (x < threads && x < 32)
		x *= 2;
	s.block = dim3((unsigned)x, (unsigned)(THREADS / x));
	s.l.rows = p->rows;
	s.l.dim = (int)p->dim;
	s.l.each = (p->rows + PARTS - 1) / PARTS;
	if (s.l.each < DEEP * (int64_t)s.block.y)
		s.l.each = DEEP * (int64_t)s.block.y;
	s.l.parts = (int)((p->rows + s.l.each - 1) / s.l.each);
	s.grid = dim3((unsigned)((threads + x - 1) / x), (unsigned)s.l.parts);
	return s;
}

/* Channels that a thread takes together. */
static int together(const struct batchnorm *p, struct array a, struct array b)
{
	return a.half && b.half && p->dim % 8 == 0 ? 8 : p->dim % 4 == 0 ? 4 : 1;
}

/* CALL(TY, TX, V) */
#define BY_PACK(y, x, V, CALL)                                                                     \
	do {                                                                                       \
		if ((V) == 8)                                                                      \
			CALL(bf16, bf16, 8);                                                       \
		else if ((y).half && (x).half && (V) == 4)                                         \
			CALL(bf16, bf16, 4);                                                       \
		else if ((y).half && (x).half)                                                     \
			CALL(bf16, bf16, 1);                                                       \
		else if ((y).half && (V) == 4)                                                     \
			CALL(bf16, float, 4);                                                      \
		else if ((y).half)                                                                 \
			CALL(bf16, float, 1);                                                      \
		else if ((x).half && (V) == 4)                                                     \
			CALL(float, bf16, 4);                                                      \
		else if ((x).half)                                                                 \
			CALL(float, bf16, 1);                                                      \
		else if ((V) == 4)                                                                 \
			CALL(float, float, 4);                                                     \
		else                                                                               \
			CALL(float, float, 1);                                                     \
	} while (0)

static unsigned warp_blocks(const struct batchnorm *p)
{
	return (unsigned)((p->dim * 32 + THREADS - 1) / THREADS);
}

static void apply_cuda(const struct batchnorm *p, struct array y, struct array x, const float *kept,
	const float *weight, const float *bias)
{
	int V = together(p, y, x);
	shape s = shape_of(p, V);

#define CALL(TY, TX, V)                                                                            \
	apply<TY, TX, V><<<s.grid, s.block, 0, cuda_stream>>>(                                     \
		(TY *)y.data, (const TX *)x.data, kept, weight, bias, s.l, p->relu)
	BY_PACK(y, x, V, CALL);
#undef CALL
}

void batchnorm_running_cuda(const struct batchnorm *p, struct array y, struct array x,
	const float *weight, const float *bias, const float *mean, const float *var, float *work)
{
	given_statistics<<<grid_for(p->dim, THREADS), THREADS, 0, cuda_stream>>>(
		work, mean, var, (int)p->dim, p->eps);
	apply_cuda(p, y, x, work, weight, bias);
}

void batchnorm_forward_cuda(const struct batchnorm *p, struct array y, float *kept,
	float *stat_mean, float *stat_var, struct array x, const float *weight, const float *bias,
	float *work)
{
	int V = together(p, x, x);
	shape s = shape_of(p, V);

#define CALL(TY, TX, V)                                                                            \
	statistics<TX, V><<<s.grid, s.block, 0, cuda_stream>>>(work, (const TX *)x.data, s.l)
	BY_PACK(x, x, V, CALL);
#undef CALL
	merge_statistics<<<warp_blocks(p), THREADS, 0, cuda_stream>>>(
		kept, stat_mean, stat_var, work, s.l, p->eps);
	apply_cuda(p, y, x, kept, weight, bias);
}

void batchnorm_backward_cuda(const struct batchnorm *p, struct array dx, int acc, float *dweight,
	float *dbias, struct array dy, const float *kept, struct array x, const float *weight,
	const float *bias, float *work)
{
	int V = together(p, dy, x);
	shape s = shape_of(p, V);
	float *part = work + 2 * p->dim;

#define CALL(TY, TX, V)                                                                            \
	gradient_sums<TY, TX, V><<<s.grid, s.block, 0, cuda_stream>>>(                             \
		part, (const TY *)dy.data, (const TX *)x.data, kept, weight, bias, s.l, p->relu)
	BY_PACK(dy, x, V, CALL);
#undef CALL
	merge_sums<<<warp_blocks(p), THREADS, 0, cuda_stream>>>(work, dweight, dbias, part, s.l);
	if (!dx.data)
		return;
#define CALL(TY, TX, V)                                                                            \
	input_gradient<TY, TX, V><<<s.grid, s.block, 0, cuda_stream>>>((TX *)dx.data, acc,         \
		(const TY *)dy.data, (const TX *)x.data, kept, work, weight, bias, s.l, p->relu)
	BY_PACK(dy, x, V, CALL);
#undef CALL
}

int64_t batchnorm_work_cuda(const struct batchnorm *p, int backward)
{
	int64_t parts = 0;

	for (int V = 1; V <= 8; V *= 2) {
		int64_t n = shape_of(p, V).l.parts;

		parts = n > parts ? n : parts;
	}
	(void)backward;
	return 2 * p->dim * (parts + 1);
}
