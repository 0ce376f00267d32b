/*
 * The convolution 3 x 3, stride 1, padding 1, of 64 channels to 64, in halves, without columns.
 *
 * Blocks stay and take tile after tile of output pixels, 16 of a row wide. A tile of x with its
 * margin lies in shared memory, and the pixels under a tap are the same tile, shifted: a row of 16
 * pixels is one operand of a tensor-core product. A pixel's 128 bytes are 8 pieces of 16, and piece
 * q lies at place q ^ (pixel % 8), so that 8 neighbouring pixels' pieces fall into different banks.
 */
#include "kernels/conv2d_tile_cuda.h"
#include "kernels/mma.cuh"
#include "kernels/pack.cuh"

#define C 64 /* channels, in and out */
#define TAPS 9
#define DEPTH (TAPS * C) /* of the product */
#define WIDE 16		 /* columns of a tile */
#define PITCH (WIDE + 2)
#define PIXEL 128	/* bytes of a pixel */
#define ROW (DEPTH * 2) /* bytes of a row of the matrix */

struct field {
	int height, width, rows, columns, items; /* pixels; tiles of an image; tiles in all */
};

struct spot {
	int64_t image; /* its first pixel */
	int i, j;      /* the tile's first row and column */
};

static __device__ __forceinline__ spot spot_of(const field &f, int n, int tall)
{
	int each = f.rows * f.columns, at = n % each;

	return {(int64_t)(n / each) * f.height * f.width, at / f.columns * tall,
		at % f.columns * WIDE};
}

/* Starts copying rows x columns pixels from (i, j) on to `to`, zeros outside the image. */
static __device__ __forceinline__ void fill(uint32_t to, const bf16 *x, const field &f,
	int64_t image, int i0, int j0, int rows, int columns)
{
	for (int n = threadIdx.x; n < rows * columns * 8; n += blockDim.x) {
		int p = n / 8, q = n % 8, i = i0 + p / columns, j = j0 + p % columns;
		int on = i >= 0 && j >= 0 && i < f.height && j < f.width;
		int64_t at = on ? (image + (int64_t)i * f.width + j) * C + q * 8 : 0;

		copy_piece(to + p * PIXEL + ((q ^ (p & 7)) << 4), x + at, on);
	}
}

/*
 * Row n of the matrix in shared memory is channel 16 (n % 8 / 2) + 2 (n / 8) + n % 2 of the output:
 * then a lane's 16 results of a pixel are neighbours.
 */
static __device__ __forceinline__ void fill_matrix(uint32_t to, const bf16 *matrix)
{
	for (int m = threadIdx.x; m < C * TAPS * 8; m += blockDim.x) {
		int n = m / (TAPS * 8), q = m % (TAPS * 8);
		int channel = 16 * (n % 8 / 2) + 2 * (n / 8) + n % 2;

		copy_piece(
			to + n * ROW + ((q ^ (n & 7)) << 4), matrix + channel * DEPTH + q * 8, 1);
	}
}

/* sum[r][n]: pixels of row r of the warp's, channels of product n */
template <int R>
static __device__ __forceinline__ void multiply_tile(
	float (&sum)[R][8][4], uint32_t in, uint32_t matrix)
{
	int lane = threadIdx.x % 32, first = threadIdx.x / 32 * R;
	int n = (lane & 7) + (lane >> 4) * 8;
	uint32_t b_row = matrix + n * ROW + ((((lane >> 3) & 1) ^ (n & 7)) << 4);

#pragma unroll 1
	for (int di = 0; di < 3; di++) {
#pragma unroll
		for (int dj = 0; dj < 3; dj++) {
			uint32_t a_row[R];

#pragma unroll
			for (int r = 0; r < R; r++) {
				int p = (first + r + di) * PITCH + dj + (lane & 15);

				a_row[r] = in + p * PIXEL + (((lane >> 4) ^ (p & 7)) << 4);
			}
#pragma unroll
			for (int k = 0; k < 4; k++) {
				uint32_t a[R][4], b[4][4];

#pragma unroll
				for (int m = 0; m < 4; m++)
					load_matrices(b[m], (b_row ^ (k << 5)) + m * 16 * ROW +
								    (di * 3 + dj) * PIXEL);
#pragma unroll
				for (int r = 0; r < R; r++)
					load_matrices(a[r], a_row[r] ^ (k << 5));
#pragma unroll
				for (int r = 0; r < R; r++)
#pragma unroll
					for (int m = 0; m < 8; m++)
						multiply_add(sum[r][m], a[r], b[m / 2][m % 2 * 2],
							b[m / 2][m % 2 * 2 + 1]);
			}
		}
	}
}

template <int R>
static __device__ __forceinline__ void store_tile(
	float (&sum)[R][8][4], bf16 *y, int acc, const float *bias, const field &f, const spot &s)
{
	int lane = threadIdx.x % 32, channel = lane % 4 * 16;

#pragma unroll
	for (int r = 0; r < R; r++)
#pragma unroll
		for (int h = 0; h < 2; h++) {
			int i = s.i + threadIdx.x / 32 * R + r, j = s.j + lane / 4 + 8 * h;
			int64_t at = (s.image + (int64_t)i * f.width + j) * C + channel;

			if (i >= f.height || j >= f.width)
				continue;
#pragma unroll
			for (int m = 0; m < 8; m += 4) {
				float v[8];

#pragma unroll
				for (int k = 0; k < 8; k++) {
					v[k] = sum[r][m + k / 2][2 * h + k % 2];
					if (bias)
						v[k] += bias[channel + 2 * m + k];
				}
				put_pack<8>(y + at + 2 * m, v, acc);
			}
		}
}

#define WARPS 4

/* R rows of a tile a warp */
template <int R>
static __global__ void __launch_bounds__(WARPS * 32, 2) forward_tiles(
	field f, bf16 *y, int acc, const bf16 *x, const bf16 *matrix, const float *bias)
{
	extern __shared__ __align__(128) unsigned char room[];
	uint32_t rows = shared_at(room), in = rows + C * ROW;

	fill_matrix(rows, matrix);
	for (int n = blockIdx.x; n < f.items; n += gridDim.x) {
		spot s = spot_of(f, n, WARPS * R);
		float sum[R][8][4] = {};

		fill(in, x, f, s.image, s.i - 1, s.j - 1, WARPS * R + 2, PITCH);
		copy_commit();
		copy_wait<0>();
		__syncthreads();
		multiply_tile<R>(sum, in, rows);
		__syncthreads();
		store_tile<R>(sum, y, acc, bias, f, s);
	}
}

/* --- the gradient of the weight --- */

#define TALL 8 /* rows of a tile */
#define HALO_BYTES ((TALL + 2) * PITCH * PIXEL)
#define STAGE (HALO_BYTES + TALL * WIDE * PIXEL)

static __device__ __forceinline__ void fill_both(
	uint32_t to, const bf16 *x, const bf16 *dy, const field &f, int n)
{
	if (n < f.items) {
		spot s = spot_of(f, n, TALL);

		fill(to, x, f, s.image, s.i - 1, s.j - 1, TALL + 2, PITCH);
		fill(to + HALO_BYTES, dy, f, s.image, s.i, s.j, TALL, WIDE);
	}
	copy_commit();
}

/* sum[tap][m]: 16 channels of dy from 16 m on, and 8 channels of x: those of the warp */
static __device__ __forceinline__ void multiply_gradient(float (&sum)[TAPS][4][4], uint32_t stage)
{
	int lane = threadIdx.x % 32, piece = threadIdx.x / 32;

#pragma unroll 1
	for (int r = 0; r < TALL; r++) {
		int p = r * WIDE + (lane & 7) + (lane >> 4) * 8;
		uint32_t a_row =
			stage + HALO_BYTES + p * PIXEL + ((((lane >> 3) & 1) ^ (p & 7)) << 4);
		uint32_t a[4][4];

#pragma unroll
		for (int m = 0; m < 4; m++)
			load_turned(a[m], a_row ^ (m << 5));
#pragma unroll
		for (int tap = 0; tap < TAPS; tap += 2) {
			int own = lane < 16 || tap + 1 == TAPS ? tap : tap + 1;
			int q = (r + own / 3) * PITCH + own % 3 + (lane & 15);
			uint32_t b[4];

			load_turned(b, stage + q * PIXEL + ((piece ^ (q & 7)) << 4));
#pragma unroll
			for (int m = 0; m < 4; m++) {
				multiply_add(sum[tap][m], a[m], b[0], b[1]);
				if (tap + 1 < TAPS)
					multiply_add(sum[tap + 1][m], a[m], b[2], b[3]);
			}
		}
	}
}

/* part (gridDim.x, C, DEPTH): a part of the gradient of the matrix from each block */
static __global__ void __launch_bounds__(256, 1)
	weight_tiles(field f, float *part, const bf16 *dy, const bf16 *x)
{
	extern __shared__ __align__(128) unsigned char room[];
	uint32_t stage = shared_at(room);
	int lane = threadIdx.x % 32, piece = threadIdx.x / 32;
	float sum[TAPS][4][4] = {};
	int odd = 0;

	fill_both(stage, x, dy, f, blockIdx.x);
	for (int n = blockIdx.x; n < f.items; n += gridDim.x, odd ^= 1) {
		fill_both(stage + (odd ^ 1) * STAGE, x, dy, f, n + gridDim.x);
		copy_wait<1>();
		__syncthreads();
		multiply_gradient(sum, stage + odd * STAGE);
		__syncthreads();
	}
	copy_wait<0>();
	part += (int64_t)blockIdx.x * C * DEPTH + piece * 8 + lane % 4 * 2;
#pragma unroll
	for (int tap = 0; tap < TAPS; tap++)
#pragma unroll
		for (int m = 0; m < 4; m++)
#pragma unroll
			for (int h = 0; h < 2; h++) {
				float *to = part + (m * 16 + lane / 4 + 8 * h) * DEPTH + tap * C;

				*(float2 *)to =
					make_float2(sum[tap][m][2 * h], sum[tap][m][2 * h + 1]);
			}
}

#define SUM_COLUMNS 32
#define SUM_ROWS 8

/* dweight (C, C, TAPS) += the parts, in order */
static __global__ void add_weight_parts(float *dweight, const float *part, int parts)
{
	__shared__ float sums[SUM_ROWS][SUM_COLUMNS + 1];
	int n = blockIdx.x * SUM_COLUMNS + threadIdx.x, k = n % DEPTH;
	float sum = 0;

	for (int i = threadIdx.y; i < parts; i += SUM_ROWS)
		sum += part[(int64_t)i * C * DEPTH + n];
	sums[threadIdx.y][threadIdx.x] = sum;
	__syncthreads();
	if (threadIdx.y)
		return;
	for (int i = 1; i < SUM_ROWS; i++)
		sum += sums[i][threadIdx.x];
	dweight[(n / DEPTH * C + k % C) * TAPS + k / C] += sum;
}

/* matrix (C, DEPTH) of the input's gradient: channels of x by (tap, channel of y), taps turned */
static __global__ void turned_matrix(bf16 *matrix, const float *weight)
{
	GRID_STRIDE(n, C * DEPTH)
	{
		int c = (int)n / DEPTH, tap = (int)n % DEPTH / C, o = (int)n % C;

		store(matrix, n, weight[(o * C + c) * TAPS + TAPS - 1 - tap]);
	}
}

/* --- launches --- */

static field field_of(const struct conv2d *p, int tall)
{
	field f = {(int)p->height, (int)p->width, 0, 0, 0};

	f.rows = (f.height + tall - 1) / tall;
	f.columns = (f.width + WIDE - 1) / WIDE;
	f.items = (int)(p->batch * f.rows * f.columns);
	return f;
}

static int attribute(cudaDeviceAttr which)
{
	int device = 0, n = 0;

	cudaGetDevice(&device);
	return cudaDeviceGetAttribute(&n, which, device) == cudaSuccess ? n : 0;
}

static size_t room_of(int R)
{
	return C * ROW + (WARPS * R + 2) * PITCH * PIXEL;
}

/* Code made for an older architecture and translated by the driver lacks the products too. */
static int has_products(void)
{
	struct cudaFuncAttributes a;

	if (cudaFuncGetAttributes(&a, (const void *)weight_tiles) == cudaSuccess)
		return a.ptxVersion >= 80;
	cudaGetLastError();
	return 0;
}

int conv2d_tile_fits(const struct conv2d *p)
{
	static int known, products, room;

	if (!known) {
		products = has_products();
		room = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
		known = 1;
	}
	return p->cin == C && p->cout == C && p->kernel == 3 && p->stride == 1 && p->pad == 1 &&
	       products && room >= (int)room_of(2) && room >= 2 * STAGE;
}

/* Two blocks with 4 rows a warp fit on a multiprocessor, or take 2. */
static int rows_of_warp(void)
{
	static int rows;

	if (!rows)
		rows = attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor) >=
				       (int)(2 * (room_of(4) + 1024))
			       ? 4
			       : 2;
	return rows;
}

template <int R>
static void launch_forward(const struct conv2d *p, bf16 *y, int acc, const bf16 *x,
	const bf16 *matrix, const float *bias)
{
	field f = field_of(p, WARPS * R);
	int most = 2 * cuda_multiprocessors;
	dim3 grid(most < f.items ? most : f.items), block(WARPS * 32);
	auto kernel = forward_tiles<R>;
	size_t room = room_of(R);

	cudaFuncSetAttribute(
		(const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)room);
	kernel<<<grid, block, room, cuda_stream>>>(f, y, acc, x, matrix, bias);
}

static void convolve(const struct conv2d *p, struct array y, int acc, struct array x,
	struct array matrix, const float *bias)
{
	if (rows_of_warp() == 4)
		launch_forward<4>(p, (bf16 *)y.data, acc, (const bf16 *)x.data,
			(const bf16 *)matrix.data, bias);
	else
		launch_forward<2>(p, (bf16 *)y.data, acc, (const bf16 *)x.data,
			(const bf16 *)matrix.data, bias);
}

void conv2d_tile_forward_cuda(const struct conv2d *p, struct array y, struct array x,
	struct array matrix, const float *bias)
{
	convolve(p, y, 0, x, matrix, bias);
}

void conv2d_tile_input_cuda(const struct conv2d *p, struct array dx, int acc, struct array dy,
	const float *weight, struct array matrix)
{
	turned_matrix<<<grid_for(C * DEPTH, 256), 256, 0, cuda_stream>>>(
		(bf16 *)matrix.data, weight);
	convolve(p, dx, acc, dy, matrix, NULL);
}

static int parts_of(const struct conv2d *p)
{
	int items = field_of(p, TALL).items;

	return cuda_multiprocessors < items ? cuda_multiprocessors : items;
}

void conv2d_tile_weight_cuda(
	const struct conv2d *p, float *dweight, struct array dy, struct array x, float *work)
{
	int parts = parts_of(p);

	cudaFuncSetAttribute(
		(const void *)weight_tiles, cudaFuncAttributeMaxDynamicSharedMemorySize, 2 * STAGE);
	weight_tiles<<<parts, 256, 2 * STAGE, cuda_stream>>>(
		field_of(p, TALL), work, (const bf16 *)dy.data, (const bf16 *)x.data);
	add_weight_parts<<<C * DEPTH / SUM_COLUMNS, dim3(SUM_COLUMNS, SUM_ROWS), 0, cuda_stream>>>(
		dweight, work, parts);
}

int64_t conv2d_tile_work_cuda(const struct conv2d *p)
{
	return (int64_t)parts_of(p) * C * DEPTH;
}
