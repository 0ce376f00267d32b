#include "kernels/gate.h"
#include "kernels/vmath.h"

#define SMALL 16384 /* elements below which one thread is faster */

/* Row i of (b, L, E) in direction k. */
static int64_t row_of(const struct gate *p, int64_t i, int64_t k)
{
	return ((i / p->len * p->directions + k) * p->len + i % p->len) * p->dim;
}

void gate_forward(const struct gate *p, real *o, const real *y, const real *z)
{
#pragma omp parallel for schedule(static) if (p->batch * p->len * p->dim > SMALL)
	for (int64_t i = 0; i < p->batch * p->len; i++)
		for (int64_t k = 0; k < p->directions; k++) {
			const real *zi = z + i * p->dim, *from = y + row_of(p, i, k);
			real *to = o + row_of(p, i, k);

#pragma omp simd
			for (int64_t e = 0; e < p->dim; e++)
				to[e] = from[e] * vsilu(zi[e]);
		}
}

static inline __attribute__((always_inline)) void y_back(
	int64_t n, real *dy, const int acc, const real *dout, const real *z)
{
#pragma omp simd
	for (int64_t e = 0; e < n; e++) {
		real v = dout[e] * vsilu(z[e]);

		dy[e] = acc ? dy[e] + v : v;
	}
}

static inline __attribute__((always_inline)) void z_back(
	int64_t n, real *dz, const int acc, const real *dout, const real *y, const real *z)
{
#pragma omp simd
	for (int64_t e = 0; e < n; e++) {
		real s = vsigmoid(z[e]), v = dout[e] * y[e] * s * (1 + z[e] * (1 - s));

		dz[e] = acc ? dz[e] + v : v;
	}
}

/* Constants where the loops are inlined: a choice within them would keep them scalar. */
static void row_back(const struct gate *p, int64_t i, int64_t k, real *dy, int acc_y, real *dz,
	int acc_z, const real *dout, const real *y, const real *z)
{
	int64_t at = row_of(p, i, k), n = p->dim;

	z += i * n;
	if (dy && acc_y)
		y_back(n, dy + at, 1, dout + at, z);
	else if (dy)
		y_back(n, dy + at, 0, dout + at, z);
	if (dz && (acc_z || k))
		z_back(n, dz + i * n, 1, dout + at, y + at, z);
	else if (dz)
		z_back(n, dz + i * n, 0, dout + at, y + at, z);
}

void gate_backward(const struct gate *p, real *dy, int acc_y, real *dz, int acc_z, const real *dout,
	const real *y, const real *z)
{
#pragma omp parallel for schedule(static) if (p->batch * p->len * p->dim > SMALL)
	for (int64_t i = 0; i < p->batch * p->len; i++)
		for (int64_t k = 0; k < p->directions; k++)
			row_back(p, i, k, dy, acc_y, dz, acc_z, dout, y, z);
}
