/* CUDA launchers of concat.h, one part at a time: `from` is its first token in y. */
#ifndef KERNELS_CONCAT_CUDA_H
#define KERNELS_CONCAT_CUDA_H

#include "kernels/array.h"
#include "kernels/concat.h"

#ifdef __cplusplus
extern "C" {
#endif

void concat_tokens_cuda(
	const struct concat *p, struct array y, struct array x, int64_t from, int64_t len);
/* dx is set or added to */
void concat_tokens_cuda_backward(const struct concat *p, struct array dx, int acc, struct array dy,
	int64_t from, int64_t len);

#ifdef __cplusplus
}
#endif
#endif
