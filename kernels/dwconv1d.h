/*
 * Causal depthwise convolution of width 4 along the tokens, then SiLU.
 *
 *	c_t = bias + sum over j in 0..3 of w_j x_{t-3+j}	u = c sigmoid(c)
 *
 * mirrored: x_{t+3-j}, the look-ahead of a direction that walks from the end. Tokens outside the
 * row, or of another segment, count as zero. x, u (b, L, E); weight (E, 1, 4); bias (E); kept: c,
 * as u. segments int32 (b, L) or NULL: the first token of each token's segment.
 *
 * window (b, 3, E) or NULL, causal without segments, forward alone: the three tokens before the
 * row, overwritten with its last three (counting those before), so that a row may be walked in
 * pieces.
 *
 * Backward: dc = du s (1 + c (1 - s)); dx_t = sum w_j dc_{t+3-j} (mirrored: dc_{t-3+j}) set or
 * added; dweight_j = sum dc_t x_{t-3+j} and dbias = sum dc added, tokens in order. NULL is not
 * wanted. Work: b L E reals for backward. Source: causal-conv1d, as Mamba uses it.
 */
#ifndef KERNELS_DWCONV1D_H
#define KERNELS_DWCONV1D_H

#include "kernels/real.h"

#define DWCONV1D_WIDTH 4

struct dwconv1d {
	int64_t batch, len, dim;
	int mirrored;
};

void dwconv1d_forward(const struct dwconv1d *p, real *u, real *c, const real *x, const real *weight,
	const real *bias, const int32_t *segments, real *window);
void dwconv1d_backward(const struct dwconv1d *p, real *dx, int acc_x, real *dweight, real *dbias,
	const real *du, const real *c, const real *x, const real *weight, const int32_t *segments,
	real *work);
int64_t dwconv1d_work(const struct dwconv1d *p, int backward);

#endif
