#include "kernels/cuda.cuh"
#include "kernels/losses_cuda.h"
#include "kernels/step.h"

#define ROW_THREADS 128
#define VOCABULARY_THREADS 512 /* of a long row */

/* One block adds n values in order of strides and writes scale times the sum. */
static __device__ void write_sum(float *y, const float *x, int64_t n, float scale)
{
	float sum = 0;

	for (int64_t i = threadIdx.x; i < n; i += blockDim.x)
		sum += x[i];
	sum = block_sum(sum);
	if (!threadIdx.x)
		*y = scale * sum;
}

/* --- rows of logits: a block a row --- */

static __device__ float row_log_sum(struct array x, int64_t from, int64_t n, float s)
{
	__shared__ float most_of[32];
	float most = -INFINITY, sum = 0;
	int warps = blockDim.x >> 5;

	for (int64_t c = threadIdx.x; c < n; c += blockDim.x)
		most = fmaxf(most, value(x, from + c));
	most = warp_max(most);
	__syncthreads();
	if (!(threadIdx.x & 31))
		most_of[threadIdx.x >> 5] = most;
	__syncthreads();
	most = warp_max((int)(threadIdx.x & 31) < warps ? most_of[threadIdx.x & 31] : -INFINITY);
	for (int64_t c = threadIdx.x; c < n; c += blockDim.x)
		sum += expf((value(x, from + c) - most) * s);
	return most * s + logf(block_sum(sum));
}

static __global__ void entropy_rows(struct cross_entropy p, float *log_sum, float *rows,
	struct array logits, struct array target)
{
	int64_t from = blockIdx.x * p.classes;
	float lse = row_log_sum(logits, from, p.classes, 1), sum = 0;

	for (int64_t c = threadIdx.x; c < p.classes; c += blockDim.x)
		sum += value(target, from + c) * (lse - value(logits, from + c));
	sum = block_sum(sum);
	if (threadIdx.x)
		return;
	log_sum[blockIdx.x] = lse;
	rows[blockIdx.x] = sum;
}

static __global__ void mean_of_rows(
	float *loss, const float *rows, int64_t n, float scale, const struct step *step)
{
	write_sum(loss, rows, n, scale / step->divisor);
}

void cross_entropy_cuda(const struct cross_entropy *p, float *loss, float *log_sum, float *rows,
	struct array logits, struct array target, const struct step *step)
{
	entropy_rows<<<(unsigned)p->batch, ROW_THREADS, 0, cuda_stream>>>(
		*p, log_sum, rows, logits, target);
	mean_of_rows<<<1, 1024, 0, cuda_stream>>>(loss, rows, p->batch, 1, step);
}

static __global__ void entropy_back(struct cross_entropy p, struct array dlogits, int acc_l,
	struct array dtarget, int acc_t, const float *dloss, const float *log_sum,
	struct array logits, struct array target, const struct step *step)
{
	int64_t from = blockIdx.x * p.classes;
	float scale = *dloss / step->divisor, lse = log_sum[blockIdx.x], sum = 0;

	for (int64_t c = threadIdx.x; c < p.classes; c += blockDim.x)
		sum += value(target, from + c);
	sum = block_sum(sum);
	for (int64_t c = threadIdx.x; c < p.classes; c += blockDim.x) {
		float x = value(logits, from + c), t = value(target, from + c);

		if (dlogits.data)
			set_value(dlogits, from + c, scale * (sum * expf(x - lse) - t), acc_l);
		if (dtarget.data)
			set_value(dtarget, from + c, scale * (lse - x), acc_t);
	}
}

void cross_entropy_cuda_backward(const struct cross_entropy *p, struct array dlogits, int acc_l,
	struct array dtarget, int acc_t, const float *dloss, const float *log_sum,
	struct array logits, struct array target, const struct step *step)
{
	entropy_back<<<(unsigned)p->batch, ROW_THREADS, 0, cuda_stream>>>(
		*p, dlogits, acc_l, dtarget, acc_t, dloss, log_sum, logits, target, step);
}

static __global__ void label_rows(struct cross_entropy p, float *log_sum, float *rows,
	struct array logits, const int32_t *labels)
{
	int64_t from = blockIdx.x * p.classes;
	float lse = row_log_sum(logits, from, p.classes, 1);
	int32_t label = labels[blockIdx.x];

	if (threadIdx.x)
		return;
	log_sum[blockIdx.x] = lse;
	rows[blockIdx.x] =
		label >= 0 && label < p.classes ? lse - value(logits, from + label) : 0;
}

void label_entropy_cuda(const struct cross_entropy *p, float *loss, float *log_sum, float *rows,
	struct array logits, const int32_t *labels, const struct step *step)
{
	label_rows<<<(unsigned)p->batch, VOCABULARY_THREADS, 0, cuda_stream>>>(
		*p, log_sum, rows, logits, labels);
	mean_of_rows<<<1, 1024, 0, cuda_stream>>>(loss, rows, p->batch, 1, step);
}

static __global__ void label_back(struct cross_entropy p, struct array dlogits, int acc,
	const float *dloss, const float *log_sum, struct array logits, const int32_t *labels,
	const struct step *step)
{
	int64_t from = blockIdx.x * p.classes;
	int32_t label = labels[blockIdx.x];
	float scale = *dloss / step->divisor, lse = log_sum[blockIdx.x];

	if (label < 0 || label >= p.classes)
		scale = 0;
	for (int64_t c = threadIdx.x; c < p.classes; c += blockDim.x)
		set_value(dlogits, from + c,
			scale * (expf(value(logits, from + c) - lse) - (c == label)), acc);
}

void label_entropy_cuda_backward(const struct cross_entropy *p, struct array dlogits, int acc,
	const float *dloss, const float *log_sum, struct array logits, const int32_t *labels,
	const struct step *step)
{
	label_back<<<(unsigned)p->batch, VOCABULARY_THREADS, 0, cuda_stream>>>(
		*p, dlogits, acc, dloss, log_sum, logits, labels, step);
}

static __global__ void channel_rows(struct channel_ce p, int entropy, float *la, float *lb,
	float *values, struct array a, struct array b)
{
	int64_t from = blockIdx.x * p.dim;
	float s = 1 / p.temperature, sum = 0;
	float sum_a = row_log_sum(a, from, p.dim, s), sum_b = row_log_sum(b, from, p.dim, s);

	for (int64_t c = threadIdx.x; c < p.dim; c += blockDim.x) {
		float log_p = value(b, from + c) * s - sum_b;
		float log_q = value(a, from + c) * s - sum_a;

		sum += expf(log_p) * ((entropy ? log_p : 0) - log_q);
	}
	sum = block_sum(sum);
	if (threadIdx.x)
		return;
	la[blockIdx.x] = sum_a;
	lb[blockIdx.x] = sum_b;
	values[blockIdx.x] = sum;
}

void channel_ce_cuda(const struct channel_ce *p, int entropy, float *loss, float *la, float *lb,
	float *values, struct array a, struct array b, const struct step *step)
{
	channel_rows<<<(unsigned)p->rows, ROW_THREADS, 0, cuda_stream>>>(
		*p, entropy, la, lb, values, a, b);
	mean_of_rows<<<1, 1024, 0, cuda_stream>>>(loss, values, p->rows,
		entropy ? p->temperature * p->temperature : 1, step);
}

static __global__ void channel_back(struct channel_ce p, int entropy, struct array da, int acc_a,
	struct array db, int acc_b, const float *dloss, const float *la, const float *lb,
	const float *values, struct array a, struct array b, const struct step *step)
{
	int64_t row = blockIdx.x, from = row * p.dim;
	float s = 1 / p.temperature, scale = *dloss / step->divisor;
	float weight = entropy ? scale * p.temperature : scale / p.temperature;

	for (int64_t c = threadIdx.x; c < p.dim; c += blockDim.x) {
		float log_p = value(b, from + c) * s - lb[row];
		float log_q = value(a, from + c) * s - la[row];

		if (da.data)
			set_value(da, from + c, weight * (expf(log_q) - expf(log_p)), acc_a);
		if (db.data)
			set_value(db, from + c,
				weight * expf(log_p) *
					((entropy ? log_p : 0) - log_q - values[row]),
				acc_b);
	}
}

void channel_ce_cuda_backward(const struct channel_ce *p, int entropy, struct array da, int acc_a,
	struct array db, int acc_b, const float *dloss, const float *la, const float *lb,
	const float *values, struct array a, struct array b, const struct step *step)
{
	channel_back<<<(unsigned)p->rows, ROW_THREADS, 0, cuda_stream>>>(
		*p, entropy, da, acc_a, db, acc_b, dloss, la, lb, values, a, b, step);
}

static __global__ void distance_rows(
	struct token_loss p, float *rows, struct array u, struct array v)
{
	int64_t size = p.len * p.dim, from = blockIdx.x * size;
	float sum = 0;

	for (int64_t i = threadIdx.x; i < size; i += blockDim.x) {
		float d = value(u, from + i) - value(v, from + i);

		sum += p.squared ? d * d : fabsf(d);
	}
	sum = block_sum(sum);
	if (!threadIdx.x)
		rows[blockIdx.x] = sum / (float)size;
}

void token_loss_cuda(const struct token_loss *p, float *loss, float *rows, struct array u,
	struct array v, const struct step *step)
{
	distance_rows<<<(unsigned)p->batch, 256, 0, cuda_stream>>>(*p, rows, u, v);
	mean_of_rows<<<1, 1024, 0, cuda_stream>>>(loss, rows, p->batch, 1, step);
}

static __global__ void distance_back(struct token_loss p, struct array du, int acc_u,
	struct array dv, int acc_v, const float *dloss, struct array u, struct array v,
	const struct step *step)
{
	float s = *dloss / (step->divisor * (float)(p.len * p.dim));

	GRID_STRIDE(i, p.batch * p.len * p.dim) {
		float d = value(u, i) - value(v, i);
		float g = s * (p.squared ? 2 * d : d > 0 ? 1.0f : d < 0 ? -1.0f : 0);

		if (du.data)
			set_value(du, i, g, acc_u);
		if (dv.data)
			set_value(dv, i, -g, acc_v);
	}
}

void token_loss_cuda_backward(const struct token_loss *p, struct array du, int acc_u,
	struct array dv, int acc_v, const float *dloss, struct array u, struct array v,
	const struct step *step)
{
	int64_t n = p->batch * p->len * p->dim;

	distance_back<<<grid_for(n, 256), 256, 0, cuda_stream>>>(
		*p, du, acc_u, dv, acc_v, dloss, u, v, step);
}
