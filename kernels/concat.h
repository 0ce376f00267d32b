/*
 * Tokens of n tensors one after another: y_b = scale [x_0,b | x_1,b | ...].
 *
 * x_i (b, len[i], C), y (b, sum of len, C). With equal lengths y is (b, n, L, C): the directions of
 * a scan side by side. Backward: dx_i = scale times its part of dy, set, or added to where bit i of
 * acc is set; NULL is not wanted.
 */
#ifndef KERNELS_CONCAT_H
#define KERNELS_CONCAT_H

#include "kernels/real.h"

#define CONCAT_MAX 8 /* inputs at most */

struct concat {
	int64_t batch, all, dim; /* all: the sum of the lengths */
	int n;
	int64_t len[CONCAT_MAX];
	real scale;
};

void concat_tokens_forward(const struct concat *p, real *y, const real *const *x);
void concat_tokens_backward(const struct concat *p, real *const *dx, uint64_t acc, const real *dy);

#endif
