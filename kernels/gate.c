#include "kernels/gate.h"
#include "kernels/vmath.h"

#define SMALL 16384 /* elements below which one thread is faster */

/* Row i of (b, L, E) in direction k. */
static int64_t row_of(const struct gate *p, int64_t i, int64_t k)
{
	return ((i / p->len * p->directions + k) * p->len + i % p->len) * p->dim;
}

static void row_forward(
	int64_t n, real *o, const real *y, const real *y2, const real *z, const real scale)
{
	if (y2) {
#pragma omp simd
		for (int64_t e = 0; e < n; e++)
			o[e] = scale * (y[e] + y2[e]) * vsilu(z[e]);
	} else {
#pragma omp simd
		for (int64_t e = 0; e < n; e++)
			o[e] = y[e] * vsilu(z[e]);
	}
}

void gate_forward(const struct gate *p, real *o, const real *y, const real *y2, const real *z)
{
#pragma omp parallel for schedule(static) if (p->batch * p->len * p->dim > SMALL)
	for (int64_t i = 0; i < p->batch * p->len; i++)
		for (int64_t k = 0; k < p->directions; k++) {
			int64_t at = row_of(p, i, k);

			row_forward(p->dim, o + at, y + at, y2 ? y2 + at : NULL, z + i * p->dim,
				p->scale);
		}
}

static inline __attribute__((always_inline)) void y_back(
	int64_t n, real *dy, const int acc, const real *dout, const real *z, const real scale)
{
#pragma omp simd
	for (int64_t e = 0; e < n; e++) {
		real v = scale * (dout[e] * vsilu(z[e]));

		dy[e] = acc ? dy[e] + v : v;
	}
}

static inline __attribute__((always_inline)) void z_back(int64_t n, real *dz, const int acc,
	const real *dout, const real *y, const real *y2, const real *z, const real scale)
{
#pragma omp simd
	for (int64_t e = 0; e < n; e++) {
		real both = y2 ? scale * (y[e] + y2[e]) : y[e];
		real s = vsigmoid(z[e]), v = dout[e] * both * s * (1 + z[e] * (1 - s));

		dz[e] = acc ? dz[e] + v : v;
	}
}

/* Constants where the loops are inlined: a choice within them would keep them scalar. */
static void y_row(int64_t n, real *dy, int acc, const real *dout, const real *z, real scale)
{
	if (acc)
		y_back(n, dy, 1, dout, z, scale);
	else
		y_back(n, dy, 0, dout, z, scale);
}

static void z_row(int64_t n, real *dz, int acc, const real *dout, const real *y, const real *y2,
	const real *z, real scale)
{
	if (y2 && acc)
		z_back(n, dz, 1, dout, y, y2, z, scale);
	else if (y2)
		z_back(n, dz, 0, dout, y, y2, z, scale);
	else if (acc)
		z_back(n, dz, 1, dout, y, NULL, z, 1);
	else
		z_back(n, dz, 0, dout, y, NULL, z, 1);
}

static void row_back(const struct gate *p, int64_t i, int64_t k, const struct gate_grads *d,
	const real *dout, const real *y, const real *y2, const real *z)
{
	int64_t at = row_of(p, i, k), n = p->dim;
	real scale = y2 ? p->scale : 1;

	z += i * n;
	if (d->y)
		y_row(n, d->y + at, d->acc_y, dout + at, z, scale);
	if (d->y2)
		y_row(n, d->y2 + at, d->acc_y2, dout + at, z, scale);
	if (d->z)
		z_row(n, d->z + i * n, d->acc_z || k, dout + at, y + at, y2 ? y2 + at : NULL, z,
			scale);
}

void gate_backward(const struct gate *p, const struct gate_grads *d, const real *dout,
	const real *y, const real *y2, const real *z)
{
#pragma omp parallel for schedule(static) if (p->batch * p->len * p->dim > SMALL)
	for (int64_t i = 0; i < p->batch * p->len; i++)
		for (int64_t k = 0; k < p->directions; k++)
			row_back(p, i, k, d, dout, y, y2, z);
}
