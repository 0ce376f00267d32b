/* CUDA launchers of clip_rows.h. */
#ifndef KERNELS_CLIP_ROWS_CUDA_H
#define KERNELS_CLIP_ROWS_CUDA_H

#include "kernels/array.h"
#include "kernels/clip_rows.h"

#ifdef __cplusplus
extern "C" {
#endif

void clip_rows_cuda(const struct clip_rows *p, struct array y, struct array x, struct array rows,
	struct array times);
/* drows (before + n, C) += sums over samples, and of a place over frames, in order */
void clip_rows_cuda_rows(const struct clip_rows *p, float *drows, struct array dy);
/* dtimes (frames, C) += sums over samples and places: eight sums of every eighth, then those */
void clip_rows_cuda_times(const struct clip_rows *p, float *dtimes, struct array dy);

#ifdef __cplusplus
}
#endif
#endif
