/* Launchers beside cuBLASLt's products: see linear.h for the op. */
#ifndef KERNELS_LINEAR_CUDA_H
#define KERNELS_LINEAR_CUDA_H

#include <stdint.h>
#include "kernels/array.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y = scale x, between storage types; n values */
void cast_cuda(struct array y, struct array x, int64_t n, float scale);
/* The same twice: y = x, n values, and z = scale b, m values. */
void cast_both_cuda(struct array y, struct array x, int64_t n, struct array z, struct array b,
	int64_t m, float scale);

/* y (columns) += scale * sums over rows of x (rows, columns), in a fixed order */
#define COLUMN_PARTS 512
void column_sums_cuda(
	float *y, struct array x, int64_t rows, int64_t columns, float scale, float *work);
int64_t column_sums_work(int64_t columns);

#ifdef __cplusplus
}
#endif
#endif
