/*
 * Patch merging: each 2 x 2 block of tokens becomes one row of all their channels.
 *
 *	y[i][j] = [x[2i][2j] | x[2i + 1][2j] | x[2i][2j + 1] | x[2i + 1][2j + 1]]
 *
 * column by column, zeros outside: an odd side is padded below or on the right. x (b, height width,
 * C); y (b, ceil(height/2) ceil(width/2), 4C). Backward: dx is set or added to. Nothing is kept.
 *
 * Source: Swin Transformer's merging as VMamba has it (PatchMerging2D).
 */
#ifndef KERNELS_MERGE_PATCHES_H
#define KERNELS_MERGE_PATCHES_H

#include "kernels/real.h"

struct merge_patches {
	int64_t batch, height, width, dim; /* of x */
};

void merge_patches_forward(const struct merge_patches *p, real *y, const real *x);
void merge_patches_backward(const struct merge_patches *p, real *dx, int acc, const real *dy);

#endif
