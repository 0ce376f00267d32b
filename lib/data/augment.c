/* The settings of the augmentation: presets, ranges, text. */
#include "lib/data/view.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"

int augment_preset(struct augment *a, const char *name, int64_t size)
{
	*a = (struct augment){.size = size,
		.scale_min = 0.08,
		.scale_max = 1,
		.ratio_min = 3.0 / 4,
		.ratio_max = 4.0 / 3,
		.mix_probability = 1,
		.mix_switch = 0.5,
		.mean = {0.485, 0.456, 0.406}};
	if (!strcmp(name, "none"))
		return 0;
	a->flip = 0.5;
	if (!strcmp(name, "tiny")) {
		a->geometry = AUGMENT_SHIFT;
		a->shift = 3;
		return 0;
	}
	if (strcmp(name, "imagenet"))
		return error(
			STATUS_USAGE, "augmentation '%s': there are none, tiny, imagenet", name);
	a->geometry = AUGMENT_CROP;
	a->resize = size * 256 / 224;
	a->rand = (struct randaugment){2, 9, 0.5};
	a->jitter = 0.3;
	a->erase = 0.25;
	a->mixup = 0.8;
	a->cutmix = 1;
	return 0;
}

static int outside(double v, double low, double high)
{
	return !(v >= low && v <= high);
}

int augment_check(const struct augment *a)
{
	const struct {
		const char *name;
		double value, low, high;
	} keys[] = {
		{"size", (double)a->size, 1, 8192},
		{"resize", (double)a->resize, 0, 16384},
		{"shift", (double)a->shift, 0, (double)a->size},
		{"flip", a->flip, 0, 1},
		{"jitter", a->jitter, 0, 10},
		{"erase", a->erase, 0, 1},
		{"mixup", a->mixup, 0, 1000},
		{"cutmix", a->cutmix, 0, 1000},
		{"mix_probability", a->mix_probability, 0, 1},
		{"mix_switch", a->mix_switch, 0, 1},
		{"mean", a->mean[0], 0, 1},
		{"mean", a->mean[1], 0, 1},
		{"mean", a->mean[2], 0, 1},
		{"randaugment operations", (double)a->rand.ops, 0, 16},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (outside(keys[i].value, keys[i].low, keys[i].high))
			return error(STATUS_USAGE, "augmentation: %s is %g: it goes from %g to %g",
				keys[i].name, keys[i].value, keys[i].low, keys[i].high);
	if (a->geometry == AUGMENT_CROP &&
		(outside(a->scale_min, 1e-6, 1) || outside(a->scale_max, a->scale_min, 1) ||
			outside(a->ratio_min, 1e-3, 1e3) ||
			outside(a->ratio_max, a->ratio_min, 1e3)))
		return error(STATUS_USAGE,
			"augmentation: crop area %g..%g and aspect %g..%g: areas go from 0 to 1, "
			"the "
			"smaller first",
			a->scale_min, a->scale_max, a->ratio_min, a->ratio_max);
	return 0;
}

/* The shortest of 15 or 17 digits that reads back as the same number */
static json_t *number(double v)
{
	char text[40];

	snprintf(text, sizeof(text), "%.15g", v);
	if (strtod(text, NULL) != v)
		snprintf(text, sizeof(text), "%.17g", v);
	return json_string(text);
}

char *augment_text(const struct augment *a)
{
	static const char *const geometry[] = {"none", "crop", "shift"};
	char rand[64], *text;
	json_t *j;

	randaugment_print(&a->rand, rand, sizeof(rand));
	j = json_pack("{sI sI ss so so so so sI so ss so so so so so so s[ooo]}", "size",
		(json_int_t)a->size, "resize", (json_int_t)a->resize, "geometry",
		geometry[a->geometry], "scale_min", number(a->scale_min), "scale_max",
		number(a->scale_max), "ratio_min", number(a->ratio_min), "ratio_max",
		number(a->ratio_max), "shift", (json_int_t)a->shift, "flip", number(a->flip),
		"randaugment", rand, "jitter", number(a->jitter), "erase", number(a->erase),
		"mixup", number(a->mixup), "cutmix", number(a->cutmix), "mix_probability",
		number(a->mix_probability), "mix_switch", number(a->mix_switch), "mean",
		number(a->mean[0]), number(a->mean[1]), number(a->mean[2]));
	text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	json_decref(j);
	if (!text)
		error(STATUS_SYSTEM, "out of memory for the augmentation's text");
	return text;
}
