/*
 * Distances of tokens: absolute (l1) or squared (l2) differences, mean over the channels and over
 * the tokens of a sample, sum over the batch.
 *
 *	loss = (1 / divisor) sum over b of (1 / (L C)) sum over l, c of |u - v|  or  (u - v)^2
 *
 * u, v (b, L, C). Kept: rows (b), the samples' means, added in order in double. Backward, sets or
 * adds; NULL is not wanted; with s = dloss / (divisor L C):
 *
 *	l1	du = s sign(u - v), 0 at equality	dv = -du
 *	l2	du = 2 s (u - v)			dv = -du
 */
#ifndef KERNELS_TOKEN_LOSS_H
#define KERNELS_TOKEN_LOSS_H

#include "kernels/real.h"

struct token_loss {
	int64_t batch, len, dim;
	int squared; /* 0: l1, 1: l2 */
};

void token_loss_forward(const struct token_loss *p, real *loss, real *rows, const real *u,
	const real *v, real divisor);
void token_loss_backward(const struct token_loss *p, real *du, int acc_u, real *dv, int acc_v,
	const real *dloss, const real *u, const real *v, real divisor);

#endif
