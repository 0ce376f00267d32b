/* Where the selective scan's backward ends: sums of what its blocks left, in a fixed order. */
#include "kernels/scan.cuh"

/* Grid: sample, values, job. dB and dC over tiles in order; the last row of blocks sums the codes'. */
static __global__ void sum_tiles(
	struct selective_scan p, const __grid_constant__ struct scan_jobs jobs)
{
	const struct scan_array_grads &d = jobs.of[blockIdx.z].d;
	const struct scan_parts &parts = jobs.of[blockIdx.z].parts;
	int N = (int)p.state, tiles = (int)parts.tiles, code = blockIdx.y == gridDim.y - 1;
	int size = code ? STEP_CODES * N : (int)p.len * 2 * N;
	int from = code ? threadIdx.x : blockIdx.y * blockDim.x + threadIdx.x;
	int64_t b = blockIdx.x;
	const float *x = (code ? parts.code : parts.BC) + b * tiles * size;

	if (code && !d.direction_B.data)
		return;
	for (int i = from; i < size; i += code ? blockDim.x : size) {
		int64_t to = (b * p.len + i / N / 2) * N + i % N;
		float sum = 0;

		for (int t = 0; t < tiles; t++)
			sum += x[(int64_t)t * size + i];
		if (code)
			parts.sample[(b + 1) * scan_row(p) - size + i] = sum;
		else if (i / N % 2 == 0 && d.B.data)
			set_value(d.B, to, sum, d.acc_B);
		else if (i / N % 2 && d.C.data)
			set_value(d.C, to, sum, d.acc_C);
	}
}

#define COLUMNS 32
#define ROWS 16

/* Gradients of parameters: columns of parts.sample over samples. Grid: columns, job. */
static __global__ void sum_samples(
	struct selective_scan p, const __grid_constant__ struct scan_jobs jobs)
{
	const struct scan_array_grads &d = jobs.of[blockIdx.y].d;
	const float *sample = jobs.of[blockIdx.y].parts.sample;
	__shared__ float sums[ROWS][COLUMNS];
	int64_t c = (int64_t)blockIdx.x * COLUMNS + threadIdx.x, stride = scan_row(p);
	int64_t EN = p.dim * p.state, E = p.dim, row = d.direction_B.data ? stride : EN + 2 * E;
	float sum = 0;

	for (int64_t b = threadIdx.y; b < p.batch && c < row; b += ROWS)
		sum += sample[b * stride + c];
	sums[threadIdx.y][threadIdx.x] = sum;
	__syncthreads();
	if (threadIdx.y || c >= row)
		return;
	for (int i = 1; i < ROWS; i++)
		sum += sums[i][threadIdx.x];
	if (c < EN && d.A_log.data)
		set_value(d.A_log, c, sum, 1);
	else if (c >= EN && c < EN + E && d.D.data)
		set_value(d.D, c - EN, sum, 1);
	else if (c >= EN + E && c < EN + 2 * E && d.beta.data)
		set_value(d.beta, c - EN - E, sum, 1);
	else if (c >= EN + 2 * E && d.direction_B.data)
		set_value(d.direction_B, c - EN - 2 * E, sum, 1);
}

void scan_sum_parts(const struct selective_scan &p, const struct scan_jobs &jobs)
{
	unsigned count = (unsigned)jobs.count;
	dim3 tiles((unsigned)p.batch, (unsigned)((p.len * 2 * p.state + 255) / 256 + 1), count);
	dim3 columns((unsigned)((scan_row(p) + COLUMNS - 1) / COLUMNS), count);

	sum_tiles<<<tiles, 256, 0, cuda_stream>>>(p, jobs);
	sum_samples<<<columns, dim3(COLUMNS, ROWS), 0, cuda_stream>>>(p, jobs);
}
