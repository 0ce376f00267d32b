/* CUDA form of dwconv2d.h; c.data NULL: nobody wants it. Work in floats, backward alone. */
#ifndef KERNELS_DWCONV2D_CUDA_H
#define KERNELS_DWCONV2D_CUDA_H

#include "kernels/array.h"
#include "kernels/dwconv2d.h"

#ifdef __cplusplus
extern "C" {
#endif

void dwconv2d_forward_cuda(const struct dwconv2d *p, struct array y, struct array c, struct array x,
	const float *weight, const float *bias);
void dwconv2d_backward_cuda(const struct dwconv2d *p, struct array dx, int acc_x, float *dweight,
	float *dbias, struct array dy, struct array c, struct array x, const float *weight,
	float *work);
int64_t dwconv2d_work_cuda(const struct dwconv2d *p, int backward);

#ifdef __cplusplus
}
#endif
#endif
