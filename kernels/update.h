/*
 * What happens to parameters after the gradients are there. Flat arrays of `count`; nothing is
 * differentiated.
 *
 *	sumsq		sum of x^2 in double: by blocks of 65,536 elements, each summed in 16
 *			interleaved lanes; lanes and blocks are added over a binary tree,
 *			neighbours first
 *	accumulate	a += b
 *	gate		norm = sqrt(norm2); [0] = min(1, max_norm / (norm + 1e-6)), 1 where
 *			max_norm is 0; [1] = 1 if norm2 and the loss are finite, else both are 0;
 *			once that happens *failed is 1 and both stay 0 (failed NULL: no memory)
 *	adamw		w *= 1 - lr decay; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
 *			w -= lr / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + eps)
 *	sgd		m = momentum m + g + decay w; w -= lr m
 *	ema		running = (1 - m) running + m stat scale
 *
 * g is the gradient times gate[0]; nothing is written where gate[1] is 0; a NULL gate is (1, 1). t
 * counts steps from 1. Sources: Loshchilov and Hutter, arXiv 1711.05101, with PyTorch's order of
 * operations; torch.optim.SGD; torch.nn.utils.clip_grad_norm_.
 */
#ifndef KERNELS_UPDATE_H
#define KERNELS_UPDATE_H

#include "kernels/real.h"

#define SUMSQ_BLOCK 65536

struct sumsq {
	int64_t count;
};
/* blocks: one double per block */
void sumsq_forward(const struct sumsq *p, real *y, const real *x, double *blocks);
int64_t sumsq_blocks(const struct sumsq *p);

struct accumulate {
	int64_t count;
};
void accumulate_forward(const struct accumulate *p, real *a, const real *b);

struct update_gate {
	real max_norm;
};
void update_gate_forward(
	const struct update_gate *p, real *gate, const real *norm2, const real *loss, real *failed);

struct adamw {
	int64_t count;
	double beta1, beta2, eps, decay, lr_scale;
};
void adamw_forward(const struct adamw *p, real *w, real *m, real *v, const real *grad,
	const real *gate, double lr, int64_t t);

struct sgd {
	int64_t count;
	double momentum, decay, lr_scale;
};
void sgd_forward(
	const struct sgd *p, real *w, real *m, const real *grad, const real *gate, double lr);

struct ema {
	int64_t count;
	double momentum;
};
void ema_forward(
	const struct ema *p, real *running, const real *stat, const real *gate, double scale);

#endif
