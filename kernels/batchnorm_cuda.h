/* CUDA form of batchnorm.h. Work in floats. */
#ifndef KERNELS_BATCHNORM_CUDA_H
#define KERNELS_BATCHNORM_CUDA_H

#include "kernels/array.h"
#include "kernels/batchnorm.h"

#ifdef __cplusplus
extern "C" {
#endif

void batchnorm_running_cuda(const struct batchnorm *p, struct array y, struct array x,
	const float *weight, const float *bias, const float *mean, const float *var, float *work);
void batchnorm_forward_cuda(const struct batchnorm *p, struct array y, float *kept,
	float *stat_mean, float *stat_var, struct array x, const float *weight, const float *bias,
	float *work);
void batchnorm_backward_cuda(const struct batchnorm *p, struct array dx, int acc, float *dweight,
	float *dbias, struct array dy, const float *kept, struct array x, const float *weight,
	const float *bias, float *work);
int64_t batchnorm_work_cuda(const struct batchnorm *p, int backward);

#ifdef __cplusplus
}
#endif
#endif
