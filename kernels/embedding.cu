#include "kernels/cuda.cuh"
#include "kernels/embedding_cuda.h"

#define THREADS 256
#define WARPS (THREADS / 32)

/* A block a row. */
static __global__ void embedding_rows(
	struct embedding p, struct array y, const int32_t *ids, struct array W)
{
	int64_t row = blockIdx.x * p.dim;
	int32_t id = ids[blockIdx.x];
	int known = id >= 0 && id < p.vocabulary;

	for (int64_t e = threadIdx.x; e < p.dim; e += THREADS)
		set_value(y, row + e, known ? value(W, id * p.dim + e) : 0, 0);
}

void embedding_cuda(const struct embedding *p, struct array y, const int32_t *ids, struct array W)
{
	embedding_rows<<<(unsigned)p->rows, THREADS, 0, cuda_stream>>>(*p, y, ids, W);
}

/*
 * A block a row: that of a token's first appearance adds all of them, in order; the others end at
 * once. Which of the next THREADS rows hold the token is a bit each.
 */
static __global__ void embedding_back(
	struct embedding p, float *dW, struct array dy, const int32_t *ids)
{
	__shared__ unsigned here[WARPS];
	int32_t id = ids[blockIdx.x];
	int earlier = 0;

	if (id < 0 || id >= p.vocabulary)
		return;
	for (int64_t i = threadIdx.x; i < blockIdx.x; i += THREADS)
		earlier |= ids[i] == id;
	if (__syncthreads_or(earlier))
		return;
	for (int64_t from = blockIdx.x; from < p.rows; from += THREADS) {
		int64_t i = from + threadIdx.x;
		unsigned votes = __ballot_sync(0xffffffffu, i < p.rows && ids[i] == id);

		__syncthreads();
		if (!(threadIdx.x & 31))
			here[threadIdx.x >> 5] = votes;
		__syncthreads();
		for (int64_t e = threadIdx.x; e < p.dim; e += THREADS) {
			float sum = dW[id * p.dim + e];

			for (int w = 0; w < WARPS; w++)
				for (unsigned bits = here[w]; bits; bits &= bits - 1)
					sum += value(
						dy, (from + w * 32 + __ffs(bits) - 1) * p.dim + e);
			dW[id * p.dim + e] = sum;
		}
	}
}

void embedding_cuda_backward(
	const struct embedding *p, float *dW, struct array dy, const int32_t *ids)
{
	embedding_back<<<(unsigned)p->rows, THREADS, 0, cuda_stream>>>(*p, dW, dy, ids);
}
