#include "kernels/cuda.cuh"
#include "kernels/losses_cuda.h"

#define GUARD 1e-8f

template <typename T, typename U>
static __global__ void cosine_kernel(
	struct cosine p, float *cos, float *inverse_u, float *inverse_v, const T *u, const U *v)
{
	int64_t rows = p.batch * p.directions * p.len, lane = threadIdx.x & 31;
	int64_t at = ((int64_t)blockIdx.x * blockDim.x + threadIdx.x) >> 5;
	int64_t token = at / (p.directions * p.len) * p.len + at % p.len;
	float uu = 0, vv = 0, uv = 0, both;

	if (at >= rows)
		return;
	for (int64_t c = lane; c < p.dim; c += 32) {
		float a = load(u, at * p.dim + c), b = load(v, token * p.dim + c);

		uu += a * a;
		vv += b * b;
		uv += a * b;
	}
	uu = sqrtf(warp_sum(uu));
	vv = sqrtf(warp_sum(vv));
	uv = warp_sum(uv);
	both = uu * vv;
	if (lane)
		return;
	cos[at] = uv / (both > GUARD ? both : GUARD);
	inverse_u[at] = both < GUARD ? 0 : 1 / uu;
	if (at / p.len % p.directions == 0)
		inverse_v[token] = vv > 0 ? 1 / vv : 0;
}

/* Block k: mean over batch and tokens of direction k. */
static __global__ void cosine_means(struct cosine p, float *c, const float *cos)
{
	float sum = 0;

	for (int64_t i = threadIdx.x; i < p.batch * p.len; i += blockDim.x)
		sum += cos[(i / p.len * p.directions + blockIdx.x) * p.len + i % p.len];
	sum = block_sum(sum);
	if (!threadIdx.x)
		c[blockIdx.x] = sum / (float)(p.batch * p.len);
}

static __device__ __forceinline__ float dot4(float4 a, float4 b)
{
	return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}

/* A warp for each token, which serves all directions; four values a lane. */
static __global__ void cosine_fours(struct cosine p, float *cos, float *inverse_u,
	float *inverse_v, struct array u, struct array v)
{
	int lane = threadIdx.x & 31, dim = (int)p.dim;
	int token = (int)((blockIdx.x * blockDim.x + threadIdx.x) >> 5);
	int b = token / (int)p.len, l = token % (int)p.len;
	int64_t from_v = (int64_t)token * dim;
	float vv = 0;

	if (token >= p.batch * p.len)
		return;
	for (int c = 4 * lane; c < dim; c += 128) {
		float4 y = value4(v, from_v + c);

		vv += dot4(y, y);
	}
	vv = sqrtf(warp_sum(vv));
	if (!lane)
		inverse_v[token] = vv > 0 ? 1 / vv : 0;
	for (int k = 0; k < p.directions; k++) {
		int64_t at = ((int64_t)b * p.directions + k) * p.len + l;
		float uu = 0, uv = 0, both;

		for (int c = 4 * lane; c < dim; c += 128) {
			float4 x = value4(u, at * dim + c), y = value4(v, from_v + c);

			uu += dot4(x, x);
			uv += dot4(x, y);
		}
		uu = sqrtf(warp_sum(uu));
		uv = warp_sum(uv);
		both = uu * vv;
		if (!lane) {
			cos[at] = uv / (both > GUARD ? both : GUARD);
			inverse_u[at] = both < GUARD ? 0 : 1 / uu;
		}
	}
}

static __global__ void cosine_back_fours(struct cosine p, struct array du, int acc_u,
	struct array dv, int acc_v, const float *dc, const float *cos, const float *inverse_u,
	const float *inverse_v, struct array u, struct array v)
{
	int lane = threadIdx.x & 31, dim = (int)p.dim;
	int token = (int)((blockIdx.x * blockDim.x + threadIdx.x) >> 5);
	int b = token / (int)p.len, l = token % (int)p.len;
	float mean = 1 / (float)(p.batch * p.len), iv;

	if (token >= p.batch * p.len)
		return;
	iv = inverse_v[token];
	for (int c = 4 * lane; c < dim; c += 128) {
		float4 y = value4(v, (int64_t)token * dim + c), sum = make_float4(0, 0, 0, 0);
		float4 zero = make_float4(0, 0, 0, 0);

		for (int k = 0; k < p.directions; k++) {
			int64_t at = ((int64_t)b * p.directions + k) * p.len + l;
			float iu = inverse_u[at], s = iu != 0 ? mean * dc[k] : 0;
			float4 x = value4(u, at * dim + c);

			if (du.data)
				set_value4(du, at * dim + c,
					axpy4(s * iu * iv, y,
						axpy4(-s * cos[at] * iu * iu, x, zero)),
					acc_u);
			sum = axpy4(s * iu * iv, x, axpy4(-s * cos[at] * iv * iv, y, sum));
		}
		if (dv.data)
			set_value4(dv, (int64_t)token * dim + c, sum, acc_v);
	}
}

static int in_fours(const struct cosine *p)
{
	return p->dim % 4 == 0 && p->batch * p->len < 1 << 25;
}

void cosine_cuda(const struct cosine *p, float *c, float *cos, float *inverse_u, float *inverse_v,
	struct array u, struct array v)
{
	int64_t rows = p->batch * p->directions * p->len;

	if (in_fours(p)) {
		cosine_fours<<<(unsigned)((p->batch * p->len + 7) / 8), 256, 0, cuda_stream>>>(
			*p, cos, inverse_u, inverse_v, u, v);
		cosine_means<<<(unsigned)p->directions, 1024, 0, cuda_stream>>>(*p, c, cos);
		return;
	}

#define CALL(T, U)                                                                                 \
	cosine_kernel<<<(unsigned)((rows + 3) / 4), 128, 0, cuda_stream>>>(                        \
		*p, cos, inverse_u, inverse_v, (const T *)u.data, (const U *)v.data)
	BY_TYPES(u, v, CALL);
#undef CALL
	cosine_means<<<(unsigned)p->directions, 1024, 0, cuda_stream>>>(*p, c, cos);
}

/* du = s iu (v iv - cos u iu); dv the same with the roles changed, summed over directions */
template <typename T, typename U>
static __global__ void cosine_back(struct cosine p, struct array du, int acc_u, struct array dv,
	int acc_v, const float *dc, const float *cos, const float *inverse_u,
	const float *inverse_v, const T *u, const U *v)
{
	float mean = 1 / (float)(p.batch * p.len);

	GRID_STRIDE(i, p.batch * p.len * p.dim) {
		int64_t token = i / p.dim, c = i % p.dim;
		float b = load(v, i), iv = inverse_v[token], sum = 0;

		for (int64_t k = 0; k < p.directions; k++) {
			int64_t at = (token / p.len * p.directions + k) * p.len + token % p.len;
			float iu = inverse_u[at], a = load(u, at * p.dim + c);
			float s = iu != 0 ? mean * dc[k] : 0;

			if (du.data)
				set_value(du, at * p.dim + c,
					s * iu * (b * iv - cos[at] * a * iu), acc_u);
			sum += s * iv * (a * iu - cos[at] * b * iv);
		}
		if (dv.data)
			set_value(dv, i, sum, acc_v);
	}
}

void cosine_cuda_backward(const struct cosine *p, struct array du, int acc_u, struct array dv,
	int acc_v, const float *dc, const float *cos, const float *inverse_u,
	const float *inverse_v, struct array u, struct array v)
{
	int64_t n = p->batch * p->len * p->dim;

	if (in_fours(p)) {
		cosine_back_fours<<<(unsigned)((p->batch * p->len + 7) / 8), 256, 0, cuda_stream>>>(
			*p, du, acc_u, dv, acc_v, dc, cos, inverse_u, inverse_v, u, v);
		return;
	}
#define CALL(T, U)                                                                                 \
	cosine_back<<<grid_for(n, 256), 256, 0, cuda_stream>>>(*p, du, acc_u, dv, acc_v, dc, cos,  \
		inverse_u, inverse_v, (const T *)u.data, (const U *)v.data)
	BY_TYPES(u, v, CALL);
#undef CALL
}
