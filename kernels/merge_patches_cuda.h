/* CUDA launchers of merge_patches.h. */
#ifndef KERNELS_MERGE_PATCHES_CUDA_H
#define KERNELS_MERGE_PATCHES_CUDA_H

#include "kernels/array.h"
#include "kernels/merge_patches.h"

#ifdef __cplusplus
extern "C" {
#endif

void merge_patches_cuda(const struct merge_patches *p, struct array y, struct array x);
void merge_patches_cuda_backward(
	const struct merge_patches *p, struct array dx, int acc, struct array dy);

#ifdef __cplusplus
}
#endif
#endif
