#ifndef KERNELS_STEP_H
#define KERNELS_STEP_H

#include "kernels/real.h"

/*
 * What changes from step to step. It lies in device memory, so that a captured walk sees the new
 * values.
 */
struct step {
	uint64_t seed;
	int64_t epoch;	      /* from 0 */
	int64_t step;	      /* optimiser steps done before this one, from 0 */
	int64_t first_sample; /* position of this shard's first sample in the global batch */
	real lr;	      /* learning rate of this step */
	real divisor;	      /* what the task loss is divided by: samples of the global batch */
	real scale;	      /* 1 / shards: for losses that are means over a shard */
};

#endif
