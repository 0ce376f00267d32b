/*
 * Softmax attention of several heads.
 *
 *	s_ij = q_i . k_j / sqrt(dim)
 *	p_ij = exp(s_ij - max_i) / sum_i
 *	y_i  = sum over j of p_ij v_j
 *
 * qkv (b, L, 3 heads dim) as [q | k | v], heads side by side; y (b, L, heads dim). segments int32
 * (b, L) or NULL: the first token of each token's segment; i sees the j of its own segment, if
 * causal those up to itself. Tokens of a segment lie side by side. Kept: stat (b, heads, L, 2):
 * max_i and 1 / sum_i.
 *
 * Backward recomputes p: dp_ij = dy_i . v_j; ds_ij = p_ij (dp_ij - sum over j of p_ij dp_ij);
 * dq_i = sum_j ds_ij k_j / sqrt(dim); dk_j = sum_i ds_ij q_i / sqrt(dim); dv_j = sum_i p_ij dy_i.
 * dqkv set or added. On CUDA the sum over j of p_ij dp_ij is dy_i . y_i, so y is kept too.
 *
 * The fast form gives a task to each sample and head and walks blocks of 96 queries, for which the
 * row of scores is whole. Work in reals for up to 64 threads, with P = L rounded up to whole panels
 * (gemm.h) and D = dim likewise, each: forward P dim + L D + 96 P, backward 2 P dim + L D +
 * 96 (2 P + 2 D).
 */
#ifndef KERNELS_ATTENTION_H
#define KERNELS_ATTENTION_H

#include "kernels/real.h"

struct attention {
	int64_t batch, len, heads, dim; /* dim of one head */
	int causal;
};

void attention_forward(
	const struct attention *p, real *y, real *stat, const real *qkv, const int32_t *segments);
void attention_backward(const struct attention *p, real *dqkv, int acc, const real *dy,
	const real *stat, const real *qkv, const int32_t *segments);

void attention_forward_fast(const struct attention *p, real *y, real *stat, const real *qkv,
	const int32_t *segments, real *work);
void attention_backward_fast(const struct attention *p, real *dqkv, int acc, const real *dy,
	const real *stat, const real *qkv, const int32_t *segments, real *work);
int64_t attention_work_fast(const struct attention *p, int backward);

#endif
