/*
 * Stochastic depth: a sample's branch is dropped with probability rate, else scaled by
 * 1 / (1 - rate). Keyed by (seed, step, position in the global batch, layer), so the choice does
 * not depend on how the batch is dealt out.
 */
#ifndef KERNELS_DROP_PATH_H
#define KERNELS_DROP_PATH_H

#include "kernels/philox.h"
#include "kernels/real.h"

struct drop_path {
	uint64_t seed;
	int64_t step, first_sample;
};

/* What multiplies the branch of sample b of this shard; d NULL: 1. */
static inline real drop_path_scale(const struct drop_path *d, real rate, int layer, int64_t b)
{
	struct philox words;

	if (!d || !(rate > 0))
		return 1;
	words = philox(d->seed, PURPOSE_DROP_PATH, (uint32_t)d->step,
		(uint64_t)(d->first_sample + b), (uint32_t)layer);
	return philox_uniform(words.v[0]) < rate ? 0 : 1 / (1 - rate);
}

#endif
