/*
 * Rows of up to 1024 values in fours take a warp, which keeps its row in registers; others a block,
 * which reads it again.
 */
#include "kernels/norm_cuda.h"
#include "kernels/pack.cuh"

#define FORWARD_WARPS 4
#define BACKWARD_WARPS 8
#define PARTS 512      /* at most; stretches of rows of the weights' gradients */
#define PART_ROWS 16   /* at least, each */
#define COLUMNS 32     /* of a block of column sums */
#define COLUMN_ROWS 8  /* rows it walks at a time */
#define ADDING_ROWS 32 /* the same, for the parts */

/* Four values of a weight, or those of an absent one. */
static __device__ __forceinline__ void load_weight(float (&f)[4], struct array w, int i, float none)
{
	if (!w.data) {
		f[0] = f[1] = f[2] = f[3] = none;
		return;
	}
	if (w.half)
		load_pack<4>(f, (const bf16 *)w.data + i);
	else
		load_pack<4>(f, (const float *)w.data + i);
}

static __device__ __forceinline__ float weight_at(struct array w, int64_t i, float none)
{
	return w.data ? value(w, i) : none;
}

static __device__ __forceinline__ float rstd_of(const struct norm &p, float squares)
{
	return 1 / sqrtf(squares / (float)p.dim + p.eps);
}

/* N fours a lane: lane l has columns 4 (l + 32 k). */
template <int N, typename T>
static __device__ __forceinline__ void load_row(float (&f)[N][4], const T *row, int dim)
{
#pragma unroll
	for (int k = 0; k < N; k++) {
		int i = 4 * ((threadIdx.x & 31) + 32 * k);

		f[k][0] = f[k][1] = f[k][2] = f[k][3] = 0;
		if (i < dim)
			load_pack<4>(f[k], row + i);
	}
}

template <int N, typename T, typename U>
static __global__ void __launch_bounds__(32 * FORWARD_WARPS) norm_warps(
	struct norm p, U *y, float *stat, const T *x, struct array weight, struct array bias)
{
	int64_t row = (int64_t)blockIdx.x * FORWARD_WARPS + (threadIdx.x >> 5);
	int lane = threadIdx.x & 31, dim = (int)p.dim;
	float f[N][4], mean = 0, squares = 0, rstd;

	if (row >= p.rows)
		return;
	load_row<N>(f, x + row * dim, dim);
	if (p.centred) {
#pragma unroll
		for (int k = 0; k < N; k++)
			mean += f[k][0] + f[k][1] + f[k][2] + f[k][3];
		mean = warp_sum(mean) / (float)dim;
	}
#pragma unroll
	for (int k = 0; k < N; k++)
#pragma unroll
		for (int v = 0; v < 4; v++) {
			float d = 4 * (lane + 32 * k) < dim ? f[k][v] - mean : 0;

			squares += d * d;
		}
	rstd = rstd_of(p, warp_sum(squares));
	if (!lane) {
		stat[2 * row] = mean;
		stat[2 * row + 1] = rstd;
	}
#pragma unroll
	for (int k = 0; k < N; k++) {
		int i = 4 * (lane + 32 * k);
		float w[4], b[4];

		if (i >= dim)
			continue;
		load_weight(w, weight, i, 1);
		load_weight(b, bias, i, 0);
#pragma unroll
		for (int v = 0; v < 4; v++)
			f[k][v] = (f[k][v] - mean) * rstd * w[v] + b[v];
		store_pack<4>(y + row * dim + i, f[k]);
	}
}

template <typename T, typename U>
static __global__ void norm_blocks(
	struct norm p, U *y, float *stat, const T *x, struct array weight, struct array bias)
{
	int64_t row = blockIdx.x, from = row * p.dim;
	float mean = 0, squares = 0, rstd;

	if (p.centred) {
		for (int64_t i = threadIdx.x; i < p.dim; i += blockDim.x)
			mean += load(x, from + i);
		mean = block_sum(mean) / (float)p.dim;
	}
	for (int64_t i = threadIdx.x; i < p.dim; i += blockDim.x) {
		float d = load(x, from + i) - mean;

		squares += d * d;
	}
	rstd = rstd_of(p, block_sum(squares));
	if (!threadIdx.x) {
		stat[2 * row] = mean;
		stat[2 * row + 1] = rstd;
	}
	for (int64_t i = threadIdx.x; i < p.dim; i += blockDim.x)
		store(y, from + i,
			(load(x, from + i) - mean) * rstd * weight_at(weight, i, 1) +
				weight_at(bias, i, 0));
}

/*
 * A stretch of rows: dx, and the stretch's sums for the weight and bias, in the order of the rows a
 * warp walks, then of the warps. part (gridDim.x, 2, dim), or NULL.
 */
template <int N, typename T, typename U>
static __global__ void __launch_bounds__(32 * BACKWARD_WARPS) back_warps(struct norm p, T *dx,
	int acc, float *part, const U *dy, const float *stat, const T *x, struct array weight)
{
	__shared__ __align__(16) float sums[2][128 * N];
	int64_t each = (p.rows + gridDim.x - 1) / gridDim.x, from = blockIdx.x * each;
	int64_t to = from + each < p.rows ? from + each : p.rows;
	int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, dim = (int)p.dim;
	float dw[N][4] = {}, db[N][4] = {};

	for (int64_t row = from + warp; row < to; row += BACKWARD_WARPS) {
		float mean = stat[2 * row], rstd = stat[2 * row + 1], h[N][4], g[N][4];
		float g_sum = 0, gh_sum = 0;

		load_row<N>(h, x + row * dim, dim);
		load_row<N>(g, dy + row * dim, dim);
#pragma unroll
		for (int k = 0; k < N; k++) {
			int i = 4 * (lane + 32 * k);
			float w[4] = {};

			if (i < dim)
				load_weight(w, weight, i, 1);
#pragma unroll
			for (int v = 0; v < 4; v++) {
				h[k][v] = (h[k][v] - mean) * rstd;
				dw[k][v] += g[k][v] * h[k][v];
				db[k][v] += g[k][v];
				g[k][v] *= w[v];
				g_sum += g[k][v];
				gh_sum += g[k][v] * h[k][v];
			}
		}
		if (!dx)
			continue;
		g_sum = p.centred ? warp_sum(g_sum) / (float)dim : 0;
		gh_sum = warp_sum(gh_sum) / (float)dim;
#pragma unroll
		for (int k = 0; k < N; k++) {
			int i = 4 * (lane + 32 * k);

			if (i >= dim)
				continue;
#pragma unroll
			for (int v = 0; v < 4; v++)
				g[k][v] = rstd * (g[k][v] - h[k][v] * gh_sum - g_sum);
			put_pack<4>(dx + row * dim + i, g[k], acc);
		}
	}
	if (!part)
		return;
	for (int turn = 0; turn < BACKWARD_WARPS; turn++) {
#pragma unroll
		for (int k = 0; k < N && warp == turn; k++) {
			int i = 4 * (lane + 32 * k);

			if (i >= dim)
				continue;
			put_pack<4>(sums[0] + i, dw[k], turn > 0);
			put_pack<4>(sums[1] + i, db[k], turn > 0);
		}
		__syncthreads();
	}
	part += (int64_t)blockIdx.x * 2 * dim;
	for (int i = threadIdx.x; i < dim; i += blockDim.x) {
		part[i] = sums[0][i];
		part[dim + i] = sums[1][i];
	}
}

template <typename T, typename U>
static __global__ void back_blocks(struct norm p, T *dx, int acc, const U *dy, const float *stat,
	const T *x, struct array weight)
{
	int64_t row = blockIdx.x, from = row * p.dim;
	float mean = stat[2 * row], rstd = stat[2 * row + 1], g_sum = 0, gh_sum = 0;

	for (int64_t i = threadIdx.x; i < p.dim; i += blockDim.x) {
		float g = load(dy, from + i) * weight_at(weight, i, 1);

		g_sum += g;
		gh_sum += g * (load(x, from + i) - mean) * rstd;
	}
	g_sum = p.centred ? block_sum(g_sum) / (float)p.dim : 0;
	gh_sum = block_sum(gh_sum) / (float)p.dim;
	for (int64_t i = threadIdx.x; i < p.dim; i += blockDim.x) {
		float g = load(dy, from + i) * weight_at(weight, i, 1);
		float h = (load(x, from + i) - mean) * rstd;

		put(dx, from + i, rstd * (g - h * gh_sum - g_sum), acc);
	}
}

/* part (gridDim.y, 2, dim): sums over a stretch of rows of dy h and of dy. */
template <typename T, typename U>
static __global__ void column_parts(
	struct norm p, float *part, const U *dy, const float *stat, const T *x)
{
	__shared__ float sums[2][COLUMN_ROWS][COLUMNS];
	int64_t c = (int64_t)blockIdx.x * COLUMNS + threadIdx.x;
	int64_t each = (p.rows + gridDim.y - 1) / gridDim.y, from = blockIdx.y * each;
	int64_t to = from + each < p.rows ? from + each : p.rows;
	float dw = 0, db = 0;

	for (int64_t row = from + threadIdx.y; row < to && c < p.dim; row += COLUMN_ROWS) {
		float g = load(dy, row * p.dim + c);

		dw += g * (load(x, row * p.dim + c) - stat[2 * row]) * stat[2 * row + 1];
		db += g;
	}
	sums[0][threadIdx.y][threadIdx.x] = dw;
	sums[1][threadIdx.y][threadIdx.x] = db;
	__syncthreads();
	if (threadIdx.y || c >= p.dim)
		return;
	for (int k = 1; k < COLUMN_ROWS; k++) {
		dw += sums[0][k][threadIdx.x];
		db += sums[1][k][threadIdx.x];
	}
	part[blockIdx.y * 2 * p.dim + c] = dw;
	part[(blockIdx.y * 2 + 1) * p.dim + c] = db;
}

/* dweight and dbias += the parts: block y 0 and 1; thread row r adds parts r, r + 32, ... */
static __global__ void add_parts(
	float *dweight, float *dbias, const float *part, int64_t dim, int parts)
{
	__shared__ float sums[ADDING_ROWS][COLUMNS];
	int64_t c = (int64_t)blockIdx.x * COLUMNS + threadIdx.x;
	float *d = blockIdx.y ? dbias : dweight, sum = 0;

	for (int k = threadIdx.y; k < parts && c < dim; k += ADDING_ROWS)
		sum += part[(2 * k + blockIdx.y) * dim + c];
	sums[threadIdx.y][threadIdx.x] = sum;
	__syncthreads();
	if (threadIdx.y || c >= dim || !d)
		return;
	for (int k = 1; k < ADDING_ROWS; k++)
		sum += sums[k][threadIdx.x];
	d[c] += sum;
}

/* --- launchers --- */

static int aligned(struct array a)
{
	return (uintptr_t)a.data % (a.half ? 8 : 16) == 0;
}

/* Rows of fours that a warp can hold. */
static int fits_warp(const struct norm *p)
{
	return p->dim % 4 == 0 && p->dim <= 1024;
}

static int block_threads(const struct norm *p)
{
	return p->dim <= 256 ? 32 : 256;
}

static int parts_of(const struct norm *p)
{
	int64_t n = (p->rows + PART_ROWS - 1) / PART_ROWS;

	return (int)(n < PARTS ? n : PARTS);
}

int64_t norm_cuda_work(const struct norm *p)
{
	return (int64_t)parts_of(p) * 2 * p->dim;
}

/* BODY with N fours a lane */
#define BY_WIDTH(dim, BODY)                                                                        \
	do {                                                                                       \
		if ((dim) <= 128)                                                                  \
			BODY(1);                                                                   \
		else if ((dim) <= 256)                                                             \
			BODY(2);                                                                   \
		else if ((dim) <= 384)                                                             \
			BODY(3);                                                                   \
		else if ((dim) <= 768)                                                             \
			BODY(6);                                                                   \
		else                                                                               \
			BODY(8);                                                                   \
	} while (0)

template <typename T, typename U>
static void forward(const struct norm *p, U *y, float *stat, const T *x, struct array weight,
	struct array bias, int warps)
{
	unsigned blocks = (unsigned)((p->rows + FORWARD_WARPS - 1) / FORWARD_WARPS);

#define BODY(N)                                                                                    \
	norm_warps<N, T, U>                                                                        \
		<<<blocks, 32 * FORWARD_WARPS, 0, cuda_stream>>>(*p, y, stat, x, weight, bias)
	if (warps)
		BY_WIDTH(p->dim, BODY);
	else
		norm_blocks<T, U><<<(unsigned)p->rows, block_threads(p), 0, cuda_stream>>>(
			*p, y, stat, x, weight, bias);
#undef BODY
}

void norm_cuda(const struct norm *p, struct array y, float *stat, struct array x,
	struct array weight, struct array bias)
{
	int warps = fits_warp(p) && aligned(y) && aligned(x) && aligned(weight) && aligned(bias);

#define CALL(T, U) forward(p, (U *)y.data, stat, (const T *)x.data, weight, bias, warps)
	BY_TYPES(x, y, CALL);
#undef CALL
}

template <typename T, typename U>
static void backward_warps(const struct norm *p, T *dx, int acc, float *part, const U *dy,
	const float *stat, const T *x, struct array weight)
{
#define BODY(N)                                                                                    \
	back_warps<N, T, U><<<parts_of(p), 32 * BACKWARD_WARPS, 0, cuda_stream>>>(                 \
		*p, dx, acc, part, dy, stat, x, weight)
	BY_WIDTH(p->dim, BODY);
#undef BODY
}

template <typename T, typename U>
static void backward_blocks(const struct norm *p, T *dx, int acc, float *part, const U *dy,
	const float *stat, const T *x, struct array weight)
{
	dim3 grid((unsigned)((p->dim + COLUMNS - 1) / COLUMNS), parts_of(p));

	if (dx)
		back_blocks<T, U><<<(unsigned)p->rows, block_threads(p), 0, cuda_stream>>>(
			*p, dx, acc, dy, stat, x, weight);
	if (part)
		column_parts<T, U><<<grid, dim3(COLUMNS, COLUMN_ROWS), 0, cuda_stream>>>(
			*p, part, dy, stat, x);
}

void norm_cuda_backward(const struct norm *p, struct array dx, int acc_x, float *dweight,
	float *dbias, struct array dy, const float *stat, struct array x, struct array weight,
	float *work)
{
	int warps = fits_warp(p) && aligned(dx) && aligned(dy) && aligned(x) && aligned(weight);
	float *part = dweight || dbias ? work : NULL;
	dim3 grid((unsigned)((p->dim + COLUMNS - 1) / COLUMNS), 2);

	if (!dx.data && !part)
		return;
#define CALL(T, U)                                                                                 \
	(warps ? backward_warps<T, U> : backward_blocks<T, U>)(p, (T *)dx.data, acc_x, part,       \
		(const U *)dy.data, stat, (const T *)x.data, weight)
	BY_TYPES(x, dy, CALL);
#undef CALL
	if (part)
		add_parts<<<grid, dim3(COLUMNS, ADDING_ROWS), 0, cuda_stream>>>(
			dweight, dbias, part, p->dim, parts_of(p));
}
