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
		float v = t == p.from
				  ? value(token, c)
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

		set_value(dx, i,
			value(dy, (b * (p.len + 1) + t + (t >= p.from)) * p.dim + c), acc);
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

	sum_samples<<<grid_for(size, 64), 64, 0, cuda_stream>>>(
		drows, dy, size, p->batch, size, 0);
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
static __global__ void permute_kernel(
	struct tokens p, struct array y, struct array x, const int32_t *order, int backward, int acc)
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

void mean_tokens_cuda(const struct tokens *p, struct array y, struct array x)
{
	mean_kernel<<<grid_for(p->batch * p->dim, 64), 64, 0, cuda_stream>>>(*p, y, x);
}

static __global__ void mean_back(struct tokens p, struct array dx, int acc, struct array dy)
{
	GRID_STRIDE(i, p.batch * p.len * p.dim)
		set_value(dx, i,
			value(dy, i / (p.len * p.dim) * p.dim + i % p.dim) / p.len, acc);
}

void mean_tokens_cuda_backward(const struct tokens *p, struct array dx, int acc, struct array dy)
{
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
