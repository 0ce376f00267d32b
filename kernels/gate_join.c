#include "kernels/gate_join.h"

#define SMALL 16384 /* elements below which one thread is faster */

static inline __attribute__((always_inline)) void product(
	real *y, int acc, const real *a, const real *b, int64_t n)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++)
		y[i] = (acc ? y[i] : 0) + a[i] * b[i];
}

static void set_or_add(real *y, int acc, const real *a, const real *b, int64_t n)
{
	if (acc)
		product(y, 1, a, b, n);
	else
		product(y, 0, a, b, n);
}

void gate_join_forward(
	const struct gate_join *p, real *y, const real *a, const real *b, const real *c)
{
	int64_t W = p->width, left = p->left, right = W - left;

#pragma omp parallel for schedule(static) if (p->rows * W > SMALL)
	for (int64_t i = 0; i < p->rows; i++) {
		product(y + i * W, 0, a + i * W, b + i * left, left);
		product(y + i * W + left, 0, a + i * W + left, c + i * right, right);
	}
}

void gate_join_backward(const struct gate_join *p, const struct gate_join_grads *d, const real *dy,
	const real *a, const real *b, const real *c)
{
	int64_t W = p->width, left = p->left, right = W - left;

#pragma omp parallel for schedule(static) if (p->rows * W > SMALL)
	for (int64_t i = 0; i < p->rows; i++) {
		int64_t l = i * W, r = l + left;

		if (d->a) {
			set_or_add(d->a + l, d->acc_a, dy + l, b + i * left, left);
			set_or_add(d->a + r, d->acc_a, dy + r, c + i * right, right);
		}
		if (d->b)
			set_or_add(d->b + i * left, d->acc_b, dy + l, a + l, left);
		if (d->c)
			set_or_add(d->c + i * right, d->acc_c, dy + r, a + r, right);
	}
}
