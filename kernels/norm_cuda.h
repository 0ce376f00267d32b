/* CUDA launchers of layer norm and RMS norm: see norm.h. */
#ifndef KERNELS_NORM_CUDA_H
#define KERNELS_NORM_CUDA_H

#include "kernels/array.h"
#include "kernels/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* stat (rows, 2) float; every other array in either storage type */
void norm_cuda(const struct norm *p, struct array y, float *stat, struct array x,
	struct array weight, struct array bias);
/*
 * dx in x's type, dy in y's. The gradients of weight and bias are float, NULL where not wanted, and
 * added: sums over fixed stretches of rows go to work, then into them in order.
 */
void norm_cuda_backward(const struct norm *p, struct array dx, int acc_x, float *dweight,
	float *dbias, struct array dy, const float *stat, struct array x, struct array weight,
	float *work);
/* floats */
int64_t norm_cuda_work(const struct norm *p);

#ifdef __cplusplus
}
#endif
#endif
