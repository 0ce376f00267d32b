#include "kernels/pack.cuh"
#include "kernels/input_cuda.h"
#include "kernels/philox.h"
#include "kernels/step.h"

#define RUN 4 /* neighbouring pixels of a thread */

/* Of one image: what lies at its pixels, and the box of noise. */
struct image_at {
	const uint8_t *pixels;
	const int32_t *box; /* NULL: none */
};

static __device__ image_at image_of(
	const struct image_input &p, const uint8_t *pixels, const int32_t *erase, int64_t b)
{
	const int32_t *box = erase ? erase + b * ERASE_COLUMNS : NULL;

	return {pixels + b * p.size * p.size * 3, box && box[2] > 0 ? box : NULL};
}

static __device__ int inside(const image_at &image, int row, int column)
{
	const int32_t *box = image.box;

	return box && row >= box[0] && row < (int64_t)box[0] + box[2] && column >= box[1] &&
	       column < (int64_t)box[1] + box[3];
}

static __device__ void noise(float *out, const image_at &image, uint64_t seed, int pixel)
{
	struct philox words = philox(seed, PURPOSE_ERASE, (uint32_t)image.box[5],
		(uint32_t)image.box[4], (uint32_t)pixel);
	float z[4];

	philox_normal(words.v[0], words.v[1], z);
	philox_normal(words.v[2], words.v[3], z + 2);
	for (int c = 0; c < 3; c++)
		out[c] = z[c];
}

/* N pixels of a row from pixel i on: normalised by the table, noise in the box. */
template <int N>
static __device__ void run_values(float (&out)[3 * N], const image_at &image,
	const float (*table)[256], uint64_t seed, int i, int row, int column)
{
	alignas(4) uint8_t byte[3 * N];

	if constexpr (N == 4) {
		for (int k = 0; k < 3; k++)
			((uint32_t *)byte)[k] = ((const uint32_t *)(image.pixels + 3 * i))[k];
	} else {
		for (int k = 0; k < 3 * N; k++)
			byte[k] = image.pixels[3 * i + k];
	}
#pragma unroll
	for (int k = 0; k < 3 * N; k++)
		out[k] = table[k % 3][byte[k]];
#pragma unroll
	for (int n = 0; n < N; n++)
		if (inside(image, row, column + n))
			noise(out + 3 * n, image, seed, i + n);
}

/* Every pixel has one of 256 values: the divisions are done once a block. */
static __device__ void fill_table(float (*table)[256])
{
	const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};

	for (int v = threadIdx.x; v < 256; v += blockDim.x)
		for (int c = 0; c < 3; c++)
			table[c][v] = (v / 255.0f - mean[c]) / std[c];
	__syncthreads();
}

/* Blocks of an image share its runs of N pixels; N divides the side. */
template <int N, typename T>
static __global__ void image_kernel(struct image_input p, T *x, const uint8_t *pixels,
	const int32_t *erase, const float *mix, const struct step *step)
{
	__shared__ float table[3][256];
	int64_t b = blockIdx.y, first = b / p.shard * p.shard;
	int64_t partner = 2 * first + p.shard - 1 - b;
	const float *m = mix ? mix + b / p.shard * MIX_COLUMNS : NULL;
	int kind = m && partner != b ? (int)m[0] : MIX_NONE, size = (int)p.size;
	image_at mine = image_of(p, pixels, erase, b), theirs = image_of(p, pixels, erase, partner);

	fill_table(table);
	for (int i = N * (blockIdx.x * blockDim.x + threadIdx.x); i < size * size;
		i += N * gridDim.x * blockDim.x) {
		int row = i / size, column = i % size;
		int cut = kind == MIX_CUT && row >= (int)m[2] && row < (int)m[4];
		float own[3 * N], other[3 * N];

		run_values<N>(own, mine, table, step->seed, i, row, column);
		if (kind == MIX_UP || cut)
			run_values<N>(other, theirs, table, step->seed, i, row, column);
#pragma unroll
		for (int k = 0; k < 3 * N; k++) {
			int at = column + k / 3;

			if (kind == MIX_UP)
				own[k] = m[1] * own[k] + (1 - m[1]) * other[k];
			else if (cut && at >= (int)m[3] && at < (int)m[5])
				own[k] = other[k];
		}
		T *to = x + (b * p.size * p.size + i) * 3;
		if constexpr (N == RUN) {
#pragma unroll
			for (int k = 0; k < 3 * N; k += 4)
				store_pack<4>(to + k, (const float(&)[4])own[k]);
		} else {
			for (int k = 0; k < 3 * N; k++)
				store(to, k, own[k]);
		}
	}
}

void image_input_cuda(const struct image_input *p, struct array x, const uint8_t *pixels,
	const int32_t *erase, const float *mix, const struct step *step)
{
	int n = p->size % RUN ? 1 : RUN;
	int64_t blocks = (p->size * p->size / n + 255) / 256;
	dim3 grid((unsigned)(blocks < 8 ? blocks : 8), (unsigned)p->batch);

#define CALL(T)                                                                                    \
	if (n == RUN)                                                                              \
		image_kernel<RUN><<<grid, 256, 0, cuda_stream>>>(                                  \
			*p, (T *)x.data, pixels, erase, mix, step);                                \
	else                                                                                       \
		image_kernel<1>                                                                    \
			<<<grid, 256, 0, cuda_stream>>>(*p, (T *)x.data, pixels, erase, mix, step)
	BY_TYPE(x, CALL);
#undef CALL
}

static __global__ void target_kernel(
	struct soft_target p, float *y, const int32_t *labels, const float *mix)
{
	float off = p.smoothing / p.classes;

	GRID_STRIDE(i, p.batch * p.classes)
	{
		int64_t b = i / p.classes, c = i % p.classes, first = b / p.shard * p.shard;
		const float *m = mix ? mix + b / p.shard * MIX_COLUMNS : NULL;
		float lambda = m && (int)m[0] != MIX_NONE ? m[1] : 1, sum = 0;
		int32_t own = labels[b], other = labels[2 * first + p.shard - 1 - b];

		if (own >= 0 && own < p.classes)
			sum = lambda * (off + (own == c ? 1 - p.smoothing : 0));
		if (lambda != 1 && other >= 0 && other < p.classes)
			sum += (1 - lambda) * (off + (other == c ? 1 - p.smoothing : 0));
		y[i] = sum;
	}
}

void soft_target_cuda(
	const struct soft_target *p, float *y, const int32_t *labels, const float *mix)
{
	target_kernel<<<grid_for(p->batch * p->classes, 256), 256, 0, cuda_stream>>>(
		*p, y, labels, mix);
}

/* --- update --- */

/* Block i sums the squares of its 65,536 values in double over a fixed tree. */
static __global__ void sumsq_blocks_kernel(const float *x, int64_t n, double *blocks)
{
	__shared__ double part[256];
	int64_t from = blockIdx.x * (int64_t)SUMSQ_BLOCK;
	int64_t to = from + SUMSQ_BLOCK < n ? from + SUMSQ_BLOCK : n;
	double sum = 0;

	for (int64_t i = from + threadIdx.x; i < to; i += 256)
		sum += (double)x[i] * x[i];
	part[threadIdx.x] = sum;
	for (int d = 128; d; d >>= 1) {
		__syncthreads();
		if ((int)threadIdx.x < d)
			part[threadIdx.x] += part[threadIdx.x + d];
	}
	if (!threadIdx.x)
		blocks[blockIdx.x] = part[0];
}

static __global__ void sumsq_total(float *y, const double *blocks, int64_t n)
{
	__shared__ double part[256];
	double sum = 0;

	for (int64_t i = threadIdx.x; i < n; i += 256)
		sum += blocks[i];
	part[threadIdx.x] = sum;
	for (int d = 128; d; d >>= 1) {
		__syncthreads();
		if ((int)threadIdx.x < d)
			part[threadIdx.x] += part[threadIdx.x + d];
	}
	if (!threadIdx.x)
		*y = (float)part[0];
}

void sumsq_cuda(const struct sumsq *p, float *y, const float *x, double *work)
{
	int64_t n = (p->count + SUMSQ_BLOCK - 1) / SUMSQ_BLOCK;

	sumsq_blocks_kernel<<<(unsigned)n, 256, 0, cuda_stream>>>(x, p->count, work);
	sumsq_total<<<1, 256, 0, cuda_stream>>>(y, work, n);
}

static __global__ void accumulate_kernel(float *a, const float *b, int64_t n)
{
	GRID_STRIDE(i, n)
	a[i] += b[i];
}

void accumulate_cuda(const struct accumulate *p, float *a, const float *b)
{
	accumulate_kernel<<<grid_for(p->count, 256), 256, 0, cuda_stream>>>(a, b, p->count);
}

static __global__ void gate_kernel(
	struct update_gate p, float *gate, const float *norm2, const float *loss, float *failed)
{
	int finite = isfinite(*norm2) && isfinite(*loss) && !(failed && *failed > 0);
	double factor = 1;

	if (finite && p.max_norm > 0)
		factor = p.max_norm / (sqrt((double)*norm2) + 1e-6);
	gate[0] = finite ? (float)(factor < 1 ? factor : 1) : 0;
	gate[1] = finite;
	if (failed && !finite)
		*failed = 1;
}

void update_gate_cuda(const struct update_gate *p, float *gate, const float *norm2,
	const float *loss, float *failed)
{
	gate_kernel<<<1, 1, 0, cuda_stream>>>(*p, gate, norm2, loss, failed);
}

static __device__ double power(double beta, int64_t t)
{
	double y = 1;

	for (; t > 0; t /= 2, beta *= beta)
		if (t & 1)
			y *= beta;
	return y;
}

static __global__ void adamw_kernel(struct adamw p, float *w, float *m, float *v, const float *grad,
	const float *gate, const struct step *step)
{
	__shared__ float shared[3];
	float factor = gate ? gate[0] : 1, b1 = (float)p.beta1, b2 = (float)p.beta2;
	float c1 = (float)(1 - p.beta1), c2 = (float)(1 - p.beta2), eps = (float)p.eps;

	if (gate && !(gate[1] > 0))
		return;
	if (!threadIdx.x) {
		double lr = (double)step->lr * p.lr_scale;
		int64_t t = step->step + 1;

		shared[0] = (float)(1 - lr * p.decay);
		shared[1] = (float)(lr / (1 - power(p.beta1, t)));
		shared[2] = (float)(1 / sqrt(1 - power(p.beta2, t)));
	}
	__syncthreads();
	GRID_STRIDE(i, p.count)
	{
		float g = factor * grad[i];
		float mi = b1 * m[i] + c1 * g, vi = b2 * v[i] + c2 * g * g;

		m[i] = mi;
		v[i] = vi;
		w[i] = shared[0] * w[i] - shared[1] * mi / (sqrtf(vi) * shared[2] + eps);
	}
}

void adamw_cuda(const struct adamw *p, float *w, float *m, float *v, const float *grad,
	const float *gate, const struct step *step)
{
	adamw_kernel<<<grid_for(p->count, 256), 256, 0, cuda_stream>>>(
		*p, w, m, v, grad, gate, step);
}

static __global__ void sgd_kernel(struct sgd p, float *w, float *m, const float *grad,
	const float *gate, const struct step *step)
{
	float factor = gate ? gate[0] : 1, momentum = (float)p.momentum, decay = (float)p.decay;
	float rate = (float)((double)step->lr * p.lr_scale);

	if (gate && !(gate[1] > 0))
		return;
	GRID_STRIDE(i, p.count)
	{
		m[i] = momentum * m[i] + (factor * grad[i] + decay * w[i]);
		w[i] -= rate * m[i];
	}
}

void sgd_cuda(const struct sgd *p, float *w, float *m, const float *grad, const float *gate,
	const struct step *step)
{
	sgd_kernel<<<grid_for(p->count, 256), 256, 0, cuda_stream>>>(*p, w, m, grad, gate, step);
}

static __global__ void ema_kernel(
	struct ema p, float *running, const float *stat, const float *gate, const struct step *step)
{
	float keep = (float)(1 - p.momentum), take = (float)(p.momentum * step->scale);

	if (gate && !(gate[1] > 0))
		return;
	GRID_STRIDE(i, p.count)
	running[i] = keep * running[i] + take * stat[i];
}

void ema_cuda(const struct ema *p, float *running, const float *stat, const float *gate,
	const struct step *step)
{
	ema_kernel<<<grid_for(p->count, 256), 256, 0, cuda_stream>>>(*p, running, stat, gate, step);
}
