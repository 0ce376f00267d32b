#include "kernels/elementwise.cuh"

template <typename T, typename U, typename V>
static __global__ void add_kernel(T *y, const U *a, const V *b, int64_t n, float scale)
{
	GRID_STRIDE(i, n)
	store(y, i, scale * (load(a, i) + load(b, i)));
}

void add_cuda(const struct add *p, struct array y, struct array a, struct array b)
{
#define CALL(U, V)                                                                                 \
	do {                                                                                       \
		if (y.half)                                                                        \
			add_kernel LAUNCH(p->count)((bf16 *)y.data, (const U *)a.data,             \
				(const V *)b.data, p->count, p->scale);                            \
		else                                                                               \
			add_kernel LAUNCH(p->count)((float *)y.data, (const U *)a.data,            \
				(const V *)b.data, p->count, p->scale);                            \
	} while (0)
	BY_TYPES(a, b, CALL);
#undef CALL
}

static __global__ void scale_fours(struct array y, int acc, struct array x, int n, float scale)
{
	GRID_STRIDE(i, n)
	set_value4(y, 4 * i, axpy4(scale, value4(x, 4 * i), make_float4(0, 0, 0, 0)), acc);
}

template <typename T, typename U>
static __global__ void scale_kernel(T *y, int acc, const U *x, int64_t n, float scale)
{
	GRID_STRIDE(i, n)
	put(y, i, scale * load(x, i), acc);
}

void scale_cuda(struct array dst, int acc, struct array src, int64_t n, float scale)
{
	if (in_fours(n, n)) {
		scale_fours LAUNCH(n / 4)(dst, acc, src, (int)(n / 4), scale);
		return;
	}
#define CALL(T, U) scale_kernel LAUNCH(n)((T *)dst.data, acc, (const U *)src.data, n, scale)
	BY_TYPES(dst, src, CALL);
#undef CALL
}

/* --- scalars --- */

static __global__ void shard_part_kernel(
	struct array y, int acc, struct array x, int64_t n, const struct step *step)
{
	GRID_STRIDE(i, n)
	set_value(y, i, step->scale * value(x, i), acc);
}

void shard_part_cuda(struct array y, int acc, struct array x, int64_t n, const struct step *step)
{
	shard_part_kernel LAUNCH(n)(y, acc, x, n, step);
}

struct pointers {
	float *p[WEIGHTED_SUM_MAX];
};

static __global__ void weighted_kernel(struct weighted_sum p, float *y, struct pointers x)
{
	float sum = 0;

	for (int i = 0; i < p.n; i++)
		sum += p.coefs[i] * *x.p[i];
	*y = sum;
}

void weighted_sum_cuda(const struct weighted_sum *p, float *y, float *const *x)
{
	struct pointers at = {};

	for (int i = 0; i < p->n; i++)
		at.p[i] = x[i];
	weighted_kernel<<<1, 1, 0, cuda_stream>>>(*p, y, at);
}

static __global__ void weighted_back(
	struct weighted_sum p, struct pointers dx, uint64_t acc, const float *dy)
{
	/* one thread, in order: the same tensor may be there twice */
	for (int i = 0; i < p.n; i++)
		if (dx.p[i])
			*dx.p[i] = (acc >> i & 1 ? *dx.p[i] : 0) + p.coefs[i] * *dy;
}

void weighted_sum_cuda_backward(
	const struct weighted_sum *p, float *const *dx, uint64_t acc, const float *dy)
{
	struct pointers at = {};

	for (int i = 0; i < p->n; i++)
		at.p[i] = dx[i];
	weighted_back<<<1, 1, 0, cuda_stream>>>(*p, at, acc, dy);
}
