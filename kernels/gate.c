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

static void row_back(const struct gate *p, int64_t i, int64_t k, real *dy, int acc_y, real *dz,
	int acc_z, const real *dout, const real *y, const real *z)
{
	int64_t at = row_of(p, i, k);

	z += i * p->dim;
	if (dy) {
#pragma omp simd
		for (int64_t e = 0; e < p->dim; e++)
			dy[at + e] = (acc_y ? dy[at + e] : 0) + dout[at + e] * vsilu(z[e]);
	}
	if (dz) {
		dz += i * p->dim;
#pragma omp simd
		for (int64_t e = 0; e < p->dim; e++) {
			real s = vsigmoid(z[e]);

			dz[e] = (acc_z || k ? dz[e] : 0) +
				dout[at + e] * y[at + e] * s * (1 + z[e] * (1 - s));
		}
	}
}

void gate_backward(const struct gate *p, real *dy, int acc_y, real *dz, int acc_z, const real *dout,
	const real *y, const real *z)
{
#pragma omp parallel for schedule(static) if (p->batch * p->len * p->dim > SMALL)
	for (int64_t i = 0; i < p->batch * p->len; i++)
		for (int64_t k = 0; k < p->directions; k++)
			row_back(p, i, k, dy, acc_y, dz, acc_z, dout, y, z);
}
