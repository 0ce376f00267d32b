/* CUDA form of dwconv1d.h; c.data NULL: nobody wants it. Work in floats, backward alone. */
#ifndef KERNELS_DWCONV1D_CUDA_H
#define KERNELS_DWCONV1D_CUDA_H

#include "kernels/array.h"
#include "kernels/dwconv1d.h"

#ifdef __cplusplus
extern "C" {
#endif

void dwconv1d_forward_cuda(const struct dwconv1d *p, struct array u, struct array c, struct array x,
	const float *weight, const float *bias, const int32_t *segments, float *window);
void dwconv1d_backward_cuda(const struct dwconv1d *p, struct array dx, int acc_x, float *dweight,
	float *dbias, struct array du, struct array c, struct array x, const float *weight,
	const int32_t *segments, float *work);
int64_t dwconv1d_work_cuda(const struct dwconv1d *p, int backward);

#ifdef __cplusplus
}
#endif
#endif
