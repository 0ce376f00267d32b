/*
 * Cosine similarity per token, and its mean per direction.
 *
 *	cos_bkl = <u_bkl, v_bl> / max(|u| |v|, 1e-8)	c_k = mean over b and l of cos_bkl
 *
 * u (b, K, L, C); v (b, L, C), the same for all K; c (K). Kept: cos and inverse_u (b, K, L),
 * inverse_v (b, L), the inverse lengths (inverse_u 0 where |u| |v| is below the guard).
 *
 * Backward, from dc (K), set or added; NULL is not wanted; tokens below the guard get zero:
 *
 *	du = dc_k / (b L) (v / (|u| |v|) - cos u / |u|^2)
 *	dv = sum over k of dc_k / (b L) (u / (|u| |v|) - cos v / |v|^2)
 *
 * Source: TransMamba (arXiv 2502.15130), adaptive distillation.
 */
#ifndef KERNELS_COSINE_H
#define KERNELS_COSINE_H

#include "kernels/real.h"

struct cosine {
	int64_t batch, directions, len, dim;
};

void cosine_forward(const struct cosine *p, real *c, real *cos, real *inverse_u, real *inverse_v,
	const real *u, const real *v);
void cosine_backward(const struct cosine *p, real *du, int acc_u, real *dv, int acc_v,
	const real *dc, const real *cos, const real *inverse_u, const real *inverse_v,
	const real *u, const real *v);

#endif
