/*
 * The residual stream and the K directions' contributions to it.
 *
 *	merge	y = x + scale sum over k of o_k		scale: stochastic depth, 1 without (NULL)
 *	tap	s_k = x + kappa o_k
 *	mean	m = sum over k of s_k / K
 *
 * x, y, m (b, L, C); o, s (b, K, L, C); directions are added in order. Backward sets or adds; NULL
 * is not wanted:
 *
 *	merge	dx = dy; do_k = scale dy
 *	tap	dx = sum over k of ds_k; do_k = kappa ds_k
 *	mean	ds_k = dm / K
 *
 * Source: the taps of TransMamba's released code.
 */
#ifndef KERNELS_DIRECTIONS_H
#define KERNELS_DIRECTIONS_H

#include "kernels/drop_path.h"
#include "kernels/real.h"

struct directions {
	int64_t batch, directions, len, dim;
	real kappa; /* tap */
	real rate;  /* merge: of stochastic depth */
	int layer;  /* merge: its part of stochastic depth's key */
};

void merge_directions_forward(const struct directions *p, real *y, const real *x, const real *o,
	const struct drop_path *drop);
void merge_directions_backward(const struct directions *p, real *dx, int acc_x, real *d_o,
	int acc_o, const real *dy, const struct drop_path *drop);

void tap_resid_forward(const struct directions *p, real *s, const real *x, const real *o);
void tap_resid_backward(
	const struct directions *p, real *dx, int acc_x, real *d_o, int acc_o, const real *ds);

void mean_directions_forward(const struct directions *p, real *m, const real *s);
void mean_directions_backward(const struct directions *p, real *ds, int acc, const real *dm);

#endif
