#include "kernels/weighted_sum.h"

void weighted_sum_forward(const struct weighted_sum *p, real *y, const real *const *x)
{
	real sum = 0;

	for (int i = 0; i < p->n; i++)
		sum += p->coefs[i] * *x[i];
	*y = sum;
}

void weighted_sum_backward(
	const struct weighted_sum *p, real *const *dx, uint64_t acc, const real *dy)
{
	for (int i = 0; i < p->n; i++)
		if (dx[i])
			*dx[i] = (acc >> i & 1 ? *dx[i] : 0) + p->coefs[i] * *dy;
}
