/*
 * A gate over two tensors side by side.
 *
 *	y = a [b | c]		columns [0, left) from b, the rest from c
 *
 * a, y (rows, width); b (rows, left); c (rows, width - left); 0 < left < width. Backward: da = dy
 * [b | c], db and dc = a dy; set or added; NULL is not wanted. Source: MambaOut's gated convolution
 * (arXiv 2405.07992).
 */
#ifndef KERNELS_GATE_JOIN_H
#define KERNELS_GATE_JOIN_H

#include "kernels/real.h"

struct gate_join {
	int64_t rows, width, left;
};

struct gate_join_grads {
	real *a, *b, *c;
	int acc_a, acc_b, acc_c;
};

void gate_join_forward(
	const struct gate_join *p, real *y, const real *a, const real *b, const real *c);
void gate_join_backward(const struct gate_join *p, const struct gate_join_grads *d, const real *dy,
	const real *a, const real *b, const real *c);

#endif
