/*
 * o = y silu(z), with one gate for the K directions.
 *
 * y, o (b, K, L, E); z (b, L, E). Backward, with s = sigmoid(z): dy = do z s;
 * dz = sum over k of do y s (1 + z (1 - s)), k in order. Both set or add; NULL is not wanted. o may
 * be y.
 */
#ifndef KERNELS_GATE_H
#define KERNELS_GATE_H

#include "kernels/real.h"

struct gate {
	int64_t batch, directions, len, dim;
};

void gate_forward(const struct gate *p, real *o, const real *y, const real *z);
void gate_backward(const struct gate *p, real *dy, int acc_y, real *dz, int acc_z, const real *dout,
	const real *y, const real *z);

#endif
