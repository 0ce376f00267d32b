/* Position tables of another grid. */
#ifndef MODELS_POSITIONS_H
#define MODELS_POSITIONS_H

#include "kernels/real.h"

/*
 * in (from * from, dim) -> out (to * to, dim), row-major grids. Where `from` is a multiple of `to`
 * and pool is set, the mean over blocks; otherwise bicubic as torch.nn.functional.interpolate has
 * it (a = -0.75, align_corners false, no antialiasing).
 */
void positions_resize(const real *in, int64_t from, real *out, int64_t to, int64_t dim, int pool);

#endif
