#include "kernels/elementwise.cuh"

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
