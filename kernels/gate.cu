#include "kernels/elementwise.cuh"

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
