/* The parts of linear that are no matrix product: storage of operands, bias, its gradient. */
#include "kernels/linear_cuda.h"
#include "kernels/pack.cuh"

#define COLUMNS 32
#define ROWS 8
#define ADDING_ROWS 32
#define PACK_THREADS 256
#define PART_ROWS 32 /* at least, of a part */

template <typename T, typename U>
static __global__ void cast_kernel(T *y, const U *x, int64_t n, float scale)
{
	GRID_STRIDE(i, n)
	store(y, i, scale * load(x, i));
}

void cast_cuda(struct array y, struct array x, int64_t n, float scale)
{
#define CALL(T, U)                                                                                 \
	cast_kernel<T, U><<<grid_for(n, 256), 256, 0, cuda_stream>>>(                              \
		(T *)y.data, (const U *)x.data, n, scale)
	BY_TYPES(y, x, CALL);
#undef CALL
}

static __global__ void cast_both(struct array y, struct array x, int64_t n, struct array z,
	struct array b, int64_t m, float scale)
{
	GRID_STRIDE(i, n + m)
	if (i < n)
		set_value(y, i, value(x, i), 0);
	else
		set_value(z, i - n, scale * value(b, i - n), 0);
}

void cast_both_cuda(struct array y, struct array x, int64_t n, struct array z, struct array b,
	int64_t m, float scale)
{
	cast_both<<<grid_for(n + m, 256), 256, 0, cuda_stream>>>(y, x, n, z, b, m, scale);
}

/* Partial sums of columns over a stretch of rows: part (gridDim.y, columns). */
template <typename T>
static __global__ void column_sums(float *part, const T *x, int64_t rows, int64_t columns)
{
	__shared__ float sums[ROWS][COLUMNS + 1];
	int64_t c = (int64_t)blockIdx.x * COLUMNS + threadIdx.x;
	int64_t each = (rows + gridDim.y - 1) / gridDim.y, from = blockIdx.y * each;
	int64_t to = from + each < rows ? from + each : rows;
	float sum = 0;

	for (int64_t r = from + threadIdx.y; r < to && c < columns; r += ROWS)
		sum += load(x, r * columns + c);
	sums[threadIdx.y][threadIdx.x] = sum;
	__syncthreads();
	if (threadIdx.y || c >= columns)
		return;
	for (int k = 1; k < ROWS; k++)
		sum += sums[k][threadIdx.x];
	part[blockIdx.y * columns + c] = sum;
}

/* The same, N columns a thread by loads of 16 bytes; `lanes` threads of a block share a row. */
template <int N, typename T>
static __global__ void column_packs(float *part, const T *x, int rows, int columns, int lanes)
{
	__shared__ float sums[PACK_THREADS * N];
	int lane = threadIdx.x % lanes, row = threadIdx.x / lanes, high = PACK_THREADS / lanes;
	int first = blockIdx.x * lanes * N, c = first + lane * N, wide = lanes * N;
	int each = (rows + gridDim.y - 1) / gridDim.y, from = blockIdx.y * each;
	int to = from + each < rows ? from + each : rows;
	float sum[N] = {};

	if (c < columns && row < high)
#pragma unroll 4
		for (int r = from + row; r < to; r += high) {
			float f[N];

			load_pack<N>(f, x + (int64_t)r * columns + c);
#pragma unroll
			for (int i = 0; i < N; i++)
				sum[i] += f[i];
		}
#pragma unroll
	for (int i = 0; i < N; i++)
		if (row < high)
			sums[row * wide + lane * N + i] = sum[i];
	__syncthreads();
	for (int i = threadIdx.x; i < wide && first + i < columns; i += PACK_THREADS) {
		float all = 0;

		for (int k = 0; k < high; k++)
			all += sums[k * wide + i];
		part[(int64_t)blockIdx.y * columns + first + i] = all;
	}
}

static __global__ void add_parts(
	float *y, const float *part, int64_t columns, int parts, float scale)
{
	__shared__ float sums[ADDING_ROWS][COLUMNS];
	int64_t c = (int64_t)blockIdx.x * COLUMNS + threadIdx.x;
	float sum = 0;

#pragma unroll 8
	for (int k = threadIdx.y; k < parts; k += ADDING_ROWS)
		sum += c < columns ? part[k * columns + c] : 0;
	sums[threadIdx.y][threadIdx.x] = sum;
	__syncthreads();
	if (threadIdx.y || c >= columns)
		return;
	for (int k = 1; k < ADDING_ROWS; k++)
		sum += sums[k][threadIdx.x];
	y[c] += scale * sum;
}

int64_t column_sums_work(int64_t columns)
{
	return COLUMN_PARTS * columns;
}

/* Threads that share a row of so many packs: most that leave none idle, of up to a warp. */
static int lanes_of(int64_t packs)
{
	int most = packs < 32 ? (int)packs : 32;

	for (int n = most; n > most / 2; n--)
		if (packs % n == 0)
			return n;
	return most;
}

template <int N, typename T>
static int sum_packs(float *work, const T *x, int64_t rows, int64_t columns)
{
	int lanes = lanes_of(columns / N), wide = (int)((columns / N + lanes - 1) / lanes);
	int parts = (4 * cuda_multiprocessors + wide - 1) / wide;
	int64_t most = (rows + PART_ROWS - 1) / PART_ROWS;

	most = most < COLUMN_PARTS ? most : COLUMN_PARTS;
	parts = parts < most ? parts : (int)most;
	column_packs<N, T><<<dim3(wide, parts), PACK_THREADS, 0, cuda_stream>>>(
		work, x, (int)rows, (int)columns, lanes);
	return parts;
}

void column_sums_cuda(
	float *y, struct array x, int64_t rows, int64_t columns, float scale, float *work)
{
	int parts = rows < 64 * COLUMN_PARTS ? (int)((rows + 63) / 64) : COLUMN_PARTS;
	unsigned wide = (unsigned)((columns + COLUMNS - 1) / COLUMNS);
	int whole = (uintptr_t)x.data % 16 == 0 && rows < INT32_MAX && columns < 1 << 20;

	if (whole && x.half && columns % 8 == 0) {
		parts = sum_packs<8>(work, (const bf16 *)x.data, rows, columns);
	} else if (whole && !x.half && columns % 4 == 0) {
		parts = sum_packs<4>(work, (const float *)x.data, rows, columns);
	} else {
#define CALL(T)                                                                                    \
	column_sums<T><<<dim3(wide, parts), dim3(COLUMNS, ROWS), 0, cuda_stream>>>(                \
		work, (const T *)x.data, rows, columns)
		BY_TYPE(x, CALL);
#undef CALL
	}
	add_parts<<<wide, dim3(COLUMNS, ADDING_ROWS), 0, cuda_stream>>>(
		y, work, columns, parts, scale);
}

static __global__ void one_kernel(float *p)
{
	if (p)
		*p = 1;
}

extern "C" void set_one_cuda(float *p)
{
	one_kernel<<<1, 1, 0, cuda_stream>>>(p);
}
