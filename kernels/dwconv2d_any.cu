#include "kernels/dwconv.cuh"
#include "kernels/dwconv2d_any.cuh"

static __device__ __forceinline__ int64_t pixel_at(
	const dwconv2d &p, int64_t image, int64_t i, int64_t j)
{
	if (i < 0 || j < 0 || i >= p.height || j >= p.width)
		return -1;
	return ((image * p.height + i) * p.width + j) * p.dim;
}

/* c.data NULL: plain */
static __device__ __forceinline__ float gradient_at(struct array dy, struct array c, int64_t at)
{
	return c.data ? value(dy, at) * silu_slope(value(c, at)) : value(dy, at);
}

static __global__ void forward_any(dwconv2d p, struct array y, struct array c, struct array x,
	const float *__restrict__ weight, const float *__restrict__ bias)
{
	int64_t k = p.kernel, pixels = p.height * p.width;

	GRID_STRIDE(n, p.batch * pixels * p.dim)
	{
		int64_t e = n % p.dim, at = n / p.dim, i = at % pixels / p.width, j = at % p.width;
		float sum = bias ? bias[e] : 0;

		for (int64_t tap = 0; tap < k * k; tap++) {
			int64_t from =
				pixel_at(p, at / pixels, i + tap / k - k / 2, j + tap % k - k / 2);

			if (from >= 0)
				sum += weight[e * k * k + tap] * value(x, from + e);
		}
		if (c.data)
			set_value(c, n, sum, 0);
		set_value(y, n, p.plain ? sum : sum * sigmoid_of(sum), 0);
	}
}

static __global__ void input_any(dwconv2d p, struct array dx, int acc, struct array dy,
	struct array c, const float *__restrict__ weight)
{
	int64_t k = p.kernel, pixels = p.height * p.width;

	GRID_STRIDE(n, p.batch * pixels * p.dim)
	{
		int64_t e = n % p.dim, at = n / p.dim, i = at % pixels / p.width, j = at % p.width;
		float sum = 0;

		for (int64_t tap = 0; tap < k * k; tap++) {
			int64_t from =
				pixel_at(p, at / pixels, i - tap / k + k / 2, j - tap % k + k / 2);

			if (from >= 0)
				sum += weight[e * k * k + tap] * gradient_at(dy, c, from + e);
		}
		set_value(dx, n, sum, acc);
	}
}

#define ANY_THREADS 128

/* Block (x, tap, z): channels of x, images z, z + gridDim.z, ... */
static __global__ void taps_any(
	dwconv2d p, float *__restrict__ part, struct array dy, struct array c, struct array x)
{
	int64_t k = p.kernel, e = (int64_t)blockIdx.x * ANY_THREADS + threadIdx.x, tap = blockIdx.y;
	int64_t pixels = p.height * p.width;
	float sum = 0;

	if (e >= p.dim)
		return;
	for (int64_t image = blockIdx.z; image < p.batch; image += gridDim.z)
		for (int64_t n = 0; n < pixels; n++) {
			int64_t i = n / p.width, j = n % p.width, at = pixel_at(p, image, i, j);
			int64_t from = tap == k * k ? at
						    : pixel_at(p, image, i + tap / k - k / 2,
							      j + tap % k - k / 2);

			if (from >= 0)
				sum += gradient_at(dy, c, at + e) *
				       (tap == k * k ? 1 : value(x, from + e));
		}
	part[(blockIdx.z * (k * k + 1) + tap) * p.dim + e] = sum;
}

void dwconv2d_any_forward(const struct dwconv2d *p, struct array y, struct array c, struct array x,
	const float *weight, const float *bias)
{
	int64_t values = p->batch * p->height * p->width * p->dim;

	forward_any<<<grid_for(values, 256), 256, 0, cuda_stream>>>(*p, y, c, x, weight, bias);
}

void dwconv2d_any_backward(const struct dwconv2d *p, struct array dx, int acc, float *part,
	int parts, struct array dy, struct array c, struct array x, const float *weight)
{
	int64_t values = p->batch * p->height * p->width * p->dim;
	dim3 grid((unsigned)((p->dim + ANY_THREADS - 1) / ANY_THREADS),
		(unsigned)(p->kernel * p->kernel + 1), parts);

	if (dx.data)
		input_any<<<grid_for(values, 256), 256, 0, cuda_stream>>>(
			*p, dx, acc, dy, c, weight);
	if (part)
		taps_any<<<grid, ANY_THREADS, 0, cuda_stream>>>(*p, part, dy, c, x);
}
