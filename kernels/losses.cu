#include "kernels/cuda.cuh"
#include "kernels/losses_cuda.h"
#include "kernels/step.h"

#define ROW_THREADS 128
#define GUARD 1e-8f

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

/* --- cosine: a warp for each token and direction --- */

template <typename T, typename U>
static __global__ void cosine_kernel(
	struct cosine p, float *cos, float *inverse_u, float *inverse_v, const T *u, const U *v)
{
	int64_t rows = p.batch * p.directions * p.len, lane = threadIdx.x & 31;
	int64_t at = ((int64_t)blockIdx.x * blockDim.x + threadIdx.x) >> 5;
	int64_t token = at / (p.directions * p.len) * p.len + at % p.len;
	float uu = 0, vv = 0, uv = 0, both;

	if (at >= rows)
		return;
	for (int64_t c = lane; c < p.dim; c += 32) {
		float a = load(u, at * p.dim + c), b = load(v, token * p.dim + c);

		uu += a * a;
		vv += b * b;
		uv += a * b;
	}
	uu = sqrtf(warp_sum(uu));
	vv = sqrtf(warp_sum(vv));
	uv = warp_sum(uv);
	both = uu * vv;
	if (lane)
		return;
	cos[at] = uv / (both > GUARD ? both : GUARD);
	inverse_u[at] = both < GUARD ? 0 : 1 / uu;
	if (at / p.len % p.directions == 0)
		inverse_v[token] = vv > 0 ? 1 / vv : 0;
}

/* Block k: mean over batch and tokens of direction k. */
static __global__ void cosine_means(struct cosine p, float *c, const float *cos)
{
	float sum = 0;

	for (int64_t i = threadIdx.x; i < p.batch * p.len; i += blockDim.x)
		sum += cos[(i / p.len * p.directions + blockIdx.x) * p.len + i % p.len];
	sum = block_sum(sum);
	if (!threadIdx.x)
		c[blockIdx.x] = sum / (float)(p.batch * p.len);
}

static __device__ __forceinline__ float dot4(float4 a, float4 b)
{
	return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}

/* A warp for each token, which serves all directions; four values a lane. */
static __global__ void cosine_fours(struct cosine p, float *cos, float *inverse_u,
	float *inverse_v, struct array u, struct array v)
{
	int lane = threadIdx.x & 31, dim = (int)p.dim;
	int token = (int)((blockIdx.x * blockDim.x + threadIdx.x) >> 5);
	int b = token / (int)p.len, l = token % (int)p.len;
	int64_t from_v = (int64_t)token * dim;
	float vv = 0;

	if (token >= p.batch * p.len)
		return;
	for (int c = 4 * lane; c < dim; c += 128) {
		float4 y = value4(v, from_v + c);

		vv += dot4(y, y);
	}
	vv = sqrtf(warp_sum(vv));
	if (!lane)
		inverse_v[token] = vv > 0 ? 1 / vv : 0;
	for (int k = 0; k < p.directions; k++) {
		int64_t at = ((int64_t)b * p.directions + k) * p.len + l;
		float uu = 0, uv = 0, both;

		for (int c = 4 * lane; c < dim; c += 128) {
			float4 x = value4(u, at * dim + c), y = value4(v, from_v + c);

			uu += dot4(x, x);
			uv += dot4(x, y);
		}
		uu = sqrtf(warp_sum(uu));
		uv = warp_sum(uv);
		both = uu * vv;
		if (!lane) {
			cos[at] = uv / (both > GUARD ? both : GUARD);
			inverse_u[at] = both < GUARD ? 0 : 1 / uu;
		}
	}
}

static __global__ void cosine_back_fours(struct cosine p, struct array du, int acc_u,
	struct array dv, int acc_v, const float *dc, const float *cos, const float *inverse_u,
	const float *inverse_v, struct array u, struct array v)
{
	int lane = threadIdx.x & 31, dim = (int)p.dim;
	int token = (int)((blockIdx.x * blockDim.x + threadIdx.x) >> 5);
	int b = token / (int)p.len, l = token % (int)p.len;
	float mean = 1 / (float)(p.batch * p.len), iv;

	if (token >= p.batch * p.len)
		return;
	iv = inverse_v[token];
	for (int c = 4 * lane; c < dim; c += 128) {
		float4 y = value4(v, (int64_t)token * dim + c), sum = make_float4(0, 0, 0, 0);
		float4 zero = make_float4(0, 0, 0, 0);

		for (int k = 0; k < p.directions; k++) {
			int64_t at = ((int64_t)b * p.directions + k) * p.len + l;
			float iu = inverse_u[at], s = iu != 0 ? mean * dc[k] : 0;
			float4 x = value4(u, at * dim + c);

			if (du.data)
				set_value4(du, at * dim + c,
					axpy4(s * iu * iv, y,
						axpy4(-s * cos[at] * iu * iu, x, zero)),
					acc_u);
			sum = axpy4(s * iu * iv, x, axpy4(-s * cos[at] * iv * iv, y, sum));
		}
		if (dv.data)
			set_value4(dv, (int64_t)token * dim + c, sum, acc_v);
	}
}

static int in_fours(const struct cosine *p)
{
	return p->dim % 4 == 0 && p->batch * p->len < 1 << 25;
}

void cosine_cuda(const struct cosine *p, float *c, float *cos, float *inverse_u, float *inverse_v,
	struct array u, struct array v)
{
	int64_t rows = p->batch * p->directions * p->len;

	if (in_fours(p)) {
		cosine_fours<<<(unsigned)((p->batch * p->len + 7) / 8), 256, 0, cuda_stream>>>(
			*p, cos, inverse_u, inverse_v, u, v);
		cosine_means<<<(unsigned)p->directions, 1024, 0, cuda_stream>>>(*p, c, cos);
		return;
	}

#define CALL(T, U)                                                                                 \
	cosine_kernel<<<(unsigned)((rows + 3) / 4), 128, 0, cuda_stream>>>(                        \
		*p, cos, inverse_u, inverse_v, (const T *)u.data, (const U *)v.data)
	BY_TYPES(u, v, CALL);
#undef CALL
	cosine_means<<<(unsigned)p->directions, 1024, 0, cuda_stream>>>(*p, c, cos);
}

/* du = s iu (v iv - cos u iu); dv the same with the roles changed, summed over directions */
template <typename T, typename U>
static __global__ void cosine_back(struct cosine p, struct array du, int acc_u, struct array dv,
	int acc_v, const float *dc, const float *cos, const float *inverse_u,
	const float *inverse_v, const T *u, const U *v)
{
	float mean = 1 / (float)(p.batch * p.len);

	GRID_STRIDE(i, p.batch * p.len * p.dim) {
		int64_t token = i / p.dim, c = i % p.dim;
		float b = load(v, i), iv = inverse_v[token], sum = 0;

		for (int64_t k = 0; k < p.directions; k++) {
			int64_t at = (token / p.len * p.directions + k) * p.len + token % p.len;
			float iu = inverse_u[at], a = load(u, at * p.dim + c);
			float s = iu != 0 ? mean * dc[k] : 0;

			if (du.data)
				set_value(du, at * p.dim + c,
					s * iu * (b * iv - cos[at] * a * iu), acc_u);
			sum += s * iv * (a * iu - cos[at] * b * iv);
		}
		if (dv.data)
			set_value(dv, i, sum, acc_v);
	}
}

void cosine_cuda_backward(const struct cosine *p, struct array du, int acc_u, struct array dv,
	int acc_v, const float *dc, const float *cos, const float *inverse_u,
	const float *inverse_v, struct array u, struct array v)
{
	int64_t n = p->batch * p->len * p->dim;

	if (in_fours(p)) {
		cosine_back_fours<<<(unsigned)((p->batch * p->len + 7) / 8), 256, 0, cuda_stream>>>(
			*p, du, acc_u, dv, acc_v, dc, cos, inverse_u, inverse_v, u, v);
		return;
	}
#define CALL(T, U)                                                                                 \
	cosine_back<<<grid_for(n, 256), 256, 0, cuda_stream>>>(*p, du, acc_u, dv, acc_v, dc, cos,  \
		inverse_u, inverse_v, (const T *)u.data, (const U *)v.data)
	BY_TYPES(u, v, CALL);
#undef CALL
}

/* --- adapt: a warp deals out the directions, in double as on the CPU --- */

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
