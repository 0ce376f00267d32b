#include "kernels/elementwise.cuh"

template <typename T, typename U>
static __global__ void residual_kernel(
	struct residual p, T *y, const U *x, struct array branch, const struct step *step)
{
	GRID_STRIDE(i, p.batch * p.size)
	store(y, i, load(x, i) + drop_scale(step, p.rate, p.layer, i / p.size) * value(branch, i));
}

/* blockIdx.y is the sample. */
static __global__ void residual_fours(struct residual p, struct array y, struct array x,
	struct array branch, const struct step *step)
{
	float scale = drop_scale(step, p.rate, p.layer, blockIdx.y);
	int64_t from = blockIdx.y * p.size;

	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < p.size / 4;
		i += gridDim.x * blockDim.x) {
		int64_t at = from + 4 * i;

		set_value4(y, at, axpy4(scale, value4(branch, at), value4(x, at)), 0);
	}
}

void residual_cuda(const struct residual *p, struct array y, struct array x, struct array branch,
	const struct step *step)
{
	if (in_fours(p->size, p->size) && p->batch < 65536) {
		residual_fours<<<grid_of_samples(p->batch, p->size), THREADS, 0, cuda_stream>>>(
			*p, y, x, branch, step);
		return;
	}
#define CALL(T, U)                                                                                 \
	residual_kernel LAUNCH(p->batch * p->size)(*p, (T *)y.data, (const U *)x.data, branch, step)
	BY_TYPES(y, x, CALL);
#undef CALL
}

template <typename T, typename U>
static __global__ void branch_kernel(
	struct residual p, T *d, int acc, const U *dy, const struct step *step)
{
	GRID_STRIDE(i, p.batch * p.size)
	put(d, i, drop_scale(step, p.rate, p.layer, i / p.size) * load(dy, i), acc);
}

static __global__ void branch_fours(
	struct residual p, struct array d, int acc, struct array dy, const struct step *step)
{
	float scale = drop_scale(step, p.rate, p.layer, blockIdx.y);
	int64_t from = blockIdx.y * p.size;

	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < p.size / 4;
		i += gridDim.x * blockDim.x)
		set_value4(d, from + 4 * i,
			axpy4(scale, value4(dy, from + 4 * i), make_float4(0, 0, 0, 0)), acc);
}

void residual_cuda_branch(const struct residual *p, struct array dbranch, int acc, struct array dy,
	const struct step *step)
{
	if (in_fours(p->size, p->size) && p->batch < 65536) {
		branch_fours<<<grid_of_samples(p->batch, p->size), THREADS, 0, cuda_stream>>>(
			*p, dbranch, acc, dy, step);
		return;
	}
#define CALL(T, U)                                                                                 \
	branch_kernel LAUNCH(p->batch * p->size)(                                                  \
		*p, (T *)dbranch.data, acc, (const U *)dy.data, step)
	BY_TYPES(dbranch, dy, CALL);
#undef CALL
}
