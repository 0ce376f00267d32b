/*
 * A thread walks a stretch of tokens of its channels, whose last four inputs it keeps in registers.
 *
 * Both the causal and the mirrored form walk forward: the window of token t is t + first to
 * t + first + 3, first = -3 or 0, with the weights in the window's order.
 */
#include "kernels/dwconv1d.cuh"

#define THREADS 128

/* The tokens under a window, their values and segments; -1: outside the row. */
template <int V> struct window {
	float v[TAPS][V];
	int32_t segment[TAPS];

	__device__ void shift()
	{
#pragma unroll
		for (int m = 0; m < LAST; m++) {
			segment[m] = segment[m + 1];
#pragma unroll
			for (int i = 0; i < V; i++)
				v[m][i] = v[m + 1][i];
		}
	}
};

/* Segments of a row, or zero throughout where there are none. */
static __device__ __forceinline__ int32_t segment_of(
	const int32_t *segments, int64_t row, int64_t t, int64_t len)
{
	if (t < 0 || t >= len)
		return -1;
	return segments ? segments[row + t] : 0;
}

template <int V, typename T>
static __device__ __forceinline__ void take_input(window<V> &w, const T *x, int64_t row, int64_t t,
	int64_t len, int64_t dim, const int32_t *segments)
{
	w.shift();
	w.segment[LAST] = segment_of(segments, row, t, len);
#pragma unroll
	for (int i = 0; i < V; i++)
		w.v[LAST][i] = 0;
	if (w.segment[LAST] >= 0)
		load_pack<V>(w.v[LAST], x + (row + t) * dim);
}

/* The newest token is one before the row. */
template <int V> static __device__ __forceinline__ void take_before(window<V> &w, const float *at)
{
	w.segment[LAST] = 0;
#pragma unroll
	for (int i = 0; i < V; i++)
		w.v[LAST][i] = at[i];
}

/* dc of token t */
template <int V, typename T>
static __device__ __forceinline__ void take_gradient(window<V> &w, const T *du, const T *c,
	int64_t row, int64_t t, int64_t len, int64_t dim, const int32_t *segments)
{
	float pre[V];

	take_input<V>(w, du, row, t, len, dim, segments);
	if (w.segment[LAST] < 0)
		return;
	load_pack<V>(pre, c + (row + t) * dim);
#pragma unroll
	for (int i = 0; i < V; i++)
		w.v[LAST][i] *= silu_slope(pre[i]);
}

template <typename TX, typename TU, int V>
static __global__ void forward_kernel(struct dwconv1d p, TU *__restrict__ u, TU *__restrict__ c,
	const TX *__restrict__ x, const float *__restrict__ weight, const float *__restrict__ bias,
	const int32_t *segments, const float *before, int stretches)
{
	int64_t e = ((int64_t)blockIdx.y * THREADS + threadIdx.x) * V;
	int64_t row = blockIdx.x / stretches * p.len;
	int64_t t = (int64_t)(blockIdx.x % stretches) * STRETCH;
	int64_t end = t + STRETCH < p.len ? t + STRETCH : p.len, first = p.mirrored ? 0 : -LAST;
	float w[TAPS][V], b[V];
	window<V> in;

	if (e >= p.dim)
		return;
	for (int v = 0; v < V; v++) {
		b[v] = bias[e + v];
#pragma unroll
		for (int j = 0; j < TAPS; j++)
			w[j][v] = weight[(e + v) * TAPS + (p.mirrored ? LAST - j : j)];
	}
	for (int m = 0; m < LAST; m++) {
		take_input<V>(in, x + e, row, t + first + m, p.len, p.dim, segments);
		if (before && !t)
			take_before<V>(in, before + (row / p.len * LAST + m) * p.dim + e);
	}
#pragma unroll 4
	for (; t < end; t++) {
		float sum[V], y[V];
		int32_t here = segment_of(segments, row, t, p.len);

		take_input<V>(in, x + e, row, t + first + LAST, p.len, p.dim, segments);
#pragma unroll
		for (int v = 0; v < V; v++) {
			sum[v] = b[v];
#pragma unroll
			for (int m = 0; m < TAPS; m++)
				sum[v] += in.segment[m] == here ? w[m][v] * in.v[m][v] : 0;
			y[v] = sum[v] * sigmoid_of(sum[v]);
		}
		if (c)
			store_pack<V>(c + (row + t) * p.dim + e, sum);
		store_pack<V>(u + (row + t) * p.dim + e, y);
	}
}

/* Block x takes stretches x, x + gridDim.x, ... and writes the part x of the weight gradients. */
template <typename TX, typename TU, int V>
static __global__ void backward_kernel(struct dwconv1d p, TX *__restrict__ dx, int acc,
	float *__restrict__ part, const TU *__restrict__ du, const TU *__restrict__ c,
	const TX *__restrict__ x, const float *__restrict__ weight, const int32_t *segments,
	int stretches)
{
	int64_t e = ((int64_t)blockIdx.y * THREADS + threadIdx.x) * V;
	int64_t first = p.mirrored ? 0 : -LAST, dfirst = p.mirrored ? -LAST : 0;
	float w[TAPS][V], dw[TAPS + 1][V] = {};

	if (e >= p.dim)
		return;
	for (int v = 0; v < V; v++)
#pragma unroll
		for (int m = 0; m < TAPS; m++)
			w[m][v] = weight[(e + v) * TAPS + (p.mirrored ? m : LAST - m)];
	for (int64_t n = blockIdx.x; n < p.batch * stretches; n += gridDim.x) {
		int64_t row = n / stretches * p.len, t = n % stretches * STRETCH;
		int64_t end = t + STRETCH < p.len ? t + STRETCH : p.len;
		window<V> in, grad;

		for (int m = 0; m < LAST; m++) {
			take_input<V>(in, x + e, row, t + first + m, p.len, p.dim, segments);
			take_gradient<V>(
				grad, du + e, c + e, row, t + dfirst + m, p.len, p.dim, segments);
		}
#pragma unroll 2
		for (; t < end; t++) {
			int32_t here = segment_of(segments, row, t, p.len);

			take_input<V>(in, x + e, row, t + first + LAST, p.len, p.dim, segments);
			take_gradient<V>(grad, du + e, c + e, row, t + dfirst + LAST, p.len, p.dim,
				segments);
			float sum[V];
#pragma unroll
			for (int v = 0; v < V; v++) {
				float dc = p.mirrored ? grad.v[LAST][v] : grad.v[0][v];

				sum[v] = 0;
				dw[TAPS][v] += dc;
#pragma unroll
				for (int m = 0; m < TAPS; m++) {
					dw[m][v] += in.segment[m] == here ? dc * in.v[m][v] : 0;
					sum[v] += grad.segment[m] == here ? w[m][v] * grad.v[m][v]
									  : 0;
				}
			}
			if (dx)
				put_pack<V>(dx + (row + t) * p.dim + e, sum, acc);
		}
	}
	for (int v = 0; v < V; v++)
		for (int m = 0; m <= TAPS; m++) {
			int tap = m < TAPS && p.mirrored ? LAST - m : m;

			part[((int64_t)blockIdx.x * (TAPS + 1) + tap) * p.dim + e + v] = dw[m][v];
		}
}

/* A thread a channel of a sample: it alone reads and writes the channel's window. */
template <typename T>
static __global__ void advance_window(struct dwconv1d p, float *window, const T *x)
{
	int64_t e = (int64_t)blockIdx.y * THREADS + threadIdx.x, len = p.len;
	float *w = window + blockIdx.x * LAST * p.dim + e, next[LAST];

	if (e >= p.dim)
		return;
	for (int64_t j = 0; j < LAST; j++) {
		int64_t t = len - LAST + j;

		next[j] =
			t >= 0 ? load(x, (blockIdx.x * len + t) * p.dim + e) : w[(j + len) * p.dim];
	}
	for (int64_t j = 0; j < LAST; j++)
		w[j * p.dim] = next[j];
}

void dwconv1d_forward_cuda(const struct dwconv1d *p, struct array u, struct array c, struct array x,
	const float *weight, const float *bias, const int32_t *segments, float *window)
{
	unsigned rows = (unsigned)(p->batch * stretches_of(p));

	if (!segments && !window) {
		dwconv1d_rows_forward(p, u, c, x, weight, bias);
		return;
	}
#define CALL(TX, TU, V)                                                                            \
	forward_kernel<TX, TU, V>                                                                  \
		<<<dim3(rows, groups_of(p, V, THREADS)), THREADS, 0, cuda_stream>>>(*p,            \
			(TU *)u.data, (TU *)c.data, (const TX *)x.data, weight, bias, segments,    \
			window, stretches_of(p))
	BY_PACK(x, u, p->dim, CALL);
#undef CALL
#define CALL(T)                                                                                    \
	advance_window<<<dim3((unsigned)p->batch, groups_of(p, 1, THREADS)), THREADS, 0,           \
		cuda_stream>>>(*p, window, (const T *)x.data)
	if (window)
		BY_TYPE(x, CALL);
#undef CALL
}

void dwconv1d_backward_cuda(const struct dwconv1d *p, struct array dx, int acc_x, float *dweight,
	float *dbias, struct array du, struct array c, struct array x, const float *weight,
	const int32_t *segments, float *work)
{
	unsigned parts = (unsigned)parts_of(p);

#define CALL(TX, TU, V)                                                                            \
	backward_kernel<TX, TU, V>                                                                 \
		<<<dim3(parts, groups_of(p, V, THREADS)), THREADS, 0, cuda_stream>>>(*p,           \
			(TX *)dx.data, acc_x, work, (const TU *)du.data, (const TU *)c.data,       \
			(const TX *)x.data, weight, segments, stretches_of(p))
	if (segments)
		BY_PACK(x, du, p->dim, CALL);
	else
		dwconv1d_rows_backward(p, dx, acc_x, du, c, x, weight, work);
#undef CALL
	if (dweight || dbias)
		sum_tap_parts(dweight, dbias, work, (int)parts, TAPS, p->dim);
}

int64_t dwconv1d_work_cuda(const struct dwconv1d *p, int backward)
{
	return backward ? (TAPS + 1) * p->dim * parts_of(p) : 0;
}
