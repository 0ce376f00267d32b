#include "kernels/cuda.cuh"
#include "kernels/losses_cuda.h"

/* A warp deals out the directions, in double as on the CPU. */
struct layer_pointers {
	float *p[64];
};

static __device__ double guarded(const struct adapt &p, double c)
{
	return c > p.eps ? c : (double)p.eps;
}

static __device__ double guarded_mean(const struct adapt &p, const double *c)
{
	double sum = 0;

	for (int64_t i = 0; i < p.layers; i++)
		sum += guarded(p, c[i]);
	return sum / (double)p.layers;
}

static __device__ void softmax(int64_t n, double *x)
{
	double most = x[0], sum = 0;

	for (int64_t i = 1; i < n; i++)
		most = x[i] > most ? x[i] : most;
	for (int64_t i = 0; i < n; i++)
		sum += x[i] = exp(x[i] - most);
	for (int64_t i = 0; i < n; i++)
		x[i] /= sum;
}

static __device__ void adapt_weights(const struct adapt &p, double *w, const double *c)
{
	int64_t N = p.layers;
	double m = guarded_mean(p, c);

	for (int64_t i = 0; i < N; i++)
		switch (p.mode) {
		case ADAPT_RATIO_SM:
			w[i] = m / (guarded(p, c[i]) * p.tau);
			break;
		case ADAPT_NEG_SM:
		case ADAPT_INV_SM:
			w[i] = -c[i] / (double)p.tau;
			break;
		case ADAPT_RATIO_RAW:
			w[i] = N * m / guarded(p, c[i]);
			break;
		case ADAPT_UNIFORM:
			w[i] = 1.0 / N;
			break;
		case ADAPT_FIXED_I:
			w[i] = i + 1 < N ? i + 1 : 120;
			break;
		}
	if (p.mode == ADAPT_RATIO_SM || p.mode == ADAPT_NEG_SM || p.mode == ADAPT_INV_SM)
		softmax(N, w);
}

static __global__ void adapt_kernel(
	struct adapt p, float *loss, float *w, float *all, struct layer_pointers c)
{
	__shared__ double parts[32];
	double own[64], wk[64], sum = 0;
	int64_t K = p.directions;

	for (int64_t k = threadIdx.x; k < K; k += 32) {
		for (int64_t i = 0; i < p.layers; i++) {
			all[i * K + k] = c.p[i][k];
			own[i] = c.p[i][k];
		}
		adapt_weights(p, wk, own);
		for (int64_t i = 0; i < p.layers; i++) {
			w[i * K + k] = (float)wk[i];
			sum += wk[i] * (1 - own[i]);
		}
	}
	parts[threadIdx.x] = sum;
	__syncthreads();
	if (threadIdx.x)
		return;
	for (int j = 1; j < 32; j++)
		sum += parts[j];
	*loss = (float)(p.factor * sum);
}

void adapt_cuda(const struct adapt *p, float *loss, float *w, float *all, const float *const *c)
{
	struct layer_pointers at = {};

	for (int64_t i = 0; i < p->layers; i++)
		at.p[i] = (float *)c[i];
	adapt_kernel<<<1, 32, 0, cuda_stream>>>(*p, loss, w, all, at);
}

static __device__ void ratio_back(
	const struct adapt &p, double *d, const double *dratio, const double *c)
{
	double m = guarded_mean(p, c), dm = 0;
	int64_t N = p.layers;

	for (int64_t i = 0; i < N; i++)
		dm += dratio[i] / guarded(p, c[i]);
	for (int64_t i = 0; i < N; i++) {
		double cc = guarded(p, c[i]);

		if (c[i] > p.eps)
			d[i] += dm / N - dratio[i] * m / (cc * cc);
	}
}

static __device__ void weights_back(
	const struct adapt &p, double *d, const double *w, const double *c)
{
	double x[64], loss = 0;
	int64_t N = p.layers;

	for (int64_t i = 0; i < N; i++)
		loss += w[i] * (1 - c[i]);
	for (int64_t i = 0; i < N; i++)
		x[i] = p.mode == ADAPT_RATIO_RAW ? N * (1 - c[i])
						 : w[i] * (1 - c[i] - loss) / p.tau;
	if (p.mode == ADAPT_RATIO_SM || p.mode == ADAPT_RATIO_RAW)
		ratio_back(p, d, x, c);
	else if (p.mode == ADAPT_NEG_SM || p.mode == ADAPT_INV_SM)
		for (int64_t i = 0; i < N; i++)
			d[i] -= x[i];
}

static __global__ void adapt_back(struct adapt p, struct layer_pointers dc, uint64_t acc,
	const float *dloss, const float *w, const float *all)
{
	double c[64], wk[64], d[64];
	int64_t K = p.directions;

	for (int64_t k = threadIdx.x; k < K; k += 32) {
		for (int64_t i = 0; i < p.layers; i++) {
			c[i] = all[i * K + k];
			wk[i] = w[i * K + k];
			d[i] = -wk[i];
		}
		if (!p.stop_gradient)
			weights_back(p, d, wk, c);
		for (int64_t i = 0; i < p.layers; i++)
			if (dc.p[i])
				dc.p[i][k] = (acc >> i & 1 ? dc.p[i][k] : 0) +
					     (float)(p.factor * *dloss * d[i]);
	}
}

void adapt_cuda_backward(const struct adapt *p, float *const *dc, uint64_t acc, const float *dloss,
	const float *w, const float *all)
{
	struct layer_pointers at = {};

	for (int64_t i = 0; i < p->layers; i++)
		at.p[i] = dc[i];
	adapt_back<<<1, 32, 0, cuda_stream>>>(*p, at, acc, dloss, w, all);
}
