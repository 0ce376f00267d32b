#include "kernels/cuda.cuh"
#include "kernels/merge_patches_cuda.h"

#define THREADS 256
#define LAUNCH(n) <<<grid_for(n, THREADS), THREADS, 0, cuda_stream>>>

/* The token of x that fills part q of row n of y, or -1 where it lies outside. */
static __device__ __forceinline__ int64_t source(const merge_patches &p, int64_t n, int q)
{
	int64_t rows = (p.height + 1) / 2, columns = (p.width + 1) / 2;
	int64_t i = n / columns % rows * 2 + q % 2, j = n % columns * 2 + q / 2;

	return i < p.height && j < p.width ? (n / (rows * columns) * p.height + i) * p.width + j
					   : -1;
}

static __global__ void merge_kernel(
	struct merge_patches p, int64_t rows, struct array y, struct array x)
{
	GRID_STRIDE(n, rows * 4 * p.dim)
	{
		int64_t c = n % p.dim, part = n / p.dim, t = source(p, part / 4, (int)(part % 4));

		set_value(y, n, t < 0 ? 0 : value(x, t * p.dim + c), 0);
	}
}

static __global__ void merge_back(
	struct merge_patches p, int64_t rows, struct array dx, int acc, struct array dy)
{
	GRID_STRIDE(n, rows * 4 * p.dim)
	{
		int64_t c = n % p.dim, part = n / p.dim, t = source(p, part / 4, (int)(part % 4));

		if (t >= 0)
			set_value(dx, t * p.dim + c, value(dy, n), acc);
	}
}

static int64_t rows_of(const struct merge_patches *p)
{
	return p->batch * ((p->height + 1) / 2) * ((p->width + 1) / 2);
}

void merge_patches_cuda(const struct merge_patches *p, struct array y, struct array x)
{
	merge_kernel LAUNCH(rows_of(p) * 4 * p->dim)(*p, rows_of(p), y, x);
}

void merge_patches_cuda_backward(
	const struct merge_patches *p, struct array dx, int acc, struct array dy)
{
	merge_back LAUNCH(rows_of(p) * 4 * p->dim)(*p, rows_of(p), dx, acc, dy);
}
