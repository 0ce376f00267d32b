/*
 * o = y silu(z), with one gate for the K directions; of a pair, o = scale (y + y2) silu(z).
 *
 * y, y2, o (b, K, L, E); z (b, L, E); y2 NULL: no pair, and no scale. Backward, with s =
 * sigmoid(z): dy = do z s, dy2 the same, both times scale; dz = sum over k of do y s (1 + z (1 -
 * s)), k in order, with scale (y + y2) for y. All set or add; NULL is not wanted. o may be y.
 */
#ifndef KERNELS_GATE_H
#define KERNELS_GATE_H

#include "kernels/real.h"

struct gate {
	int64_t batch, directions, len, dim;
	real scale;
};

struct gate_grads {
	real *y, *y2, *z;
	int acc_y, acc_y2, acc_z;
};

void gate_forward(const struct gate *p, real *o, const real *y, const real *y2, const real *z);
void gate_backward(const struct gate *p, const struct gate_grads *d, const real *dout,
	const real *y, const real *y2, const real *z);

#endif
