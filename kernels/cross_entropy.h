/*
 * Cross-entropy of logits with target probabilities, or with labels.
 *
 *	loss = (1 / divisor) sum over b of sum over c of -target_bc log softmax(logits_b)_c
 *
 * logits (b, C); target (b, C), or labels int32 (b) and target NULL; rows with a label outside
 * [0, C) count as zero. The divisor is a value known before the step (samples of the global batch),
 * so that parts of a batch add up. Kept: log_sum and rows (b), the rows' losses, added in order in
 * double.
 *
 * Backward: dlogits = dloss / divisor (softmax sum_c target - target), dtarget = -dloss / divisor
 * log softmax; set or added; NULL is not wanted.
 */
#ifndef KERNELS_CROSS_ENTROPY_H
#define KERNELS_CROSS_ENTROPY_H

#include "kernels/real.h"

struct cross_entropy {
	int64_t batch, classes;
};

void cross_entropy_forward(const struct cross_entropy *p, real *loss, real *log_sum, real *rows,
	const real *logits, const real *target, const int32_t *labels, real divisor);
void cross_entropy_backward(const struct cross_entropy *p, real *dlogits, int acc_logits,
	real *dtarget, int acc_target, const real *dloss, const real *log_sum, const real *logits,
	const real *target, const int32_t *labels, real divisor);

#endif
