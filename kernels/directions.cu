#include "kernels/elementwise.cuh"

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
