/* What the kernels share that walk their values once. */
#ifndef KERNELS_ELEMENTWISE_CUH
#define KERNELS_ELEMENTWISE_CUH

#include "kernels/elementwise_cuda.h"
#include "kernels/pack.cuh"
#include "kernels/step_cuda.cuh"

#define THREADS 256
#define LAUNCH(n) <<<grid_for(n, THREADS), THREADS, 0, cuda_stream>>>

/* Four values a thread, counts in 32 bits: for arrays whose rows are multiples of four. */
static inline int in_fours(int64_t row, int64_t count)
{
	return row % 4 == 0 && count < (int64_t)1 << 31;
}

static inline dim3 grid_of_samples(int64_t batch, int64_t size)
{
	int64_t blocks = (size / 4 + THREADS - 1) / THREADS;

	return dim3((unsigned)(blocks < 1 ? 1 : blocks), (unsigned)batch);
}

#endif
