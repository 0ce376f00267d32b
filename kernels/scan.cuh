/* What the forms of the selective scan on CUDA share. */
#ifndef KERNELS_SCAN_CUH
#define KERNELS_SCAN_CUH

#include "kernels/cuda.cuh"
#include "kernels/selective_scan_cuda.h"

#define LOG2E 1.4426950408889634f
#define LN2 0.6931471805599453f
#define WARP 32

/* HALF: all activations are bf16; else each as its array says. */
template <int HALF> static __device__ __forceinline__ float read(struct array a, int64_t i)
{
	return HALF ? load((const bf16 *)a.data, i) : value(a, i);
}

template <int HALF>
static __device__ __forceinline__ void write(struct array a, int64_t i, float x, int acc)
{
	if (HALF)
		put((bf16 *)a.data, i, x, acc);
	else
		set_value(a, i, x, acc);
}

/* 2^x within 2^-22; denormal results are zero. */
static __device__ __forceinline__ float ex2(float x)
{
#ifdef __CUDA_ARCH__
	float y;

	asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
	return y;
#else
	return exp2f(x);
#endif
}

/* log(1 + e^x) = max(x, 0) + log(1 + t), t = e^-|x|; the latter 2 atanh(t / (2 + t)) as a series. */
static __device__ __forceinline__ float softplus(float x)
{
	float t = ex2(-LOG2E * fabsf(x)), s = __fdividef(t, 2 + t), q = s * s;
	float y = 1.f / 15;

	y = y * q + 1.f / 13;
	y = y * q + 1.f / 11;
	y = y * q + 1.f / 9;
	y = y * q + 1.f / 7;
	y = y * q + 1.f / 5;
	y = y * q + 1.f / 3;
	return fmaxf(x, 0) + 2 * (s + s * q * y);
}

/* 1 - e^-delta, delta >= 0: softplus' at the place where it is delta. */
static __device__ __forceinline__ float softplus_slope(float delta)
{
	float y = 1.f / 5040;

	y = 1.f / 720 - y * delta;
	y = 1.f / 120 - y * delta;
	y = 1.f / 24 - y * delta;
	y = 1.f / 6 - y * delta;
	y = 0.5f - y * delta;
	return delta < 0.25f ? delta - y * delta * delta : 1 - ex2(-LOG2E * delta);
}

/* A log2(e) of channel e, state n; 0 beyond the last state. */
static __device__ __forceinline__ float decay(const struct scan_arrays &in, int e, int n, int N)
{
	return n < N ? -expf(value(in.A_log, (int64_t)e * N + n)) * LOG2E : 0;
}

/*
 * Sums of V values over the V lanes that differ in bits STEP to V STEP / 2, into v[.][0]: lane l gets
 * that of value (l / STEP) % V. V is a power of two; the COUNT sets of values go side by side, so
 * that their shuffles overlap. v is used up.
 */
template <int V, int STEP, int COUNT, int ROW>
static __device__ __forceinline__ void lane_sums_of(float (*v)[ROW])
{
	if constexpr (V > 1) {
		int up = threadIdx.x & V / 2 * STEP;

#pragma unroll
		for (int k = 0; k < COUNT; k++)
#pragma unroll
			for (int i = 0; i < V / 2; i++) {
				float keep = up ? v[k][i + V / 2] : v[k][i];
				float send = up ? v[k][i] : v[k][i + V / 2];

				v[k][i] = keep + __shfl_xor_sync(0xffffffffu, send, V / 2 * STEP);
			}
		lane_sums_of<V / 2, STEP, COUNT, ROW>(v);
	}
}

template <int V, int STEP> static __device__ __forceinline__ float lane_sums(float *v)
{
	lane_sums_of<V, STEP, 1, V>((float(*)[V])v);
	return v[0];
}

/* Sum over the lanes that differ in bits FROM to 16. */
template <int FROM> static __device__ __forceinline__ float rest_sum(float x)
{
#pragma unroll
	for (int d = FROM; d < WARP; d *= 2)
		x += __shfl_xor_sync(0xffffffffu, x, d);
	return x;
}

/* Where backward leaves its parts; T = tiles of channels. */
struct scan_parts {
	int64_t tiles;
	float *BC;	    /* (b, T, L, 2, N): dB and dC */
	float *sample;	    /* (b, E N + 2 E + 5 N): dA_log, dD, dbeta, ddirection_B */
	float *code;	    /* (b, T, STEP_CODES, N) */
	float *check;	    /* states on the way, as the form keeps them */
	float *du, *ddelta; /* (b, L, E), or NULL */
};

/* One scan of a launch; y: what forward writes, or its gradient. */
struct scan_job {
	struct scan_arrays in;
	struct array y;
	struct scan_array_grads d;
	struct scan_parts parts;
};

/* Scans of one size side by side: the grid's third axis. */
struct scan_jobs {
	int count;
	struct scan_job of[SCANS_MAX];
};

static inline __host__ __device__ int64_t scan_tiles(const struct selective_scan &p)
{
	return (p.dim + WARP - 1) / WARP;
}

static inline __host__ __device__ int64_t scan_row(const struct selective_scan &p)
{
	return p.dim * p.state + 2 * p.dim + STEP_CODES * p.state;
}

enum scan_form { SCAN_PLAIN, SCAN_SET, SCAN_ONE };

enum scan_form scan_form_of(
	const struct selective_scan &p, const struct scan_arrays &in, int backward);
/* Carves the parts of one scan from work, which may be NULL; returns floats. */
int64_t scan_parts_of(struct scan_parts *parts, const struct selective_scan &p, enum scan_form form,
	float *work);
/* By a form that takes jobs. */
void scan_jobs_forward(
	const struct selective_scan &p, enum scan_form form, const struct scan_jobs &jobs);
void scan_jobs_backward(
	const struct selective_scan &p, enum scan_form form, struct scan_jobs &jobs);

/* dB, dC, then gradients of parameters, from the parts. */
void scan_sum_parts(const struct selective_scan &p, const struct scan_jobs &jobs);

/* The plain form's backward, and the floats of parts.check that it needs. */
void scan_plain_backward(const struct selective_scan &p, const struct scan_array_grads &d,
	struct array dy, const struct scan_arrays &in, const struct scan_parts &parts);
int64_t scan_plain_check(const struct selective_scan &p);

/* The set form: whether it takes this problem, and its launchers. */
int scan_set_takes(const struct selective_scan &p, const struct scan_arrays &in, int backward);
void scan_set_forward(const struct selective_scan &p, const struct scan_jobs &jobs);
void scan_set_backward(const struct selective_scan &p, const struct scan_jobs &jobs);
int64_t scan_set_tiles(const struct selective_scan &p);
int64_t scan_set_check(const struct selective_scan &p);	      /* floats of parts.check */
int64_t scan_set_back_shared(const struct selective_scan &p); /* bytes of shared memory */

/* The same of the form for one state. */
int scan_one_takes(const struct selective_scan &p, const struct scan_arrays &in);
void scan_one_forward(const struct selective_scan &p, const struct scan_jobs &jobs);
void scan_one_backward(const struct selective_scan &p, struct scan_jobs &jobs); /* sets tiles */
int64_t scan_one_tiles(const struct selective_scan &p);
int64_t scan_one_check(const struct selective_scan &p);

/* Of the device in use. */
static inline int64_t device_limit(enum cudaDeviceAttr what)
{
	int device = 0, n = 0;

	cudaGetDevice(&device);
	cudaDeviceGetAttribute(&n, what, device);
	return n;
}

/* Whether all activations are halves. */
static inline int scan_all_half(const struct scan_arrays &in, struct array y)
{
	return in.u.half && in.r.half && in.B.half && in.C.half && y.half;
}

static inline int scan_jobs_half(const struct scan_jobs &jobs)
{
	int half = 1;

	for (int i = 0; i < jobs.count; i++)
		half &= scan_all_half(jobs.of[i].in, jobs.of[i].y);
	return half;
}

#endif
