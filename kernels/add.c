#include "kernels/add.h"

#define SMALL 16384 /* elements below which one thread is faster */

void add_forward(const struct add *p, real *y, const real *a, const real *b)
{
#pragma omp parallel for simd schedule(static) if (p->count > SMALL)
	for (int64_t i = 0; i < p->count; i++)
		y[i] = p->scale * (a[i] + b[i]);
}

static void pass(const struct add *p, real *dx, int acc, const real *dy)
{
	if (!dx)
		return;
	if (acc) {
#pragma omp parallel for simd schedule(static) if (p->count > SMALL)
		for (int64_t i = 0; i < p->count; i++)
			dx[i] += p->scale * dy[i];
	} else {
#pragma omp parallel for simd schedule(static) if (p->count > SMALL)
		for (int64_t i = 0; i < p->count; i++)
			dx[i] = p->scale * dy[i];
	}
}

void add_backward(const struct add *p, real *da, int acc_a, real *db, int acc_b, const real *dy)
{
	pass(p, da, acc_a, dy);
	pass(p, db, acc_b, dy);
}
