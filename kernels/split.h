/*
 * Columns of x (rows, sum of widths) dealt to n outputs y_i (rows, widths[i]), in order.
 *
 * Backward: dx is set or added to from all dy.
 */
#ifndef KERNELS_SPLIT_H
#define KERNELS_SPLIT_H

#include "kernels/real.h"

#define SPLIT_MAX 16 /* outputs at most */

struct split {
	int64_t rows, width; /* width: the sum */
	int n;
	int64_t widths[SPLIT_MAX];
};

void split_forward(const struct split *p, real *const *y, const real *x);
void split_backward(const struct split *p, real *dx, int acc, const real *const *dy);

#endif
