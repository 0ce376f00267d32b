/* CUDA launchers of tokens.h. */
#ifndef KERNELS_TOKENS_CUDA_H
#define KERNELS_TOKENS_CUDA_H

#include "kernels/array.h"
#include "kernels/tokens.h"

#ifdef __cplusplus
extern "C" {
#endif

void insert_token_cuda(const struct tokens *p, struct array y, struct array x, struct array token);
void insert_token_cuda_x(const struct tokens *p, struct array dx, int acc, struct array dy);
/* dtoken (C) += sum over samples of the row at index of dy, in order */
void insert_token_cuda_token(const struct tokens *p, float *dtoken, struct array dy);
void add_rows_cuda(const struct tokens *p, struct array y, struct array x, struct array rows);
/* drows (L, C) += sum over samples of dy, in order */
void add_rows_cuda_rows(const struct tokens *p, float *drows, struct array dy);
void slice_tokens_cuda(const struct tokens *p, struct array y, struct array x);
void slice_tokens_cuda_backward(const struct tokens *p, struct array dx, int acc, struct array dy);
void permute_tokens_cuda(const struct tokens *p, struct array y, struct array x,
	const int32_t *order, int backward, int acc);
void mean_tokens_cuda(const struct tokens *p, struct array y, struct array x);
void mean_tokens_cuda_backward(const struct tokens *p, struct array dx, int acc, struct array dy);
void pool_tokens_cuda(const struct tokens *p, struct array y, struct array x);
void pool_tokens_cuda_backward(const struct tokens *p, struct array dx, int acc, struct array dy);

#ifdef __cplusplus
}
#endif
#endif
