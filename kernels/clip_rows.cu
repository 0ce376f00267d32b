#include "kernels/clip_rows_cuda.h"
#include "kernels/cuda.cuh"

#define THREADS 256

static __global__ void clip_kernel(
	struct clip_rows p, struct array y, struct array x, struct array rows, struct array times)
{
	int64_t L = p.before + p.frames * p.n;

	GRID_STRIDE(i, p.batch * L * p.dim)
	{
		int64_t c = i % p.dim, token = i / p.dim % L, at = token - p.before;
		int64_t row = at < 0 ? token : p.before + at % p.n;
		float v = value(x, i) + value(rows, row * p.dim + c);

		if (at >= 0)
			v += value(times, at / p.n * p.dim + c);
		set_value(y, i, v, 0);
	}
}

void clip_rows_cuda(const struct clip_rows *p, struct array y, struct array x, struct array rows,
	struct array times)
{
	int64_t n = p->batch * (p->before + p->frames * p->n) * p->dim;

	clip_kernel<<<grid_for(n, THREADS), THREADS, 0, cuda_stream>>>(*p, y, x, rows, times);
}

/* One thread a value of the table. */
static __global__ void clip_rows_back(struct clip_rows p, float *drows, struct array dy)
{
	int64_t L = p.before + p.frames * p.n;

	GRID_STRIDE(i, (p.before + p.n) * p.dim)
	{
		int64_t frames = i / p.dim < p.before ? 1 : p.frames;
		float sum = 0;

		for (int64_t b = 0; b < p.batch; b++)
			for (int64_t t = 0; t < frames; t++)
				sum += value(dy, (b * L + t * p.n) * p.dim + i);
		drows[i] += sum;
	}
}

void clip_rows_cuda_rows(const struct clip_rows *p, float *drows, struct array dy)
{
	int64_t n = (p->before + p->n) * p->dim;

	clip_rows_back<<<grid_for(n, 64), 64, 0, cuda_stream>>>(*p, drows, dy);
}

#define LANES 32
#define PARTS 8

/* Grid: 32 channels, frame. Thread row k of a block takes every eighth of the samples' places. */
static __global__ void clip_times_back(struct clip_rows p, float *dtimes, struct array dy)
{
	__shared__ float sums[PARTS][LANES];
	int64_t c = blockIdx.x * LANES + threadIdx.x, L = p.before + p.frames * p.n;
	float sum = 0;

	for (int64_t i = threadIdx.y; i < p.batch * p.n && c < p.dim; i += PARTS) {
		int64_t token = p.before + blockIdx.y * p.n + i % p.n;

		sum += value(dy, (i / p.n * L + token) * p.dim + c);
	}
	sums[threadIdx.y][threadIdx.x] = sum;
	__syncthreads();
	if (threadIdx.y || c >= p.dim)
		return;
	for (int k = 1; k < PARTS; k++)
		sum += sums[k][threadIdx.x];
	dtimes[blockIdx.y * p.dim + c] += sum;
}

void clip_rows_cuda_times(const struct clip_rows *p, float *dtimes, struct array dy)
{
	dim3 grid((unsigned)((p->dim + LANES - 1) / LANES), (unsigned)p->frames);

	clip_times_back<<<grid, dim3(LANES, PARTS), 0, cuda_stream>>>(*p, dtimes, dy);
}
