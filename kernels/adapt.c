#include "kernels/adapt.h"

#include <math.h>

static double guarded(const struct adapt *p, const real *c, int64_t i)
{
	double v = c[i * p->directions];

	return v > p->eps ? v : p->eps;
}

static double guarded_mean(const struct adapt *p, const real *c)
{
	double sum = 0;

	for (int64_t i = 0; i < p->layers; i++)
		sum += guarded(p, c, i);
	return sum / (double)p->layers;
}

/* What the softmax sees, for one direction: c has a stride of K. */
static void scores(const struct adapt *p, double *x, const real *c)
{
	double m = guarded_mean(p, c);

	for (int64_t i = 0; i < p->layers; i++)
		x[i] = p->mode == ADAPT_RATIO_SM ? m / (guarded(p, c, i) * p->tau)
						 : -c[i * p->directions] / (double)p->tau;
}

static void softmax(int64_t n, double *x)
{
	double most = x[0], sum = 0;

	for (int64_t i = 1; i < n; i++)
		most = x[i] > most ? x[i] : most;
	for (int64_t i = 0; i < n; i++)
		sum += x[i] = exp(x[i] - most);
	for (int64_t i = 0; i < n; i++)
		x[i] /= sum;
}

/* w (N) of one direction. */
static void weights(const struct adapt *p, double *w, const real *c)
{
	int64_t N = p->layers;

	switch (p->mode) {
	case ADAPT_RATIO_SM:
	case ADAPT_NEG_SM:
	case ADAPT_INV_SM:
		scores(p, w, c);
		softmax(N, w);
		break;
	case ADAPT_RATIO_RAW:
		for (int64_t i = 0; i < N; i++)
			w[i] = N * guarded_mean(p, c) / guarded(p, c, i);
		break;
	case ADAPT_UNIFORM:
		for (int64_t i = 0; i < N; i++)
			w[i] = 1.0 / N;
		break;
	case ADAPT_FIXED_I:
		for (int64_t i = 0; i < N; i++)
			w[i] = i + 1 < N ? i + 1 : 120;
		break;
	}
}

void adapt_forward(const struct adapt *p, real *loss, real *w, const real *c)
{
	double sum = 0, wk[ADAPT_LAYERS];

	for (int64_t k = 0; k < p->directions; k++) {
		weights(p, wk, c + k);
		for (int64_t i = 0; i < p->layers; i++) {
			w[i * p->directions + k] = wk[i];
			sum += wk[i] * (1 - (double)c[i * p->directions + k]);
		}
	}
	*loss = p->factor * sum;
}

/*
 * d (N) += the gradient of sum w_j (1 - c_j) through w, with what comes to the ratio m / cc_j in
 * dratio: softmax's gradient over tau, or 1 - c_j without one.
 */
static void ratio_back(const struct adapt *p, double *d, const double *dratio, const real *c)
{
	double m = guarded_mean(p, c), dm = 0;
	int64_t N = p->layers;

	for (int64_t i = 0; i < N; i++)
		dm += dratio[i] / guarded(p, c, i);
	for (int64_t i = 0; i < N; i++) {
		double cc = guarded(p, c, i);

		if (c[i * p->directions] > p->eps)
			d[i] += dm / N - dratio[i] * m / (cc * cc);
	}
}

static void weights_back(const struct adapt *p, double *d, const double *w, const real *c)
{
	double x[ADAPT_LAYERS], loss = 0;
	int64_t N = p->layers;

	for (int64_t i = 0; i < N; i++)
		loss += w[i] * (1 - (double)c[i * p->directions]);
	for (int64_t i = 0; i < N; i++) {
		double own = 1 - (double)c[i * p->directions];

		x[i] = p->mode == ADAPT_RATIO_RAW ? N * own : w[i] * (own - loss) / p->tau;
	}
	switch (p->mode) {
	case ADAPT_RATIO_SM:
	case ADAPT_RATIO_RAW:
		ratio_back(p, d, x, c);
		break;
	case ADAPT_NEG_SM:
	case ADAPT_INV_SM:
		for (int64_t i = 0; i < N; i++)
			d[i] -= x[i];
		break;
	case ADAPT_UNIFORM:
	case ADAPT_FIXED_I:
		break;
	}
}

void adapt_backward(
	const struct adapt *p, real *dc, int acc, const real *dloss, const real *w, const real *c)
{
	double d[ADAPT_LAYERS], wk[ADAPT_LAYERS];
	int64_t K = p->directions;

	for (int64_t k = 0; dc && k < K; k++) {
		for (int64_t i = 0; i < p->layers; i++) {
			wk[i] = w[i * K + k];
			d[i] = -wk[i];
		}
		if (!p->stop_gradient)
			weights_back(p, d, wk, c + k);
		for (int64_t i = 0; i < p->layers; i++)
			dc[i * K + k] = (acc ? dc[i * K + k] : 0) + p->factor * *dloss * d[i];
	}
}
