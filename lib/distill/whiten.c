/*
 * The frozen teacher side: W = (S + 0.01 tr(S) / D I)^(-1/2) by Jacobi's eigenvalue method (Golub
 * and Van Loan, 8.5), which needs no library and is accurate for symmetric matrices of D <= 1024.
 */
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/distill/calibration.h"

#include <math.h>
#include <stdlib.h>

#define SWEEPS 60

/* Rotates rows and columns p and q of symmetric a (n, n) so that a_pq is 0; v collects. */
static void rotate(double *a, double *v, int64_t n, int64_t p, int64_t q)
{
	double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
	double t = copysign(1, theta) / (fabs(theta) + sqrt(1 + theta * theta));
	double c = 1 / sqrt(1 + t * t), s = t * c;

	for (int64_t k = 0; k < n; k++) {
		double x = a[k * n + p], y = a[k * n + q];

		a[k * n + p] = c * x - s * y;
		a[k * n + q] = s * x + c * y;
	}
	for (int64_t k = 0; k < n; k++) {
		double x = a[p * n + k], y = a[q * n + k];

		a[p * n + k] = c * x - s * y;
		a[q * n + k] = s * x + c * y;
		x = v[p * n + k];
		y = v[q * n + k];
		v[p * n + k] = c * x - s * y;
		v[q * n + k] = s * x + c * y;
	}
}

/* Eigenvalues on a's diagonal; row i of v is the vector of a_ii. */
static void diagonalise(double *a, double *v, int64_t n)
{
	for (int64_t i = 0; i < n * n; i++)
		v[i] = i / n == i % n;
	for (int sweep = 0; sweep < SWEEPS; sweep++) {
		double off = 0, all = 0;

		for (int64_t i = 0; i < n * n; i++) {
			all += a[i] * a[i];
			off += i / n == i % n ? 0 : a[i] * a[i];
		}
		if (!(off > 1e-26 * all))
			return;
		for (int64_t p = 0; p < n; p++)
			for (int64_t q = p + 1; q < n; q++)
				if (a[p * n + q] * a[p * n + q] > 1e-30 * all / n)
					rotate(a, v, n, p, q);
	}
}

static void put_map(struct calibration *c, const double *w, const double *mean, real *host)
{
	int64_t D = c->teacher_dim;

	for (int64_t i = 0; i < D * D; i++)
		host[i] = (real)w[i];
	param_put(c->model, c->teacher_weight, host);
	for (int64_t i = 0; i < D; i++) {
		double sum = 0;

		for (int64_t j = 0; j < D; j++)
			sum += w[i * D + j] * mean[j];
		host[i] = (real)-sum;
	}
	param_put(c->model, c->teacher_bias, host);
}

int calibration_whiten(struct calibration *c, int64_t n, const double *sum, const double *moment)
{
	int64_t D = c->teacher_dim;
	double *a = memory_new(3 * D * D + D, sizeof(*a)), *v = a + D * D, *w = v + D * D;
	double *mean = w + D * D, trace = 0;
	real *host = memory_new(D * D, sizeof(*host));
	int status = a && host ? 0 : STATUS_SYSTEM;

	for (int64_t i = 0; i < D && !status; i++)
		mean[i] = sum[i] / n;
	for (int64_t i = 0; i < D * D && !status; i++) {
		a[i] = moment[i] / n - mean[i / D] * mean[i % D];
		trace += i / D == i % D ? a[i] : 0;
	}
	if (!status && !(isfinite(trace) && trace > 0))
		status = error(STATUS_NUMBERS, "the teacher's tokens have no finite covariance");
	if (!status) {
		diagonalise(a, v, D);
		for (int64_t i = 0; i < D * D; i++)
			for (int64_t k = 0; k < D; k++)
				w[i] += v[k * D + i / D] * v[k * D + i % D] /
					sqrt(a[k * D + k] + 0.01 * trace / D);
		put_map(c, w, mean, host);
	}
	free(a);
	free(host);
	return status;
}
