/*
 * What the tests share that put a layer together from kernels, in double, against golden numbers of
 * the official module: matrices, and how output and gradients are compared.
 */
#ifndef TESTS_LAYER_PARTS_H
#define TESTS_LAYER_PARTS_H

#include "tests/tap.h"

/* y (rows, n) = x (rows, m) w^T + b; b NULL: none */
static void linear(
	int rows, int n, int m, double *y, const double *x, const double *w, const double *b)
{
	for (int i = 0; i < rows; i++)
		for (int j = 0; j < n; j++) {
			y[i * n + j] = b ? b[j] : 0;
			for (int k = 0; k < m; k++)
				y[i * n + j] += x[i * m + k] * w[j * m + k];
		}
}

/* dx, dw and db (unless NULL) are added to. */
static void linear_back(int rows, int n, int m, double *dx, double *dw, double *db,
	const double *dy, const double *x, const double *w)
{
	for (int i = 0; i < rows; i++)
		for (int j = 0; j < n; j++) {
			for (int k = 0; k < m; k++) {
				dx[i * m + k] += dy[i * n + j] * w[j * m + k];
				dw[j * m + k] += dy[i * n + j] * x[i * m + k];
			}
			if (db)
				db[j] += dy[i * n + j];
		}
}

/* out (rows, 4): its sum with cos(0.3 i), its first and its last row. */
static void compare_output(const char *loops, const double *out, int rows, double sum,
	const double first[4], const double last[4])
{
	double loss = 0, worst = 0;
	char text[32];

	for (int i = 0; i < rows * 4; i++)
		loss += out[i] * cos(0.3 * i);
	for (int c = 0; c < 4; c++) {
		worst = fmax(worst, fabs(out[c] - first[c]));
		worst = fmax(worst, fabs(out[(rows - 1) * 4 + c] - last[c]));
	}
	snprintf(text, sizeof(text), "%s: loss", loops);
	near(loss, sum, 1e-7, text);
	ok(worst <= 1e-7, "%s: first and last token", loops);
}

/* The norm of one gradient of n values. */
static void compare_gradient(
	const char *loops, const char *name, const double *gradient, int n, double norm)
{
	double sum = 0;
	char text[64];

	for (int i = 0; i < n; i++)
		sum += gradient[i] * gradient[i];
	snprintf(text, sizeof(text), "%s: gradient of %s", loops, name);
	near(sqrt(sum), norm, 1e-7, text);
}

#endif
