/*
 * Two losses that hold one row of numbers against another as distributions at temperature T.
 *
 * With p = softmax(b/T) and q = softmax(a/T) over the channels of a row:
 *
 *	channel_ce	-(1 / divisor) sum over rows, c of p_c log q_c
 *	kl_logits	(T^2 / divisor) sum over rows of KL(p || q)
 *
 * a, b (rows, C): a the student's, b the teacher's. channel_ce takes features as if they were
 * logits (the RC loss) and has no T^2. Kept: log_sum_a, log_sum_b and values (rows), added in
 * order in double. Backward, with s = dloss / divisor, sets or adds; NULL is not wanted:
 *
 *	channel_ce	da = s (q - p) / T	db = -s p (log q - sum p log q) / T
 *	kl_logits	da = s T (q - p)	db = s T p (log p - log q - KL)
 *
 * Source: TransMamba (arXiv 2502.15130), Table 5 and the released code; Hinton et al., 2015.
 */
#ifndef KERNELS_CHANNEL_CE_H
#define KERNELS_CHANNEL_CE_H

#include "kernels/real.h"

struct channel_ce {
	int64_t rows, dim;
	real temperature;
};

/* Outputs, kept values and inputs of both. */
void channel_ce_forward(const struct channel_ce *p, real *loss, real *log_sum_a, real *log_sum_b,
	real *values, const real *a, const real *b, real divisor);
void channel_ce_backward(const struct channel_ce *p, real *da, int acc_a, real *db, int acc_b,
	const real *dloss, const real *log_sum_a, const real *log_sum_b, const real *values,
	const real *a, const real *b, real divisor);

void kl_logits_forward(const struct channel_ce *p, real *loss, real *log_sum_a, real *log_sum_b,
	real *values, const real *a, const real *b, real divisor);
void kl_logits_backward(const struct channel_ce *p, real *da, int acc_a, real *db, int acc_b,
	const real *dloss, const real *log_sum_a, const real *log_sum_b, const real *values,
	const real *a, const real *b, real divisor);

#endif
