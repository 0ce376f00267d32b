/*
 * Adaptive weighting of the layers' similarities: the distillation loss.
 *
 *	loss = factor * sum over k, i of w_ik (1 - c_ik)
 *
 * c, w (N, K): N layers, K directions; w is formed for each direction on its own. With
 * cc_i = max(c_i, eps) and m the mean of cc over the layers:
 *
 *	ADAPT_RATIO_SM	softmax over i of m / (cc_i tau)	(the default: tau 1, eps 0.05)
 *	ADAPT_NEG_SM	softmax over i of -c_i / tau		(tau 0.5)
 *	ADAPT_INV_SM	1 / p_i over its sum, p = softmax(c / tau): equals ADAPT_NEG_SM
 *	ADAPT_RATIO_RAW	N m / cc_i, no softmax
 *	ADAPT_UNIFORM	1 / N
 *	ADAPT_FIXED_I	i for layers 1 to N - 1, 120 for the last: the released code
 *
 * Backward: dc_ik = -dloss factor w_ik, plus the gradient through w when stop_gradient is 0
 * (through cc only where c is above eps); set or added. Computed in double. N is at most
 * ADAPT_LAYERS. Source: TransMamba (arXiv 2502.15130), adaptive distillation; its released code.
 */
#ifndef KERNELS_ADAPT_H
#define KERNELS_ADAPT_H

#include "kernels/real.h"

#define ADAPT_LAYERS 256

enum adapt_mode {
	ADAPT_RATIO_SM,
	ADAPT_NEG_SM,
	ADAPT_INV_SM,
	ADAPT_RATIO_RAW,
	ADAPT_UNIFORM,
	ADAPT_FIXED_I
};

struct adapt {
	int64_t layers, directions;
	enum adapt_mode mode;
	real tau, eps, factor;
	int stop_gradient;
};

void adapt_forward(const struct adapt *p, real *loss, real *w, const real *c);
void adapt_backward(
	const struct adapt *p, real *dc, int acc, const real *dloss, const real *w, const real *c);

#endif
