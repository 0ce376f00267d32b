/*
 * The random parts of a view, one function each, so that their statistics can be tested.
 *
 * Each is keyed by (seed, its own purpose, epoch word, sample): switching one off changes nothing
 * in the others. The epoch word is epoch * repeats + repeat.
 */
#ifndef DATA_VIEW_H
#define DATA_VIEW_H

#include "lib/data/batches.h"
#include "lib/data/resample.h"

/* What names a view. */
struct view_key {
	uint64_t seed;
	uint32_t epoch;
	uint64_t sample;
};

/*
 * Random resized crop as in torchvision and timm 0.4.12: up to ten boxes with area uniform in
 * [scale_min, scale_max] of the image's and log-uniform aspect in [ratio_min, ratio_max], sides
 * rounded to even on a tie; the first that fits is placed uniformly. Otherwise the largest centred
 * box within the range of aspects.
 */
struct window view_crop(
	const struct augment *a, const struct view_key *key, int64_t height, int64_t width);
/* Offsets of AUGMENT_SHIFT, each uniform in -shift .. shift. */
void view_shift(const struct augment *a, const struct view_key *key, int64_t *dy, int64_t *dx);
int view_flip(const struct augment *a, const struct view_key *key);
/*
 * Random erasing as in timm 0.4.12: area uniform in 0.02 .. 1/3 of the view, log-uniform aspect in
 * 0.3 .. 1/0.3, up to ten attempts. Height 0: none.
 */
struct window view_erase(const struct augment *a, const struct view_key *key);
/* Operation i of RandAugment: 0 when it is not applied. */
int view_randaugment(const struct augment *a, const struct view_key *key, int64_t i,
	enum randaugment_op *op, double *argument);

/* Changes colours in place: RandAugment, or colour jitter when that is off. work as randaugment. */
void view_colours(const struct augment *a, const struct view_key *key, uint8_t *image, void *work);

#endif
