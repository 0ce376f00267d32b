/*
 * y = sum over i of coefs[i] x_i, in order, all of them scalars: the loss from its terms.
 *
 * Backward: dx_i = coefs[i] dy, set or added to.
 */
#ifndef KERNELS_WEIGHTED_SUM_H
#define KERNELS_WEIGHTED_SUM_H

#include "kernels/real.h"

#define WEIGHTED_SUM_MAX 64 /* terms at most */

struct weighted_sum {
	int n;
	real coefs[WEIGHTED_SUM_MAX];
};

void weighted_sum_forward(const struct weighted_sum *p, real *y, const real *const *x);
/* dx: n pointers, NULL where not wanted; bit i of acc: added to */
void weighted_sum_backward(
	const struct weighted_sum *p, real *const *dx, uint64_t acc, const real *dy);

#endif
