#include "kernels/pack.cuh"
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

/* Four values a thread, counts in 32 bits: for arrays whose rows are multiples of four. */
static int in_fours(int64_t row, int64_t count)
{
	return row % 4 == 0 && count < (int64_t)1 << 31;
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

/*
 * The normal distribution's part below x within 8e-8, and e^(-x^2 / 2): Abramowitz and Stegun,
 * 7.1.26, for the tail, whose relative error stays small.
 */
static __device__ __forceinline__ float normal_below(float x, float *bell)
{
	float t = __fdividef(1, 1 + 0.3275911f * 0.70710678f * fabsf(x)), tail = 1.061405429f;

	*bell = __expf(-0.5f * x * x);
	tail = tail * t - 1.453152027f;
	tail = tail * t + 1.421413741f;
	tail = tail * t - 0.284496736f;
	tail = tail * t + 0.254829592f;
	tail *= 0.5f * t * *bell;
	return x < 0 ? tail : 1 - tail;
}

static __device__ __forceinline__ float gelu_of(float v)
{
	float bell;

	return v * normal_below(v, &bell);
}

static __device__ __forceinline__ float gelu_slope(float v)
{
	float bell, below = normal_below(v, &bell);

	return below + v * 0.39894228f * bell;
}

template <typename T, typename U> static __global__ void gelu_kernel(T *y, const U *x, int64_t n)
{
	GRID_STRIDE(i, n)
	store(y, i, gelu_of(load(x, i)));
}

static __global__ void gelu_fours(struct array y, struct array x, int n)
{
	GRID_STRIDE(i, n)
	{
		float4 v = value4(x, 4 * i);

		set_value4(y, 4 * i,
			make_float4(gelu_of(v.x), gelu_of(v.y), gelu_of(v.z), gelu_of(v.w)), 0);
	}
}

void gelu_cuda(const struct gelu *p, struct array y, struct array x)
{
	if (in_fours(p->count, p->count)) {
		gelu_fours LAUNCH(p->count / 4)(y, x, (int)(p->count / 4));
		return;
	}
#define CALL(T, U) gelu_kernel LAUNCH(p->count)((T *)y.data, (const U *)x.data, p->count)
	BY_TYPES(y, x, CALL);
#undef CALL
}

template <typename T, typename U>
static __global__ void gelu_back(T *dx, int acc, const U *dy, const T *x, int64_t n)
{
	GRID_STRIDE(i, n)
	put(dx, i, load(dy, i) * gelu_slope(load(x, i)), acc);
}

static __global__ void gelu_back_fours(
	struct array dx, int acc, struct array dy, struct array x, int n)
{
	GRID_STRIDE(i, n)
	{
		float4 v = value4(x, 4 * i), d = value4(dy, 4 * i);

		set_value4(dx, 4 * i,
			make_float4(d.x * gelu_slope(v.x), d.y * gelu_slope(v.y),
				d.z * gelu_slope(v.z), d.w * gelu_slope(v.w)),
			acc);
	}
}

void gelu_cuda_backward(
	const struct gelu *p, struct array dx, int acc, struct array dy, struct array x)
{
	if (in_fours(p->count, p->count)) {
		gelu_back_fours LAUNCH(p->count / 4)(dx, acc, dy, x, (int)(p->count / 4));
		return;
	}
#define CALL(T, U)                                                                                 \
	gelu_back LAUNCH(p->count)(                                                                \
		(T *)dx.data, acc, (const U *)dy.data, (const T *)x.data, p->count)
	BY_TYPES(dx, dy, CALL);
#undef CALL
}

/* --- residual --- */

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

static dim3 grid_of_samples(int64_t batch, int64_t size)
{
	int64_t blocks = (size / 4 + THREADS - 1) / THREADS;

	return dim3((unsigned)(blocks < 1 ? 1 : blocks), (unsigned)batch);
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

/* --- gate --- */

static __device__ __forceinline__ float sigmoid(float x)
{
	return 1 / (1 + expf(-x));
}

template <typename T, typename U>
static __global__ void gate_kernel(struct gate p, struct array o, const T *y, const U *z)
{
	int64_t plane = p.len * p.dim;

	GRID_STRIDE(i, p.batch * p.directions * plane)
	{
		float v = load(z, i / (p.directions * plane) * plane + i % plane);

		set_value(o, i, load(y, i) * v * sigmoid(v), 0);
	}
}

static __device__ __forceinline__ float4 mul4(float4 a, float4 b)
{
	return make_float4(a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w);
}

static __device__ __forceinline__ float4 sigmoid4(float4 v)
{
	return make_float4(sigmoid(v.x), sigmoid(v.y), sigmoid(v.z), sigmoid(v.w));
}

/* blockIdx.y is the sample; the gate of a place serves all its directions. */
static __global__ void gate_fours(struct gate p, struct array o, struct array y, struct array z)
{
	int64_t plane = p.len * p.dim, from = blockIdx.y * p.directions * plane;

	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < plane / 4;
		i += gridDim.x * blockDim.x) {
		float4 v = value4(z, blockIdx.y * plane + 4 * i);
		float4 g = mul4(v, sigmoid4(v));

		for (int k = 0; k < p.directions; k++) {
			int64_t at = from + k * plane + 4 * i;

			set_value4(o, at, mul4(value4(y, at), g), 0);
		}
	}
}

void gate_cuda(const struct gate *p, struct array o, struct array y, struct array z)
{
	if (in_fours(p->len * p->dim, p->len * p->dim) && p->batch < 65536) {
		gate_fours<<<grid_of_samples(p->batch, p->len * p->dim), THREADS, 0, cuda_stream>>>(
			*p, o, y, z);
		return;
	}
	int64_t n = p->batch * p->directions * p->len * p->dim;

#define CALL(T, U) gate_kernel LAUNCH(n)(*p, o, (const T *)y.data, (const U *)z.data)
	BY_TYPES(y, z, CALL);
#undef CALL
}

template <typename T, typename U>
static __global__ void gate_back(struct gate p, struct array dy, int acc_y, struct array dz,
	int acc_z, struct array d_o, const T *y, const U *z)
{
	int64_t plane = p.len * p.dim;

	GRID_STRIDE(i, p.batch * plane)
	{
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

static __global__ void gate_back_fours(struct gate p, struct array dy, int acc_y, struct array dz,
	int acc_z, struct array d_o, struct array y, struct array z)
{
	int64_t plane = p.len * p.dim, from = blockIdx.y * p.directions * plane;

	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < plane / 4;
		i += gridDim.x * blockDim.x) {
		int64_t place = blockIdx.y * plane + 4 * i;
		float4 v = value4(z, place), s = sigmoid4(v), g = mul4(v, s);
		float4 sum = make_float4(0, 0, 0, 0), slope;

		for (int k = 0; k < p.directions; k++) {
			int64_t at = from + k * plane + 4 * i;
			float4 d = value4(d_o, at);

			sum = axpy4(1, mul4(d, value4(y, at)), sum);
			if (dy.data)
				set_value4(dy, at, mul4(d, g), acc_y);
		}
		slope = make_float4(s.x * (1 + v.x * (1 - s.x)), s.y * (1 + v.y * (1 - s.y)),
			s.z * (1 + v.z * (1 - s.z)), s.w * (1 + v.w * (1 - s.w)));
		if (dz.data)
			set_value4(dz, place, mul4(sum, slope), acc_z);
	}
}

void gate_cuda_backward(const struct gate *p, struct array dy, int acc_y, struct array dz,
	int acc_z, struct array d_o, struct array y, struct array z)
{
	if (in_fours(p->len * p->dim, p->len * p->dim) && p->batch < 65536) {
		gate_back_fours<<<grid_of_samples(p->batch, p->len * p->dim), THREADS, 0,
			cuda_stream>>>(*p, dy, acc_y, dz, acc_z, d_o, y, z);
		return;
	}
#define CALL(T, U)                                                                                 \
	gate_back LAUNCH(p->batch * p->len * p->dim)(                                              \
		*p, dy, acc_y, dz, acc_z, d_o, (const T *)y.data, (const U *)z.data)
	BY_TYPES(y, z, CALL);
#undef CALL
}

/* --- directions --- */

template <typename T>
static __global__ void merge_kernel(
	struct directions p, struct array y, struct array x, const T *o, const struct step *step)
{
	int64_t plane = p.len * p.dim;

	GRID_STRIDE(i, p.batch * plane)
	{
		int64_t b = i / plane, at = b * p.directions * plane + i % plane;
		float sum = 0;

		for (int64_t k = 0; k < p.directions; k++)
			sum += load(o, at + k * plane);
		set_value(y, i, value(x, i) + drop_scale(step, p.rate, p.layer, b) * sum, 0);
	}
}

static __global__ void merge_fours(struct directions p, struct array y, struct array x,
	struct array o, const struct step *step)
{
	float scale = drop_scale(step, p.rate, p.layer, blockIdx.y);
	int64_t plane = p.len * p.dim, from = blockIdx.y * p.directions * plane;

	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < plane / 4;
		i += gridDim.x * blockDim.x) {
		int64_t place = blockIdx.y * plane + 4 * i;
		float4 sum = make_float4(0, 0, 0, 0);

		for (int k = 0; k < p.directions; k++)
			sum = axpy4(1, value4(o, from + k * plane + 4 * i), sum);
		set_value4(y, place, axpy4(scale, sum, value4(x, place)), 0);
	}
}

void merge_cuda(const struct directions *p, struct array y, struct array x, struct array o,
	const struct step *step)
{
	if (in_fours(p->len * p->dim, p->len * p->dim) && p->batch < 65536) {
		merge_fours<<<grid_of_samples(p->batch, p->len * p->dim), THREADS, 0,
			cuda_stream>>>(*p, y, x, o, step);
		return;
	}
#define CALL(T) merge_kernel LAUNCH(p->batch * p->len * p->dim)(*p, y, x, (const T *)o.data, step)
	BY_TYPE(o, CALL);
#undef CALL
}

template <typename T>
static __global__ void merge_branch(
	struct directions p, T *d_o, int acc, struct array dy, const struct step *step)
{
	int64_t plane = p.len * p.dim;

	GRID_STRIDE(i, p.batch * plane)
	{
		int64_t b = i / plane, at = b * p.directions * plane + i % plane;
		float d = drop_scale(step, p.rate, p.layer, b) * value(dy, i);

		for (int64_t k = 0; k < p.directions; k++)
			put(d_o, at + k * plane, d, acc);
	}
}

static __global__ void merge_branch_fours(
	struct directions p, struct array d_o, int acc, struct array dy, const struct step *step)
{
	float scale = drop_scale(step, p.rate, p.layer, blockIdx.y);
	int64_t plane = p.len * p.dim, from = blockIdx.y * p.directions * plane;

	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < plane / 4;
		i += gridDim.x * blockDim.x) {
		float4 d = axpy4(
			scale, value4(dy, blockIdx.y * plane + 4 * i), make_float4(0, 0, 0, 0));

		for (int k = 0; k < p.directions; k++)
			set_value4(d_o, from + k * plane + 4 * i, d, acc);
	}
}

void merge_cuda_branch(const struct directions *p, struct array d_o, int acc, struct array dy,
	const struct step *step)
{
	if (in_fours(p->len * p->dim, p->len * p->dim) && p->batch < 65536) {
		merge_branch_fours<<<grid_of_samples(p->batch, p->len * p->dim), THREADS, 0,
			cuda_stream>>>(*p, d_o, acc, dy, step);
		return;
	}
#define CALL(T) merge_branch LAUNCH(p->batch * p->len * p->dim)(*p, (T *)d_o.data, acc, dy, step)
	BY_TYPE(d_o, CALL);
#undef CALL
}

template <typename T>
static __global__ void tap_kernel(struct directions p, struct array s, struct array x, const T *o)
{
	int64_t plane = p.len * p.dim;

	GRID_STRIDE(i, p.batch * plane)
	{
		int64_t at = i / plane * p.directions * plane + i % plane;
		float v = value(x, i);

		for (int64_t k = 0; k < p.directions; k++)
			set_value(s, at + k * plane, v + p.kappa * load(o, at + k * plane), 0);
	}
}

static __global__ void tap_fours(
	struct directions p, struct array s, struct array x, struct array o)
{
	int64_t plane = p.len * p.dim, from = blockIdx.y * p.directions * plane;

	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < plane / 4;
		i += gridDim.x * blockDim.x) {
		float4 v = value4(x, blockIdx.y * plane + 4 * i);

		for (int k = 0; k < p.directions; k++) {
			int64_t at = from + k * plane + 4 * i;

			set_value4(s, at, axpy4(p.kappa, value4(o, at), v), 0);
		}
	}
}

void tap_cuda(const struct directions *p, struct array s, struct array x, struct array o)
{
	if (in_fours(p->len * p->dim, p->len * p->dim) && p->batch < 65536) {
		tap_fours<<<grid_of_samples(p->batch, p->len * p->dim), THREADS, 0, cuda_stream>>>(
			*p, s, x, o);
		return;
	}
#define CALL(T) tap_kernel LAUNCH(p->batch * p->len * p->dim)(*p, s, x, (const T *)o.data)
	BY_TYPE(o, CALL);
#undef CALL
}

template <typename T>
static __global__ void sum_kernel(
	struct directions p, struct array dst, int acc, const T *src, float scale)
{
	int64_t plane = p.len * p.dim;

	GRID_STRIDE(i, p.batch * plane)
	{
		int64_t at = i / plane * p.directions * plane + i % plane;
		float sum = 0;

		for (int64_t k = 0; k < p.directions; k++)
			sum += load(src, at + k * plane);
		set_value(dst, i, scale * sum, acc);
	}
}

static __global__ void sum_fours(
	struct directions p, struct array dst, int acc, struct array src, float scale)
{
	int64_t plane = p.len * p.dim, from = blockIdx.y * p.directions * plane;

	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < plane / 4;
		i += gridDim.x * blockDim.x) {
		float4 sum = make_float4(0, 0, 0, 0);

		for (int k = 0; k < p.directions; k++)
			sum = axpy4(1, value4(src, from + k * plane + 4 * i), sum);
		set_value4(dst, blockIdx.y * plane + 4 * i,
			axpy4(scale, sum, make_float4(0, 0, 0, 0)), acc);
	}
}

void sum_directions_cuda(
	const struct directions *p, struct array dst, int acc, struct array src, float scale)
{
	if (in_fours(p->len * p->dim, p->len * p->dim) && p->batch < 65536) {
		sum_fours<<<grid_of_samples(p->batch, p->len * p->dim), THREADS, 0, cuda_stream>>>(
			*p, dst, acc, src, scale);
		return;
	}
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

	GRID_STRIDE(i, p.batch * plane)
	{
		int64_t at = i / plane * p.directions * plane + i % plane;
		float v = scale * value(src, i);

		for (int64_t k = 0; k < p.directions; k++)
			put(dst, at + k * plane, v, acc);
	}
}

void spread_directions_cuda(
	const struct directions *p, struct array dst, int acc, struct array src, float scale)
{
#define CALL(T) spread_kernel LAUNCH(p->batch * p->len * p->dim)(*p, (T *)dst.data, acc, src, scale)
	BY_TYPE(dst, CALL);
#undef CALL
}

/* --- rearranging --- */

template <typename T, typename U>
static __global__ void split_kernel(T *part, U *x, int64_t rows, int64_t all, int64_t from,
	int64_t width, int backward, int acc)
{
	GRID_STRIDE(i, rows * width)
	{
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
	split_kernel LAUNCH(p->rows *width)(                                                       \
		(T *)part.data, (U *)x.data, p->rows, p->width, from, width, backward, acc)
	BY_TYPES(part, x, CALL);
#undef CALL
}

/* Block (x, y): patch x of images y, y + gridDim.y, ...; a thread N values of a row of the patch. */
template <int N, typename T, typename U>
static __global__ void patches_kernel(struct patches p, T *y, U *image, int backward, int acc)
{
	int k = (int)p.side, dim = (int)p.dim, width = (int)p.width, n = dim * k * k;
	int across = width / k, top = (int)blockIdx.x / across * k;
	int left = (int)blockIdx.x % across * k;

	for (int64_t b = blockIdx.y; b < p.batch; b += gridDim.y)
		for (int v = N * threadIdx.x; v < n; v += N * blockDim.x) {
			int e = v / (k * k), row = v / k % k, column = v % k;
			int64_t i = (b * gridDim.x + blockIdx.x) * n + v;
			int64_t at = ((b * p.height + top + row) * width + left + column) * dim + e;
			float f[N];

			if (backward) {
				load_pack<N>(f, y + i);
				for (int j = 0; j < N; j++)
					put(image, at + j * dim, f[j], acc);
			} else {
				for (int j = 0; j < N; j++)
					f[j] = load(image, at + j * dim);
				store_pack<N>(y + i, f);
			}
		}
}

void patches_cuda(
	const struct patches *p, struct array y, struct array image, int backward, int acc)
{
	int64_t patches = (p->height / p->side) * (p->width / p->side);
	dim3 grid((unsigned)patches, (unsigned)(p->batch < 1024 ? p->batch : 1024));

	if (p->side % 4 == 0) {
#define CALL(T, U)                                                                                 \
	patches_kernel<4>                                                                          \
		<<<grid, 192, 0, cuda_stream>>>(*p, (T *)y.data, (U *)image.data, backward, acc)
		BY_TYPES(y, image, CALL);
#undef CALL
	} else {
#define CALL(T, U)                                                                                 \
	patches_kernel<1>                                                                          \
		<<<grid, 192, 0, cuda_stream>>>(*p, (T *)y.data, (U *)image.data, backward, acc)
		BY_TYPES(y, image, CALL);
#undef CALL
	}
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
