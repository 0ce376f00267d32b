/*
 * An image cut into k x k patches: each becomes a row of values ordered (channel, row, column), the
 * order of a convolution's weight.
 *
 * image (b, height, width, c), k divides both sides; y (b, (height/k)(width/k), c k k). Backward:
 * dimage is set or added to.
 */
#ifndef KERNELS_PATCHES_H
#define KERNELS_PATCHES_H

#include "kernels/real.h"

struct patches {
	int64_t batch, height, width, dim, side;
};

void patches_forward(const struct patches *p, real *y, const real *image);
void patches_backward(const struct patches *p, real *dimage, int acc, const real *dy);

#endif
