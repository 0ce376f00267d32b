/* What kernels read of the step, which lies in device memory. */
#ifndef KERNELS_STEP_CUDA_CUH
#define KERNELS_STEP_CUDA_CUH

#include "kernels/philox.h"
#include "kernels/real.h"
#include "kernels/step.h"

/* As drop_path_scale (drop_path.h); step NULL: 1. */
static __device__ __forceinline__ float drop_scale(
	const struct step *step, float rate, int layer, int64_t b)
{
	struct philox words;

	if (!step || !(rate > 0))
		return 1;
	words = philox(step->seed, PURPOSE_DROP_PATH, (uint32_t)step->step,
		(uint64_t)(step->first_sample + b), (uint32_t)layer);
	return philox_uniform(words.v[0]) < rate ? 0 : 1 / (1 - rate);
}

#endif
