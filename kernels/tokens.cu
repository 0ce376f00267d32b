#include "kernels/cuda.cuh"
#include "kernels/tokens_cuda.h"

#define THREADS 256
#define LAUNCH(n) <<<grid_for(n, THREADS), THREADS, 0, cuda_stream>>>

static __global__ void insert_kernel(
	struct tokens p, struct array y, struct array x, struct array token)
{
	int64_t rows = p.len + 1;

	GRID_STRIDE(i, p.batch * rows * p.dim) {
		int64_t c = i % p.dim, t = i / p.dim % rows, b = i / (p.dim * rows);
		float v = t == p.from ? value(token, c)
				      : value(x, (b * p.len + t - (t > p.from)) * p.dim + c);

		set_value(y, i, v, 0);
	}
}

void insert_token_cuda(const struct tokens *p, struct array y, struct array x, struct array token)
{
	insert_kernel LAUNCH(p->batch * (p->len + 1) * p->dim)(*p, y, x, token);
}

static __global__ void insert_back(struct tokens p, struct array dx, int acc, struct array dy)
{
	GRID_STRIDE(i, p.batch * p.len * p.dim) {
		int64_t c = i % p.dim, t = i / p.dim % p.len, b = i / (p.dim * p.len);

		set_value(dx, i, value(dy, (b * (p.len + 1) + t + (t >= p.from)) * p.dim + c), acc);
	}
}

void insert_token_cuda_x(const struct tokens *p, struct array dx, int acc, struct array dy)
{
	insert_back LAUNCH(p->batch * p->len * p->dim)(*p, dx, acc, dy);
}

/* y[i] += sum over samples of x[b stride + offset + i], in order: one thread a value */
static __global__ void sum_samples(
	float *y, struct array x, int64_t n, int64_t batch, int64_t stride, int64_t offset)
{
	GRID_STRIDE(i, n) {
		float sum = 0;

		for (int64_t b = 0; b < batch; b++)
			sum += value(x, b * stride + offset + i);
		y[i] += sum;
	}
}

void insert_token_cuda_token(const struct tokens *p, float *dtoken, struct array dy)
{
	sum_samples<<<grid_for(p->dim, 32), 32, 0, cuda_stream>>>(
		dtoken, dy, p->dim, p->batch, (p->len + 1) * p->dim, p->from * p->dim);
}

static __global__ void rows_kernel(
	struct tokens p, struct array y, struct array x, struct array rows)
{
	int64_t size = p.len * p.dim;

	GRID_STRIDE(i, p.batch * size)
	set_value(y, i, value(x, i) + value(rows, i % size), 0);
}

void add_rows_cuda(const struct tokens *p, struct array y, struct array x, struct array rows)
{
	rows_kernel LAUNCH(p->batch * p->len * p->dim)(*p, y, x, rows);
}

void add_rows_cuda_rows(const struct tokens *p, float *drows, struct array dy)
{
	int64_t size = p->len * p->dim;

	sum_samples<<<grid_for(size, 64), 64, 0, cuda_stream>>>(drows, dy, size, p->batch, size, 0);
}

static __global__ void slice_kernel(struct tokens p, struct array y, struct array x)
{
	GRID_STRIDE(i, p.batch * p.n * p.dim) {
		int64_t row = p.n * p.dim, b = i / row;

		set_value(y, i, value(x, (b * p.len + p.from) * p.dim + i % row), 0);
	}
}

void slice_tokens_cuda(const struct tokens *p, struct array y, struct array x)
{
	slice_kernel LAUNCH(p->batch * p->n * p->dim)(*p, y, x);
}

static __global__ void slice_back(struct tokens p, struct array dx, int acc, struct array dy)
{
	GRID_STRIDE(i, p.batch * p.len * p.dim) {
		int64_t t = i / p.dim % p.len - p.from, b = i / (p.dim * p.len);
		int inside = t >= 0 && t < p.n;

		if (inside)
			set_value(dx, i, value(dy, (b * p.n + t) * p.dim + i % p.dim), acc);
		else if (!acc)
			set_value(dx, i, 0, 0);
	}
}

void slice_tokens_cuda_backward(const struct tokens *p, struct array dx, int acc, struct array dy)
{
	slice_back LAUNCH(p->batch * p->len * p->dim)(*p, dx, acc, dy);
}

/* forward y[i] = x[order[i]]; backward x[order[i]] = or += y[i] */
static __global__ void permute_kernel(struct tokens p, struct array y, struct array x,
	const int32_t *order, int backward, int acc)
{
	GRID_STRIDE(i, p.batch * p.len * p.dim) {
		int64_t t = i / p.dim % p.len, b = i / (p.dim * p.len);
		int64_t at = (b * p.len + order[t]) * p.dim + i % p.dim;

		if (backward)
			set_value(x, at, value(y, i), acc);
		else
			set_value(y, i, value(x, at), 0);
	}
}

void permute_tokens_cuda(const struct tokens *p, struct array y, struct array x,
	const int32_t *order, int backward, int acc)
{
	permute_kernel LAUNCH(p->batch * p->len * p->dim)(*p, y, x, order, backward, acc);
}

static __global__ void mean_kernel(struct tokens p, struct array y, struct array x)
{
	GRID_STRIDE(i, p.batch * p.dim) {
		int64_t at = i / p.dim * p.len * p.dim + i % p.dim;
		float sum = 0;

		for (int64_t t = 0; t < p.len; t++)
			sum += value(x, at + t * p.dim);
		set_value(y, i, sum / p.len, 0);
	}
}

#define MEAN_LANES 32 /* of a block: four channels each */
#define MEAN_ROWS 8

/* Grid: 128 channels, sample. Rows of the block take every eighth token. */
static __global__ void mean_fours(struct tokens p, struct array y, struct array x)
{
	__shared__ float4 sums[MEAN_ROWS][MEAN_LANES];
	int c = 4 * (blockIdx.x * MEAN_LANES + threadIdx.x), dim = (int)p.dim;
	int64_t at = blockIdx.y * p.len * p.dim + c;
	float4 sum = make_float4(0, 0, 0, 0);

	for (int t = threadIdx.y; t < p.len && c < dim; t += MEAN_ROWS)
		sum = axpy4(1, value4(x, at + t * dim), sum);
	sums[threadIdx.y][threadIdx.x] = sum;
	__syncthreads();
	if (threadIdx.y || c >= dim)
		return;
	for (int i = 1; i < MEAN_ROWS; i++)
		sum = axpy4(1, sums[i][threadIdx.x], sum);
	set_value4(y, blockIdx.y * p.dim + c, axpy4(1.f / p.len, sum, make_float4(0, 0, 0, 0)), 0);
}

static int mean_takes(const struct tokens *p)
{
	return p->dim % 4 == 0 && p->batch <= 65535 && p->len * p->dim < 1 << 30;
}

void mean_tokens_cuda(const struct tokens *p, struct array y, struct array x)
{
	dim3 grid((unsigned)((p->dim / 4 + MEAN_LANES - 1) / MEAN_LANES), (unsigned)p->batch);

	if (mean_takes(p)) {
		mean_fours<<<grid, dim3(MEAN_LANES, MEAN_ROWS), 0, cuda_stream>>>(*p, y, x);
		return;
	}
	mean_kernel<<<grid_for(p->batch * p->dim, 64), 64, 0, cuda_stream>>>(*p, y, x);
}

static __global__ void mean_back(struct tokens p, struct array dx, int acc, struct array dy)
{
	GRID_STRIDE(i, p.batch * p.len * p.dim)
	set_value(dx, i, value(dy, i / (p.len * p.dim) * p.dim + i % p.dim) / p.len, acc);
}

/* Grid: part of a sample, sample. */
static __global__ void mean_back_fours(struct tokens p, struct array dx, int acc, struct array dy)
{
	int fours = (int)p.dim / 4, n = (int)p.len * fours;
	int64_t from = (int64_t)blockIdx.y * n;

	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
		float4 v = value4(dy, blockIdx.y * p.dim + i % fours * 4);

		set_value4(dx, 4 * (from + i), axpy4(1.f / p.len, v, make_float4(0, 0, 0, 0)), acc);
	}
}

void mean_tokens_cuda_backward(const struct tokens *p, struct array dx, int acc, struct array dy)
{
	if (mean_takes(p)) {
		mean_back_fours<<<dim3(8, (unsigned)p->batch), 256, 0, cuda_stream>>>(
			*p, dx, acc, dy);
		return;
	}
	mean_back LAUNCH(p->batch * p->len * p->dim)(*p, dx, acc, dy);
}

static __global__ void pool_kernel(struct tokens p, struct array y, struct array x)
{
	int64_t f = p.block, w = p.width / f, n = p.height / f * w;

	GRID_STRIDE(i, p.batch * n * p.dim) {
		int64_t c = i % p.dim, t = i / p.dim % n, b = i / (p.dim * n);
		float sum = 0;

		for (int64_t k = 0; k < f * f; k++) {
			int64_t at = (t / w * f + k / f) * p.width + t % w * f + k % f;

			sum += value(x, (b * p.len + at) * p.dim + c);
		}
		set_value(y, i, sum / (f * f), 0);
	}
}

void pool_tokens_cuda(const struct tokens *p, struct array y, struct array x)
{
	pool_kernel LAUNCH(p->batch * p->len * p->dim / (p->block * p->block))(*p, y, x);
}

static __global__ void pool_back(struct tokens p, struct array dx, int acc, struct array dy)
{
	int64_t f = p.block, w = p.width / f, n = p.height / f * w;

	GRID_STRIDE(i, p.batch * p.len * p.dim) {
		int64_t c = i % p.dim, t = i / p.dim % p.len, b = i / (p.dim * p.len);
		int64_t to = t / p.width / f * w + t % p.width / f;

		set_value(dx, i, value(dy, (b * n + to) * p.dim + c) / (f * f), acc);
	}
}

void pool_tokens_cuda_backward(const struct tokens *p, struct array dx, int acc, struct array dy)
{
	pool_back LAUNCH(p->batch * p->len * p->dim)(*p, dx, acc, dy);
}
