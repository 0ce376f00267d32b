/* The parts of linear that are no matrix product: storage of operands, bias, its gradient. */
#include "kernels/cuda.cuh"
#include "kernels/linear_cuda.h"

#define COLUMNS 32
#define ROWS 8

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

/* The same, four columns a thread. */
static __global__ void column_sums_fours(float *part, struct array x, int rows, int columns)
{
	__shared__ float4 sums[ROWS][COLUMNS];
	int c = 4 * (blockIdx.x * COLUMNS + threadIdx.x);
	int each = (rows + gridDim.y - 1) / gridDim.y, from = blockIdx.y * each;
	int to = from + each < rows ? from + each : rows;
	float4 sum = make_float4(0, 0, 0, 0);

	for (int r = from + threadIdx.y; r < to && c < columns; r += ROWS)
		sum = axpy4(1, value4(x, (int64_t)r * columns + c), sum);
	sums[threadIdx.y][threadIdx.x] = sum;
	__syncthreads();
	if (threadIdx.y || c >= columns)
		return;
	for (int k = 1; k < ROWS; k++)
		sum = axpy4(1, sums[k][threadIdx.x], sum);
	store4(part, (int64_t)blockIdx.y * columns + c, sum);
}

static __global__ void add_parts(float *y, const float *part, int64_t columns, int parts, float scale)
{
	GRID_STRIDE(c, columns) {
		float sum = 0;

		for (int k = 0; k < parts; k++)
			sum += part[k * columns + c];
		y[c] += scale * sum;
	}
}

int64_t column_sums_work(int64_t columns)
{
	return COLUMN_PARTS * columns;
}

void column_sums_cuda(
	float *y, struct array x, int64_t rows, int64_t columns, float scale, float *work)
{
	int parts = rows < 64 * COLUMN_PARTS ? (int)((rows + 63) / 64) : COLUMN_PARTS;
	dim3 grid((unsigned)((columns + COLUMNS - 1) / COLUMNS), parts);

	if (columns % 4 == 0 && rows < INT32_MAX) {
		grid.x = (unsigned)((columns + 4 * COLUMNS - 1) / (4 * COLUMNS));
		column_sums_fours<<<grid, dim3(COLUMNS, ROWS), 0, cuda_stream>>>(
			work, x, (int)rows, (int)columns);
		add_parts<<<grid_for(columns, 32), 32, 0, cuda_stream>>>(
			y, work, columns, parts, scale);
		return;
	}
#define CALL(T)                                                                                    \
	column_sums<T><<<grid, dim3(COLUMNS, ROWS), 0, cuda_stream>>>(                             \
		work, (const T *)x.data, rows, columns)
	BY_TYPE(x, CALL);
#undef CALL
	add_parts<<<grid_for(columns, 256), 256, 0, cuda_stream>>>(y, work, columns, parts, scale);
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
