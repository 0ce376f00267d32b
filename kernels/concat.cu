#include "kernels/concat_cuda.h"
#include "kernels/cuda.cuh"

#define THREADS 256
#define LAUNCH(n) <<<grid_for(n, THREADS), THREADS, 0, cuda_stream>>>

/* part (b, n) and the n values from `from` on of each row of whole (b, all) */
static __global__ void concat_kernel(struct array part, struct array whole, int64_t batch,
	int64_t n, int64_t from, int64_t all, float scale, int backward, int acc)
{
	GRID_STRIDE(i, batch * n)
	{
		int64_t at = i / n * all + from + i % n;

		if (backward)
			set_value(part, i, scale * value(whole, at), acc);
		else
			set_value(whole, at, scale * value(part, i), 0);
	}
}

void concat_tokens_cuda(
	const struct concat *p, struct array y, struct array x, int64_t from, int64_t len)
{
	concat_kernel LAUNCH(p->batch * len * p->dim)(
		x, y, p->batch, len * p->dim, from * p->dim, p->all * p->dim, p->scale, 0, 0);
}

void concat_tokens_cuda_backward(const struct concat *p, struct array dx, int acc, struct array dy,
	int64_t from, int64_t len)
{
	concat_kernel LAUNCH(p->batch * len * p->dim)(
		dx, dy, p->batch, len * p->dim, from * p->dim, p->all * p->dim, p->scale, 1, acc);
}
