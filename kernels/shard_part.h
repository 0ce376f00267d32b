/*
 * y = scale x: turns means over a shard into their parts of the mean over the batch, scale being
 * 1 / shards, a value of the step. count elements; dx = scale dy, set or added.
 */
#ifndef KERNELS_SHARD_PART_H
#define KERNELS_SHARD_PART_H

#include "kernels/real.h"

struct shard_part {
	int64_t count;
};

void shard_part_forward(const struct shard_part *p, real *y, const real *x, real scale);
void shard_part_backward(const struct shard_part *p, real *dx, int acc, const real *dy, real scale);

#endif
