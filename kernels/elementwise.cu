#include "kernels/cuda.cuh"
#include "kernels/elementwise_cuda.h"
#include "kernels/step_cuda.cuh"

#define THREADS 256
#define LAUNCH(n) <<<grid_for(n, THREADS), THREADS, 0, cuda_stream>>>

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

template <typename T, typename U>
static __global__ void scale_kernel(T *y, int acc, const U *x, int64_t n, float scale)
{
	GRID_STRIDE(i, n)
		put(y, i, scale * load(x, i), acc);
}

void scale_cuda(struct array dst, int acc, struct array src, int64_t n, float scale)
{
#define CALL(T, U)                                                                                 \
	scale_kernel LAUNCH(n)((T *)dst.data, acc, (const U *)src.data, n, scale)
	BY_TYPES(dst, src, CALL);
#undef CALL
}

static __device__ __forceinline__ float normal_below(float x)
{
	return 0.5f * (1 + erff(x * 0.70710678f));
}

template <typename T, typename U> static __global__ void gelu_kernel(T *y, const U *x, int64_t n)
{
	GRID_STRIDE(i, n) {
		float v = load(x, i);

		store(y, i, v * normal_below(v));
	}
}

void gelu_cuda(const struct gelu *p, struct array y, struct array x)
{
#define CALL(T, U) gelu_kernel LAUNCH(p->count)((T *)y.data, (const U *)x.data, p->count)
	BY_TYPES(y, x, CALL);
#undef CALL
}

template <typename T, typename U>
static __global__ void gelu_back(T *dx, int acc, const U *dy, const T *x, int64_t n)
{
	GRID_STRIDE(i, n) {
		float v = load(x, i);
		float density = 0.39894228f * expf(-0.5f * v * v);

		put(dx, i, load(dy, i) * (normal_below(v) + v * density), acc);
	}
}

void gelu_cuda_backward(
	const struct gelu *p, struct array dx, int acc, struct array dy, struct array x)
{
#define CALL(T, U)                                                                                 \
	gelu_back LAUNCH(p->count)(                                                                \
		(T *)dx.data, acc, (const U *)dy.data, (const T *)x.data, p->count)
	BY_TYPES(dx, dy, CALL);
#undef CALL
}

/* --- residual --- */

template <typename T, typename U>
static __global__ void residual_kernel(struct residual p, T *y, const U *x, struct array branch,
	const struct step *step)
{
	GRID_STRIDE(i, p.batch * p.size)
		store(y, i, load(x, i) + drop_scale(step, p.rate, p.layer, i / p.size) *
						 value(branch, i));
}

void residual_cuda(const struct residual *p, struct array y, struct array x, struct array branch,
	const struct step *step)
{
#define CALL(T, U)                                                                                 \
	residual_kernel LAUNCH(p->batch * p->size)(                                                \
		*p, (T *)y.data, (const U *)x.data, branch, step)
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

void residual_cuda_branch(const struct residual *p, struct array dbranch, int acc, struct array dy,
	const struct step *step)
{
#define CALL(T, U)                                                                                 \
	branch_kernel LAUNCH(p->batch * p->size)(                                                  \
		*p, (T *)dbranch.data, acc, (const U *)dy.data, step)
	BY_TYPES(dbranch, dy, CALL);
#undef CALL
}

/* --- gate --- */

static __device__ __forceinline__ float sigmoid(float x)
{
	return 1 / (1 + expf(-x));
}

template <typename T, typename U>
static __global__ void gate_kernel(struct gate p, struct array o, const T *y, const U *z)
{
	int64_t plane = p.len * p.dim;

	GRID_STRIDE(i, p.batch * p.directions * plane) {
		float v = load(z, i / (p.directions * plane) * plane + i % plane);

		set_value(o, i, load(y, i) * v * sigmoid(v), 0);
	}
}

void gate_cuda(const struct gate *p, struct array o, struct array y, struct array z)
{
	int64_t n = p->batch * p->directions * p->len * p->dim;

#define CALL(T, U)                                                                                 \
	gate_kernel LAUNCH(n)(*p, o, (const T *)y.data, (const U *)z.data)
	BY_TYPES(y, z, CALL);
#undef CALL
}

template <typename T, typename U>
static __global__ void gate_back(struct gate p, struct array dy, int acc_y, struct array dz,
	int acc_z, struct array d_o, const T *y, const U *z)
{
	int64_t plane = p.len * p.dim;

	GRID_STRIDE(i, p.batch * plane) {
		int64_t at = i / plane * p.directions * plane + i % plane;
		float v = load(z, i), s = sigmoid(v), sum = 0;

		for (int64_t k = 0; k < p.directions; k++) {
			float d = value(d_o, at + k * plane);

			sum += d * load(y, at + k * plane);
			if (dy.data)
				set_value(dy, at + k * plane, d * v * s, acc_y);
		}
		if (dz.data)
			set_value(dz, i, sum * s * (1 + v * (1 - s)), acc_z);
	}
}

void gate_cuda_backward(const struct gate *p, struct array dy, int acc_y, struct array dz,
	int acc_z, struct array d_o, struct array y, struct array z)
{
#define CALL(T, U)                                                                                 \
	gate_back LAUNCH(p->batch * p->len * p->dim)(*p, dy, acc_y, dz, acc_z,                     \
		d_o, (const T *)y.data, (const U *)z.data)
	BY_TYPES(y, z, CALL);
#undef CALL
}

/* --- directions --- */

template <typename T>
static __global__ void merge_kernel(struct directions p, struct array y, struct array x, const T *o,
	const struct step *step)
{
	int64_t plane = p.len * p.dim;

	GRID_STRIDE(i, p.batch * plane) {
		int64_t b = i / plane, at = b * p.directions * plane + i % plane;
		float sum = 0;

		for (int64_t k = 0; k < p.directions; k++)
			sum += load(o, at + k * plane);
		set_value(y, i, value(x, i) + drop_scale(step, p.rate, p.layer, b) * sum, 0);
	}
}

void merge_cuda(const struct directions *p, struct array y, struct array x, struct array o,
	const struct step *step)
{
#define CALL(T)                                                                                    \
	merge_kernel LAUNCH(p->batch * p->len * p->dim)(*p, y, x, (const T *)o.data, step)
	BY_TYPE(o, CALL);
#undef CALL
}

template <typename T>
static __global__ void merge_branch(
	struct directions p, T *d_o, int acc, struct array dy, const struct step *step)
{
	int64_t plane = p.len * p.dim;

	GRID_STRIDE(i, p.batch * plane) {
		int64_t b = i / plane, at = b * p.directions * plane + i % plane;
		float d = drop_scale(step, p.rate, p.layer, b) * value(dy, i);

		for (int64_t k = 0; k < p.directions; k++)
			put(d_o, at + k * plane, d, acc);
	}
}

void merge_cuda_branch(const struct directions *p, struct array d_o, int acc, struct array dy,
	const struct step *step)
{
#define CALL(T)                                                                                    \
	merge_branch LAUNCH(p->batch * p->len * p->dim)(*p, (T *)d_o.data, acc, dy, step)
	BY_TYPE(d_o, CALL);
#undef CALL
}

template <typename T>
static __global__ void tap_kernel(struct directions p, struct array s, struct array x, const T *o)
{
	int64_t plane = p.len * p.dim;

	GRID_STRIDE(i, p.batch * plane) {
		int64_t at = i / plane * p.directions * plane + i % plane;
		float v = value(x, i);

		for (int64_t k = 0; k < p.directions; k++)
			set_value(s, at + k * plane, v + p.kappa * load(o, at + k * plane), 0);
	}
}

void tap_cuda(const struct directions *p, struct array s, struct array x, struct array o)
{
#define CALL(T) tap_kernel LAUNCH(p->batch * p->len * p->dim)(*p, s, x, (const T *)o.data)
	BY_TYPE(o, CALL);
#undef CALL
}

template <typename T>
static __global__ void sum_kernel(
	struct directions p, struct array dst, int acc, const T *src, float scale)
{
	int64_t plane = p.len * p.dim;

	GRID_STRIDE(i, p.batch * plane) {
		int64_t at = i / plane * p.directions * plane + i % plane;
		float sum = 0;

		for (int64_t k = 0; k < p.directions; k++)
			sum += load(src, at + k * plane);
		set_value(dst, i, scale * sum, acc);
	}
}

void sum_directions_cuda(
	const struct directions *p, struct array dst, int acc, struct array src, float scale)
{
#define CALL(T)                                                                                    \
	sum_kernel LAUNCH(p->batch * p->len * p->dim)(*p, dst, acc, (const T *)src.data, scale)
	BY_TYPE(src, CALL);
#undef CALL
}

template <typename T>
static __global__ void spread_kernel(
	struct directions p, T *dst, int acc, struct array src, float scale)
{
	int64_t plane = p.len * p.dim;

	GRID_STRIDE(i, p.batch * plane) {
		int64_t at = i / plane * p.directions * plane + i % plane;
		float v = scale * value(src, i);

		for (int64_t k = 0; k < p.directions; k++)
			put(dst, at + k * plane, v, acc);
	}
}

void spread_directions_cuda(
	const struct directions *p, struct array dst, int acc, struct array src, float scale)
{
#define CALL(T)                                                                                    \
	spread_kernel LAUNCH(p->batch * p->len * p->dim)(*p, (T *)dst.data, acc, src, scale)
	BY_TYPE(dst, CALL);
#undef CALL
}

/* --- rearranging --- */

template <typename T, typename U>
static __global__ void split_kernel(T *part, U *x, int64_t rows, int64_t all, int64_t from,
	int64_t width, int backward, int acc)
{
	GRID_STRIDE(i, rows * width) {
		int64_t at = i / width * all + from + i % width;

		if (backward)
			put(x, at, load(part, i), acc);
		else
			store(part, i, load(x, at));
	}
}

void split_cuda(const struct split *p, struct array part, struct array x, int64_t from,
	int64_t width, int backward, int acc)
{
#define CALL(T, U)                                                                                 \
	split_kernel LAUNCH(p->rows *width)((T *)part.data, (U *)x.data, p->rows, p->width, from,  \
		width, backward, acc)
	BY_TYPES(part, x, CALL);
#undef CALL
}

template <typename T, typename U>
static __global__ void patches_kernel(struct patches p, T *y, U *image, int backward, int acc)
{
	int64_t k = p.side, across = p.width / k, n = p.dim * k * k;
	int64_t tokens = p.height / k * across;

	GRID_STRIDE(i, p.batch * tokens * n) {
		int64_t b = i / (tokens * n), t = i / n % tokens, v = i % n;
		int64_t row = t / across * k + v / k % k, column = t % across * k + v % k;
		int64_t at = ((b * p.height + row) * p.width + column) * p.dim + v / (k * k);

		if (backward)
			put(image, at, load(y, i), acc);
		else
			store(y, i, load(image, at));
	}
}

void patches_cuda(
	const struct patches *p, struct array y, struct array image, int backward, int acc)
{
	int64_t n = p->batch * p->height * p->width * p->dim;

#define CALL(T, U)                                                                                 \
	patches_kernel LAUNCH(n)(*p, (T *)y.data, (U *)image.data, backward, acc)
	BY_TYPES(y, image, CALL);
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
