#include "kernels/cuda.cuh"
#include "kernels/gate_join_cuda.h"

#define THREADS 256

/* A block walks rows, its threads their columns. */
static dim3 grid_of(const struct gate_join *p)
{
	int64_t most = 32 * (int64_t)cuda_multiprocessors;

	return dim3((unsigned)(p->rows < most ? p->rows : most));
}

static __global__ void join_forward(
	struct gate_join p, struct array y, struct array a, struct array b, struct array c)
{
	int W = (int)p.width, left = (int)p.left;

	for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x)
		for (int e = threadIdx.x; e < W; e += THREADS) {
			float v = e < left ? value(b, row * left + e)
					   : value(c, row * (W - left) + e - left);

			set_value(y, row * W + e, value(a, row * W + e) * v, 0);
		}
}

void gate_join_cuda(
	const struct gate_join *p, struct array y, struct array a, struct array b, struct array c)
{
	join_forward<<<grid_of(p), THREADS, 0, cuda_stream>>>(*p, y, a, b, c);
}

static __global__ void join_back(struct gate_join p, struct gate_join_array_grads d,
	struct array dy, struct array a, struct array b, struct array c)
{
	int W = (int)p.width, left = (int)p.left;

	for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x)
		for (int e = threadIdx.x; e < W; e += THREADS) {
			int64_t at = row * W + e, l = row * left + e,
				r = row * (W - left) + e - left;
			float g = value(dy, at);

			if (d.a.data)
				set_value(d.a, at, g * (e < left ? value(b, l) : value(c, r)),
					d.acc_a);
			if (e < left && d.b.data)
				set_value(d.b, l, g * value(a, at), d.acc_b);
			if (e >= left && d.c.data)
				set_value(d.c, r, g * value(a, at), d.acc_c);
		}
}

void gate_join_cuda_backward(const struct gate_join *p, const struct gate_join_array_grads *d,
	struct array dy, struct array a, struct array b, struct array c)
{
	join_back<<<grid_of(p), THREADS, 0, cuda_stream>>>(*p, *d, dy, a, b, c);
}
