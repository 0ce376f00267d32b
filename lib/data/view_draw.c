#include "lib/data/view.h"

#include <math.h>
#include "lib/data/draw.h"
#include "lib/data/exact.h"

#define ATTEMPTS 10
#define BOX (1u << 31) /* the lower elements of PURPOSE_ERASE are the box's noise */

static struct draw draw_of(const struct view_key *key, enum purpose purpose)
{
	return (struct draw){key->seed, purpose, key->epoch, key->sample};
}

/* A box of an area and an aspect (width by height), rounded; the same numbers as Python's round */
static void box_sides(double area, double aspect, int64_t *height, int64_t *width)
{
	*width = (int64_t)rint(sqrt(area * aspect));
	*height = (int64_t)rint(sqrt(area / aspect));
}

static double draw_aspect(const struct draw *d, uint32_t element, double low, double high)
{
	return exact_exp(draw_uniform(d, element, exact_log(low), exact_log(high)));
}

static struct window central(const struct augment *a, int64_t height, int64_t width)
{
	double aspect = (double)width / (double)height;
	struct window box = {0, 0, height, width};

	if (aspect < a->ratio_min)
		box.height = (int64_t)rint((double)width / a->ratio_min);
	else if (aspect > a->ratio_max)
		box.width = (int64_t)rint((double)height * a->ratio_max);
	box.height = box.height < 1 ? 1 : box.height > height ? height : box.height;
	box.width = box.width < 1 ? 1 : box.width > width ? width : box.width;
	box.top = (height - box.height) / 2;
	box.left = (width - box.width) / 2;
	return box;
}

struct window view_crop(
	const struct augment *a, const struct view_key *key, int64_t height, int64_t width)
{
	struct draw d = draw_of(key, PURPOSE_CROP);
	double area = (double)height * (double)width;

	for (uint32_t i = 0; i < ATTEMPTS; i++) {
		double part = area * draw_uniform(&d, 4 * i, a->scale_min, a->scale_max);
		double aspect = draw_aspect(&d, 4 * i + 1, a->ratio_min, a->ratio_max);
		struct window box = {0};

		box_sides(part, aspect, &box.height, &box.width);
		if (box.height < 1 || box.width < 1 || box.height > height || box.width > width)
			continue;
		box.top = draw_below(&d, 4 * i + 2, height - box.height + 1);
		box.left = draw_below(&d, 4 * i + 3, width - box.width + 1);
		return box;
	}
	return central(a, height, width);
}

void view_shift(const struct augment *a, const struct view_key *key, int64_t *dy, int64_t *dx)
{
	struct draw d = draw_of(key, PURPOSE_SHIFT);

	*dy = draw_below(&d, 0, 2 * a->shift + 1) - a->shift;
	*dx = draw_below(&d, 1, 2 * a->shift + 1) - a->shift;
}

int view_flip(const struct augment *a, const struct view_key *key)
{
	struct draw d = draw_of(key, PURPOSE_FLIP);

	return draw_chance(&d, 0, a->flip);
}

struct window view_erase(const struct augment *a, const struct view_key *key)
{
	struct draw d = draw_of(key, PURPOSE_ERASE);
	double area = (double)a->size * (double)a->size;

	if (!draw_chance(&d, BOX, a->erase))
		return (struct window){0};
	for (uint32_t i = 0; i < ATTEMPTS; i++) {
		double part = area * draw_uniform(&d, BOX + 4 * i + 1, 0.02, 1.0 / 3);
		double aspect = draw_aspect(&d, BOX + 4 * i + 2, 0.3, 1 / 0.3);
		struct window box = {0};

		box_sides(part, 1 / aspect, &box.height, &box.width);
		if (box.height < 1 || box.width < 1 || box.height >= a->size ||
			box.width >= a->size)
			continue;
		box.top = draw_below(&d, BOX + 4 * i + 3, a->size - box.height + 1);
		box.left = draw_below(&d, BOX + 4 * i + 4, a->size - box.width + 1);
		return box;
	}
	return (struct window){0};
}

int view_randaugment(const struct augment *a, const struct view_key *key, int64_t i,
	enum randaugment_op *op, double *argument)
{
	struct draw d = draw_of(key, PURPOSE_RANDAUGMENT);
	uint32_t element = 2 * (uint32_t)i;
	struct philox r = philox(d.seed, d.purpose, d.epoch, d.sample, element + 1);
	float normal[2];
	double level;

	*op = (enum randaugment_op)draw_below(&d, element, RANDAUGMENT_OPS);
	philox_normal(r.v[2], r.v[3], normal);
	level = a->rand.magnitude + a->rand.deviation * (double)normal[0];
	level = level < 0 ? 0 : level > 10 ? 10 : level;
	*argument = randaugment_argument(*op, level, r.v[1] >> 31);
	return r.v[0] >> 31;
}

/* Brightness, contrast and saturation in a random order, factors in 1 - jitter .. 1 + jitter. */
static void jitter_colours(
	const struct augment *a, const struct view_key *key, uint8_t *image, int64_t pixels)
{
	struct draw d = draw_of(key, PURPOSE_JITTER);
	int order[3] = {0, 1, 2};

	for (int i = 2; i > 0; i--) {
		int j = (int)draw_below(&d, (uint32_t)i, i + 1), swap = order[i];

		order[i] = order[j];
		order[j] = swap;
	}
	for (int i = 0; i < 3; i++) {
		double low = a->jitter < 1 ? 1 - a->jitter : 0;
		double factor = draw_uniform(&d, 3 + (uint32_t)order[i], low, 1 + a->jitter);

		if (order[i] == 0)
			image_brightness(image, pixels, factor);
		else if (order[i] == 1)
			image_contrast(image, pixels, factor);
		else
			image_color(image, pixels, factor);
	}
}

void view_colours(const struct augment *a, const struct view_key *key, uint8_t *image, void *work)
{
	uint8_t fill[3];

	for (int c = 0; c < 3; c++)
		fill[c] = (uint8_t)rint(255 * a->mean[c]);
	for (int64_t i = 0; i < a->rand.ops; i++) {
		enum randaugment_op op;
		double argument;

		if (view_randaugment(a, key, i, &op, &argument))
			randaugment_apply(op, argument, 1, fill, image, a->size, a->size, work);
	}
	if (!a->rand.ops && a->jitter > 0)
		jitter_colours(a, key, image, a->size * a->size);
}

void augment_mix(const struct augment *a, uint64_t seed, int64_t epoch, int64_t step, int64_t shard,
	float *mix)
{
	struct draw d = {seed, PURPOSE_MIX, (uint32_t)epoch, (uint64_t)step};
	uint32_t element = (uint32_t)shard << 10;
	int64_t size = a->size, side, y, x;
	int cut;
	double lambda;

	for (int i = 0; i < 6; i++)
		mix[i] = 0;
	mix[1] = 1;
	if (!(a->mixup > 0 || a->cutmix > 0) || !draw_chance(&d, element, a->mix_probability))
		return;
	cut = a->cutmix > 0 && (!(a->mixup > 0) || draw_chance(&d, element + 1, a->mix_switch));
	lambda = draw_beta(&d, element + 8, cut ? a->cutmix : a->mixup);
	if (!cut) {
		mix[0] = 1;
		mix[1] = (float)lambda;
		return;
	}
	side = (int64_t)((double)size * sqrt(1 - lambda));
	y = draw_below(&d, element + 2, size);
	x = draw_below(&d, element + 3, size);
	mix[0] = 2;
	mix[2] = (float)(y - side / 2 < 0 ? 0 : y - side / 2);
	mix[3] = (float)(x - side / 2 < 0 ? 0 : x - side / 2);
	mix[4] = (float)(y + side / 2 > size ? size : y + side / 2);
	mix[5] = (float)(x + side / 2 > size ? size : x + side / 2);
	mix[1] = (float)(1 - (double)(mix[4] - mix[2]) * (double)(mix[5] - mix[3]) /
				     ((double)size * (double)size));
}
