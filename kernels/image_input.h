/*
 * Pixels to the network's input, and labels to its targets: normalised, erased, mixed.
 *
 * pixels u8 (b, S, S, 3) -> x (b, S, S, 3). In this order:
 *
 *	normalise	(pixel / 255 - mean) / std, ImageNet's: mean 0.485, 0.456, 0.406, std
 *			0.229, 0.224, 0.225
 *	erase		erase int32 (b, 6): top, left, height, width of a box (height 0: none),
 *			sample word, epoch word. Every value in the box is N(0, 1): the two pairs
 *			of normal numbers of philox(seed, PURPOSE_ERASE, epoch word, sample word,
 *			row S + column) in order
 *	mix		mix (b / shard, 6): kind, lambda, top, left, bottom, right. The partner
 *			of sample i of a shard is sample shard - 1 - i of it. MIX_UP: lambda x +
 *			(1 - lambda) partner; MIX_CUT: the box (bottom and right not included) is
 *			the partner's; lambda is then the share of the image that is left
 *
 * Boxes are cut to the image. A table that is NULL changes nothing.
 *
 * soft_target: labels int32 (b) -> y (b, C): 1 - s + s / C at the label, s / C elsewhere; zeros for
 * a label outside [0, C) (unknown: -1); then, where the shard is mixed, lambda y + (1 - lambda)
 * partner's. No gradients.
 */
#ifndef KERNELS_IMAGE_INPUT_H
#define KERNELS_IMAGE_INPUT_H

#include "kernels/real.h"

#define ERASE_COLUMNS 6
#define MIX_COLUMNS 6

enum mix_kind { MIX_NONE, MIX_UP, MIX_CUT };

struct image_input {
	int64_t batch, size, shard; /* shard divides batch */
};

void image_input_forward(const struct image_input *p, real *x, const uint8_t *pixels,
	const int32_t *erase, const real *mix, uint64_t seed);

struct soft_target {
	int64_t batch, classes, shard;
	real smoothing;
};

void soft_target_forward(
	const struct soft_target *p, real *y, const int32_t *labels, const real *mix);

#endif
