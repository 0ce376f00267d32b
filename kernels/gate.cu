#include "kernels/elementwise.cuh"

static __device__ __forceinline__ float sigmoid(float x)
{
	return 1 / (1 + expf(-x));
}

/* y at place i, or of a pair scale (y + y2) */
static __device__ __forceinline__ float both(
	const struct gate &p, float y, struct array y2, int64_t i)
{
	return y2.data ? p.scale * (y + value(y2, i)) : y;
}

template <typename T, typename U>
static __global__ void gate_kernel(
	struct gate p, struct array o, const T *y, struct array y2, const U *z)
{
	int64_t plane = p.len * p.dim;

	GRID_STRIDE(i, p.batch * p.directions * plane)
	{
		float v = load(z, i / (p.directions * plane) * plane + i % plane);

		set_value(o, i, both(p, load(y, i), y2, i) * v * sigmoid(v), 0);
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

static __device__ __forceinline__ float4 both4(
	const struct gate &p, struct array y, struct array y2, int64_t at)
{
	float4 a = value4(y, at), zero = make_float4(0, 0, 0, 0);

	return y2.data ? axpy4(p.scale, axpy4(1, value4(y2, at), a), zero) : a;
}

/* blockIdx.y is the sample; the gate of a place serves all its directions. */
static __global__ void gate_fours(
	struct gate p, struct array o, struct array y, struct array y2, struct array z)
{
	int64_t plane = p.len * p.dim, from = blockIdx.y * p.directions * plane;

	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < plane / 4;
		i += gridDim.x * blockDim.x) {
		float4 v = value4(z, blockIdx.y * plane + 4 * i);
		float4 g = mul4(v, sigmoid4(v));

		for (int k = 0; k < p.directions; k++) {
			int64_t at = from + k * plane + 4 * i;

			set_value4(o, at, mul4(both4(p, y, y2, at), g), 0);
		}
	}
}

void gate_cuda(
	const struct gate *p, struct array o, struct array y, struct array y2, struct array z)
{
	if (in_fours(p->len * p->dim, p->len * p->dim) && p->batch < 65536) {
		gate_fours<<<grid_of_samples(p->batch, p->len * p->dim), THREADS, 0, cuda_stream>>>(
			*p, o, y, y2, z);
		return;
	}
	int64_t n = p->batch * p->directions * p->len * p->dim;

#define CALL(T, U) gate_kernel LAUNCH(n)(*p, o, (const T *)y.data, y2, (const U *)z.data)
	BY_TYPES(y, z, CALL);
#undef CALL
}

template <typename T, typename U>
static __global__ void gate_back(struct gate p, struct gate_arrays d, struct array d_o, const T *y,
	struct array y2, const U *z)
{
	int64_t plane = p.len * p.dim;

	GRID_STRIDE(i, p.batch * plane)
	{
		int64_t at = i / plane * p.directions * plane + i % plane;
		float v = load(z, i), s = sigmoid(v), sum = 0;

		for (int64_t k = 0; k < p.directions; k++) {
			int64_t place = at + k * plane;
			float o = value(d_o, place),
			      own = y2.data ? p.scale * (o * v * s) : o * v * s;

			sum += o * both(p, load(y, place), y2, place);
			if (d.y.data)
				set_value(d.y, place, own, d.acc_y);
			if (d.y2.data)
				set_value(d.y2, place, own, d.acc_y2);
		}
		if (d.z.data)
			set_value(d.z, i, sum * s * (1 + v * (1 - s)), d.acc_z);
	}
}

static __global__ void gate_back_fours(struct gate p, struct gate_arrays d, struct array d_o,
	struct array y, struct array y2, struct array z)
{
	int64_t plane = p.len * p.dim, from = blockIdx.y * p.directions * plane;

	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < plane / 4;
		i += gridDim.x * blockDim.x) {
		int64_t place = blockIdx.y * plane + 4 * i;
		float4 v = value4(z, place), s = sigmoid4(v), g = mul4(v, s);
		float4 sum = make_float4(0, 0, 0, 0), slope;

		for (int k = 0; k < p.directions; k++) {
			int64_t at = from + k * plane + 4 * i;
			float4 o = value4(d_o, at), own = mul4(o, g);

			if (y2.data)
				own = axpy4(p.scale, own, make_float4(0, 0, 0, 0));
			sum = axpy4(1, mul4(o, both4(p, y, y2, at)), sum);
			if (d.y.data)
				set_value4(d.y, at, own, d.acc_y);
			if (d.y2.data)
				set_value4(d.y2, at, own, d.acc_y2);
		}
		slope = make_float4(s.x * (1 + v.x * (1 - s.x)), s.y * (1 + v.y * (1 - s.y)),
			s.z * (1 + v.z * (1 - s.z)), s.w * (1 + v.w * (1 - s.w)));
		if (d.z.data)
			set_value4(d.z, place, mul4(sum, slope), d.acc_z);
	}
}

void gate_cuda_backward(const struct gate *p, const struct gate_arrays *d, struct array d_o,
	struct array y, struct array y2, struct array z)
{
	if (in_fours(p->len * p->dim, p->len * p->dim) && p->batch < 65536) {
		gate_back_fours<<<grid_of_samples(p->batch, p->len * p->dim), THREADS, 0,
			cuda_stream>>>(*p, *d, d_o, y, y2, z);
		return;
	}
#define CALL(T, U)                                                                                 \
	gate_back LAUNCH(p->batch * p->len * p->dim)(                                              \
		*p, *d, d_o, (const T *)y.data, y2, (const U *)z.data)
	BY_TYPES(y, z, CALL);
#undef CALL
}
