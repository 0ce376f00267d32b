/* CUDA launchers of embedding.h. */
#ifndef KERNELS_EMBEDDING_CUDA_H
#define KERNELS_EMBEDDING_CUDA_H

#include "kernels/array.h"
#include "kernels/embedding.h"

#ifdef __cplusplus
extern "C" {
#endif

void embedding_cuda(const struct embedding *p, struct array y, const int32_t *ids, struct array W);
void embedding_cuda_backward(
	const struct embedding *p, float *dW, struct array dy, const int32_t *ids);

#ifdef __cplusplus
}
#endif
#endif
