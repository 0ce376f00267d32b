/* CUDA launchers of image_input.h and of what update.h does to parameters. */
#ifndef KERNELS_INPUT_CUDA_H
#define KERNELS_INPUT_CUDA_H

#include "kernels/array.h"
#include "kernels/image_input.h"
#include "kernels/update.h"

struct step;

#ifdef __cplusplus
extern "C" {
#endif

void image_input_cuda(const struct image_input *p, struct array x, const uint8_t *pixels,
	const int32_t *erase, const float *mix, const struct step *step);
void soft_target_cuda(
	const struct soft_target *p, float *y, const int32_t *labels, const float *mix);

/* work: a double per 65,536 values */
void sumsq_cuda(const struct sumsq *p, float *y, const float *x, double *work);
void accumulate_cuda(const struct accumulate *p, float *a, const float *b);
void update_gate_cuda(const struct update_gate *p, float *gate, const float *norm2,
	const float *loss, float *failed);
void adamw_cuda(const struct adamw *p, float *w, float *m, float *v, const float *grad,
	const float *gate, const struct step *step);
void sgd_cuda(const struct sgd *p, float *w, float *m, const float *grad, const float *gate,
	const struct step *step);
void ema_cuda(const struct ema *p, float *running, const float *stat, const float *gate,
	const struct step *step);

#ifdef __cplusplus
}
#endif
#endif
