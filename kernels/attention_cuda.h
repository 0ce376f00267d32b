/* CUDA launchers of attention: see attention.h. No L x L matrix in memory, either way. */
#ifndef KERNELS_ATTENTION_CUDA_H
#define KERNELS_ATTENTION_CUDA_H

#include "kernels/array.h"
#include "kernels/attention.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ATTENTION_CUDA_DIM 128 /* the widest head */

/* stat float; y and qkv in either storage type */
void attention_cuda(const struct attention *p, struct array y, float *stat, struct array qkv,
	const int32_t *segments);
/*
 * Beside the contract's arguments y, whose products with dy are the sums over j of p_ij dp_ij; they
 * go to work (batch len heads floats). dqkv in qkv's type, dy in y's.
 */
void attention_cuda_backward(const struct attention *p, struct array dqkv, int acc, struct array dy,
	struct array y, const float *stat, struct array qkv, const int32_t *segments, float *work);
int64_t attention_cuda_work(const struct attention *p, int backward);

/*
 * The same by tensor cores, for halves and heads of 16, 32, 64 or 128, compute capability 8.0 and
 * later; 0: not for these arguments, and nothing was done. aside: (batch, len, heads) from work.
 */
int attention_tiles_cuda(const struct attention *p, struct array y, float *stat, struct array qkv,
	const int32_t *segments);
int attention_tiles_cuda_backward(const struct attention *p, struct array dqkv, int acc,
	struct array dy, struct array y, const float *stat, struct array qkv,
	const int32_t *segments, float *work);

#ifdef __cplusplus
}
#endif
#endif
