/*
 * dwconv1d without segments: a thread walks a stretch of tokens of its channels and asks for the next
 * few at once, so that their way from memory is waited for once. Outside the row inputs and
 * gradients are zero. The window of token t is t + first to t + first + 3, as in dwconv1d.cu.
 */
#include "kernels/dwconv1d.cuh"

#define ROW_THREADS 64
#define AHEAD_FORWARD 8 /* tokens */
#ifndef AHEAD_BACKWARD
#define AHEAD_BACKWARD 4
#endif

template <typename TX, typename TU, int V>
static __global__ __launch_bounds__(ROW_THREADS) void forward_rows(struct dwconv1d p,
	TU *__restrict__ u, TU *__restrict__ c, const TX *__restrict__ x,
	const float *__restrict__ weight, const float *__restrict__ bias, int stretches)
{
	int e = (blockIdx.y * ROW_THREADS + threadIdx.x) * V, dim = (int)p.dim, len = (int)p.len;
	int64_t row = blockIdx.x / stretches * p.len * dim + e;
	int t = (int)(blockIdx.x % stretches) * STRETCH,
	    end = t + STRETCH < len ? t + STRETCH : len;
	int first = p.mirrored ? 0 : -LAST;
	float w[TAPS][V], b[V], in[LAST + AHEAD_FORWARD][V] = {};

	if (e >= dim)
		return;
	x += row;
	for (int v = 0; v < V; v++) {
		b[v] = bias[e + v];
#pragma unroll
		for (int j = 0; j < TAPS; j++)
			w[j][v] = weight[(e + v) * TAPS + (p.mirrored ? LAST - j : j)];
	}
#pragma unroll
	for (int m = 0; m < LAST; m++)
		if (t + first + m >= 0 && t + first + m < len)
			load_pack<V>(in[m], x + (int64_t)(t + first + m) * dim);
	for (; t < end; t += AHEAD_FORWARD) {
#pragma unroll
		for (int j = 0; j < AHEAD_FORWARD; j++) {
			int at = t + first + LAST + j;

#pragma unroll
			for (int v = 0; v < V; v++)
				in[LAST + j][v] = 0;
			if (at < len)
				load_pack<V>(in[LAST + j], x + (int64_t)at * dim);
		}
#pragma unroll
		for (int j = 0; j < AHEAD_FORWARD; j++) {
			int64_t at = row + (int64_t)(t + j) * dim;
			float sum[V], y[V];

			if (t + j >= end)
				break;
#pragma unroll
			for (int v = 0; v < V; v++) {
				sum[v] = b[v];
#pragma unroll
				for (int m = 0; m < TAPS; m++)
					sum[v] += w[m][v] * in[j + m][v];
				y[v] = sum[v] * sigmoid_of(sum[v]);
			}
			if (c)
				store_pack<V>(c + at, sum);
			store_pack<V>(u + at, y);
		}
#pragma unroll
		for (int m = 0; m < LAST; m++)
#pragma unroll
			for (int v = 0; v < V; v++)
				in[m][v] = in[AHEAD_FORWARD + m][v];
	}
}

/* Block x takes stretches x, x + gridDim.x, ... and writes the part x of the weight gradients. */
template <typename TX, typename TU, int V>
static __global__ __launch_bounds__(ROW_THREADS) void backward_rows(struct dwconv1d p,
	TX *__restrict__ dx, int acc, float *__restrict__ part, const TU *__restrict__ du,
	const TU *__restrict__ c, const TX *__restrict__ x, const float *__restrict__ weight,
	int stretches)
{
	int e = (blockIdx.y * ROW_THREADS + threadIdx.x) * V, dim = (int)p.dim, len = (int)p.len;
	int first = p.mirrored ? 0 : -LAST, dfirst = p.mirrored ? -LAST : 0;
	float w[TAPS][V], dw[TAPS + 1][V] = {};

	if (e >= dim)
		return;
	for (int v = 0; v < V; v++)
#pragma unroll
		for (int m = 0; m < TAPS; m++)
			w[m][v] = weight[(e + v) * TAPS + (p.mirrored ? m : LAST - m)];
	for (int64_t n = blockIdx.x; n < p.batch * stretches; n += gridDim.x) {
		int64_t row = n / stretches * p.len * dim + e;
		int t = (int)(n % stretches) * STRETCH, end = t + STRETCH < len ? t + STRETCH : len;
		float in[LAST + AHEAD_BACKWARD][V] = {}, grad[LAST + AHEAD_BACKWARD][V] = {};
		const TX *xs = x + row;
		const TU *dus = du + row, *cs = c + row;
		TX *dxs = dx + row;

#pragma unroll
		for (int m = 0; m < LAST; m++) {
			int at = t + first + m, g = t + dfirst + m;
			float pre[V];

			if (at >= 0 && at < len)
				load_pack<V>(in[m], xs + (int64_t)at * dim);
			if (g < 0 || g >= len)
				continue;
			load_pack<V>(grad[m], dus + (int64_t)g * dim);
			load_pack<V>(pre, cs + (int64_t)g * dim);
#pragma unroll
			for (int v = 0; v < V; v++)
				grad[m][v] *= silu_slope(pre[v]);
		}
		for (; t < end; t += AHEAD_BACKWARD) {
			float pre[AHEAD_BACKWARD][V] = {}, old[AHEAD_BACKWARD][V] = {};

#pragma unroll
			for (int j = 0; j < AHEAD_BACKWARD; j++) {
				int at = t + first + LAST + j, g = t + dfirst + LAST + j;

#pragma unroll
				for (int v = 0; v < V; v++)
					in[LAST + j][v] = grad[LAST + j][v] = 0;
				if (at < len)
					load_pack<V>(in[LAST + j], xs + (int64_t)at * dim);
				if (g < len) {
					load_pack<V>(grad[LAST + j], dus + (int64_t)g * dim);
					load_pack<V>(pre[j], cs + (int64_t)g * dim);
				}
				if (acc && dx && t + j < end)
					load_pack<V>(old[j], dxs + (int64_t)(t + j) * dim);
			}
#pragma unroll
			for (int j = 0; j < AHEAD_BACKWARD; j++)
#pragma unroll
				for (int v = 0; v < V; v++)
					grad[LAST + j][v] *= silu_slope(pre[j][v]);
#pragma unroll
			for (int j = 0; j < AHEAD_BACKWARD; j++) {
				if (t + j >= end)
					break;
#pragma unroll
				for (int v = 0; v < V; v++) {
					float dc = p.mirrored ? grad[LAST + j][v] : grad[j][v],
					      sum = 0;

					dw[TAPS][v] += dc;
#pragma unroll
					for (int m = 0; m < TAPS; m++) {
						dw[m][v] += dc * in[j + m][v];
						sum += w[m][v] * grad[j + m][v];
					}
					old[j][v] += sum;
				}
				if (dx)
					store_pack<V>(dxs + (int64_t)(t + j) * dim, old[j]);
			}
#pragma unroll
			for (int m = 0; m < LAST; m++)
#pragma unroll
				for (int v = 0; v < V; v++) {
					in[m][v] = in[AHEAD_BACKWARD + m][v];
					grad[m][v] = grad[AHEAD_BACKWARD + m][v];
				}
		}
	}
	for (int v = 0; v < V; v++)
#pragma unroll
		for (int m = 0; m <= TAPS; m++) {
			int tap = m < TAPS && p.mirrored ? LAST - m : m;

			part[((int64_t)blockIdx.x * (TAPS + 1) + tap) * dim + e + v] = dw[m][v];
		}
}

void dwconv1d_rows_forward(const struct dwconv1d *p, struct array u, struct array c, struct array x,
	const float *weight, const float *bias)
{
	unsigned rows = (unsigned)(p->batch * stretches_of(p));

#define CALL(TX, TU, V)                                                                            \
	forward_rows<TX, TU, V>                                                                    \
		<<<dim3(rows, groups_of(p, V, ROW_THREADS)), ROW_THREADS, 0, cuda_stream>>>(*p,    \
			(TU *)u.data, (TU *)c.data, (const TX *)x.data, weight, bias,              \
			stretches_of(p))
	BY_PACK(x, u, p->dim, CALL);
#undef CALL
}

void dwconv1d_rows_backward(const struct dwconv1d *p, struct array dx, int acc_x, struct array du,
	struct array c, struct array x, const float *weight, float *part)
{
	unsigned parts = (unsigned)parts_of(p);

#define CALL(TX, TU, V)                                                                            \
	backward_rows<TX, TU, V>                                                                   \
		<<<dim3(parts, groups_of(p, V, ROW_THREADS)), ROW_THREADS, 0, cuda_stream>>>(*p,   \
			(TX *)dx.data, acc_x, part, (const TU *)du.data, (const TU *)c.data,       \
			(const TX *)x.data, weight, stretches_of(p))
	BY_PACK(x, du, p->dim, CALL);
#undef CALL
}
