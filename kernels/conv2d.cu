/* Columns of a convolution, and back. */
#include "kernels/conv2d_cuda.h"
#include "kernels/pack.cuh"

#define THREADS 256
#define V 8 /* values a thread writes */

/* Where pixel n of the output lies: its image's offset in x, and its first pixel under a tap. */
struct origin {
	int64_t image;
	int i, j;
};

struct sizes {
	int height, width, cin, kernel, stride, pad, rows, cols; /* rows, cols: of the output */
	int padded;
};

static __device__ __forceinline__ origin origin_of(const sizes &s, uint32_t n)
{
	uint32_t row = n / s.cols;

	return {(int64_t)(row / s.rows) * s.height * s.width,
		(int)(row % s.rows) * s.stride - s.pad, (int)(n % s.cols) * s.stride - s.pad};
}

/*
 * The taps of one row, with their channels, are neighbours in x: value r of tap row di is r values
 * after channel 0 of the row's first pixel. together: V values are of one tap, as cin is a multiple
 * of V.
 */
template <typename TC, typename TX>
static __global__ void columns_kernel(
	TC *__restrict__ columns, const TX *__restrict__ x, sizes s, uint32_t packs, int together)
{
	uint32_t each = s.padded / V;
	int span = s.kernel * s.cin, wide = s.width * s.cin;

	for (uint32_t n = blockIdx.x * blockDim.x + threadIdx.x; n < packs;
		n += gridDim.x * blockDim.x) {
		uint32_t pixel = n / each;
		int k = (int)(n - pixel * each) * V, di = k / span, r = k - di * span;
		origin o = origin_of(s, pixel);
		int64_t row = (o.image + (int64_t)(o.i + di) * s.width) * s.cin;
		int i = o.i + di, first = o.j * s.cin;
		float f[V] = {};

		if (together) {
			if (i >= 0 && i < s.height && first + r >= 0 && first + r < wide)
				load_pack<V>(f, x + row + first + r);
		} else {
#pragma unroll
			for (int v = 0; v < V; v++) {
				if (di < s.kernel && i >= 0 && i < s.height && first + r >= 0 &&
					first + r < wide)
					f[v] = load(x, row + first + r);
				if (++r == span) {
					r = 0;
					di++;
					i++;
					row += wide;
				}
			}
		}
		store_pack<V>(columns + (int64_t)n * V, f);
	}
}

/* P channels of a pixel of dx a thread */
template <typename TX, typename TC, int P>
static __global__ void input_kernel(
	TX *__restrict__ dx, int acc, const TC *__restrict__ columns, sizes s, uint32_t packs)
{
	uint32_t each = s.cin / P;

	for (uint32_t n = blockIdx.x * blockDim.x + threadIdx.x; n < packs;
		n += gridDim.x * blockDim.x) {
		uint32_t pixel = n / each, row = pixel / s.width;
		int c = (int)(n - pixel * each) * P;
		int i = (int)(row % s.height) + s.pad, j = (int)(pixel % s.width) + s.pad;
		int64_t image = (int64_t)(row / s.height) * s.rows;
		float sum[P] = {};

		for (int di = i % s.stride; di < s.kernel && di <= i; di += s.stride) {
			int oi = (i - di) / s.stride;

			if (oi >= s.rows)
				continue;
			for (int dj = j % s.stride; dj < s.kernel && dj <= j; dj += s.stride) {
				int oj = (j - dj) / s.stride;
				float f[P];

				if (oj >= s.cols)
					continue;
				load_pack<P>(f, columns + ((image + oi) * s.cols + oj) * s.padded +
							(di * s.kernel + dj) * s.cin + c);
#pragma unroll
				for (int v = 0; v < P; v++)
					sum[v] += f[v];
			}
		}
		put_pack<P>(dx + (int64_t)n * P, sum, acc);
	}
}

template <typename T>
static __global__ void matrix_kernel(
	T *__restrict__ matrix, const float *__restrict__ weight, sizes s, int64_t cout)
{
	int taps = s.kernel * s.kernel;

	GRID_STRIDE(n, cout * s.padded)
	{
		int64_t o = n / s.padded;
		int k = (int)(n - o * s.padded), tap = k / s.cin, c = k - tap * s.cin;

		store(matrix, n, tap < taps ? weight[(o * s.cin + c) * taps + tap] : 0);
	}
}

static __global__ void weight_kernel(
	float *__restrict__ dweight, const float *__restrict__ matrix, sizes s, int64_t cout)
{
	int taps = s.kernel * s.kernel;

	GRID_STRIDE(n, cout * s.cin * taps)
	{
		int64_t row = n / taps, o = row / s.cin;

		dweight[n] += matrix[o * s.padded + (n % taps) * s.cin + row % s.cin];
	}
}

static sizes sizes_of(const struct conv2d *p)
{
	return {(int)p->height, (int)p->width, (int)p->cin, (int)p->kernel, (int)p->stride,
		(int)p->pad, (int)conv2d_out(p, p->height), (int)conv2d_out(p, p->width),
		(int)conv2d_padded(p)};
}

/* Packs of a chunk are counted in 32 bits: a chunk that needs more fits into no memory. */
void conv2d_columns_cuda(const struct conv2d *p, struct array columns, struct array x)
{
	int64_t packs = p->batch * conv2d_pixels(p) * (conv2d_padded(p) / V);
	int blocks = grid_for(packs, THREADS);
	sizes s = sizes_of(p);

#define CALL(TC, TX)                                                                               \
	columns_kernel<TC, TX><<<blocks, THREADS, 0, cuda_stream>>>(                               \
		(TC *)columns.data, (const TX *)x.data, s, (uint32_t)packs, s.cin % V == 0)
	BY_TYPES(columns, x, CALL);
#undef CALL
}

void conv2d_input_cuda(const struct conv2d *p, struct array dx, int acc, struct array columns)
{
	int together = p->cin % V ? 1 : V;
	int64_t packs = p->batch * p->height * p->width * (p->cin / together);
	int blocks = grid_for(packs, THREADS);
	sizes s = sizes_of(p);

#define PACKED(TX, TC, P)                                                                          \
	input_kernel<TX, TC, P><<<blocks, THREADS, 0, cuda_stream>>>(                              \
		(TX *)dx.data, acc, (const TC *)columns.data, s, (uint32_t)packs)
#define CALL(TX, TC)                                                                               \
	do {                                                                                       \
		if (together == 1)                                                                 \
			PACKED(TX, TC, 1);                                                         \
		else                                                                               \
			PACKED(TX, TC, V);                                                         \
	} while (0)
	BY_TYPES(dx, columns, CALL);
#undef CALL
#undef PACKED
}

void conv2d_matrix_cuda(const struct conv2d *p, struct array matrix, const float *weight)
{
	sizes s = sizes_of(p);

#define CALL(T)                                                                                    \
	matrix_kernel<T><<<grid_for(p->cout *s.padded, THREADS), THREADS, 0, cuda_stream>>>(       \
		(T *)matrix.data, weight, s, p->cout)
	BY_TYPE(matrix, CALL);
#undef CALL
}

void conv2d_weight_cuda(const struct conv2d *p, float *dweight, const float *matrix)
{
	sizes s = sizes_of(p);
	int64_t n = p->cout * p->cin * p->kernel * p->kernel;

	weight_kernel<<<grid_for(n, THREADS), THREADS, 0, cuda_stream>>>(
		dweight, matrix, s, p->cout);
}
