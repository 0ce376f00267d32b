#include "lib/data/randaugment.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"

static const char *const names[RANDAUGMENT_OPS] = {"AutoContrast", "Equalize", "Invert", "Rotate",
	"Posterize", "Solarize", "SolarizeAdd", "Color", "Contrast", "Brightness", "Sharpness",
	"ShearX", "ShearY", "TranslateX", "TranslateY"};

const char *randaugment_name(enum randaugment_op op)
{
	return names[op];
}

/* Reads the number after a section's name, whole. */
static int section(const char *text, const char *name, double low, double high, double *value)
{
	size_t n = strlen(name);
	char *end;

	if (strncmp(text, name, n) || !isdigit((unsigned char)text[n]))
		return 0;
	*value = strtod(text + n, &end);
	return !*end && *value >= low && *value <= high;
}

static int refuse(const char *text)
{
	return error(STATUS_USAGE,
		"randaugment '%s' is not understood: write none or rand-m9-mstd0.5-inc1, with m 0 "
		"to "
		"10, mstd 0 to 10, n 1 to 16 and inc 1",
		text);
}

int randaugment_parse(struct randaugment *r, const char *text)
{
	struct randaugment found = {.ops = 2, .magnitude = 10};
	char copy[64], *next = copy, *part;
	double value;
	int increasing = 0;

	if (!strcmp(text, "none")) {
		*r = (struct randaugment){0};
		return 0;
	}
	if (strlen(text) >= sizeof(copy))
		return refuse(text);
	strcpy(copy, text);
	if (strcmp(strsep(&next, "-"), "rand"))
		return refuse(text);
	while ((part = strsep(&next, "-"))) {
		if (section(part, "mstd", 0, 10, &value))
			found.deviation = value;
		else if (section(part, "m", 0, 10, &value))
			found.magnitude = value;
		else if (section(part, "n", 1, 16, &value) && value == floor(value))
			found.ops = (int64_t)value;
		else if (section(part, "inc", 1, 1, &value))
			increasing = 1;
		else
			return refuse(text);
	}
	if (!increasing)
		return refuse(text);
	*r = found;
	return 0;
}

void randaugment_print(const struct randaugment *r, char *text, size_t size)
{
	char count[16] = "";

	if (r->ops == 0) {
		snprintf(text, size, "none");
		return;
	}
	if (r->ops != 2)
		snprintf(count, sizeof(count), "-n%d", (int)r->ops);
	snprintf(text, size, "rand-m%.9g%s-mstd%.9g-inc1", r->magnitude, count, r->deviation);
}

double randaugment_argument(enum randaugment_op op, double level, int negative)
{
	double share = level / 10, sign = negative ? -1 : 1;

	switch (op) {
	case RANDAUGMENT_ROTATE:
		return sign * (share * 30);
	case RANDAUGMENT_POSTERIZE:
		return 4 - trunc(share * 4);
	case RANDAUGMENT_SOLARIZE:
		return 256 - trunc(share * 256);
	case RANDAUGMENT_SOLARIZE_ADD:
		return trunc(share * 110);
	case RANDAUGMENT_COLOR:
	case RANDAUGMENT_CONTRAST:
	case RANDAUGMENT_BRIGHTNESS:
	case RANDAUGMENT_SHARPNESS:
		return 1 + sign * (share * 0.9);
	case RANDAUGMENT_SHEAR_X:
	case RANDAUGMENT_SHEAR_Y:
		return sign * (share * 0.3);
	case RANDAUGMENT_TRANSLATE_X:
	case RANDAUGMENT_TRANSLATE_Y:
		return sign * (share * 0.45);
	default:
		return 0;
	}
}

/* --- tables of 256 values for each channel --- */

static void tables_apply(uint8_t *image, int64_t pixels, const uint8_t t[3][256])
{
	for (int64_t i = 0; i < pixels; i++, image += 3) {
		image[0] = t[0][image[0]];
		image[1] = t[1][image[1]];
		image[2] = t[2][image[2]];
	}
}

static void table_apply(uint8_t *image, int64_t pixels, const uint8_t t[256])
{
	for (int64_t i = 0; i < 3 * pixels; i++)
		image[i] = t[image[i]];
}

static void histogram(const uint8_t *image, int64_t pixels, int64_t h[3][256])
{
	memset(h, 0, 3 * 256 * sizeof(h[0][0]));
	for (int64_t i = 0; i < pixels; i++, image += 3) {
		h[0][image[0]]++;
		h[1][image[1]]++;
		h[2][image[2]]++;
	}
}

static void identity(uint8_t t[256])
{
	for (int i = 0; i < 256; i++)
		t[i] = (uint8_t)i;
}

static void stretch_table(uint8_t t[256], const int64_t h[256])
{
	int low = 0, high = 255;
	double scale, offset;

	while (low < 256 && !h[low])
		low++;
	while (high > 0 && !h[high])
		high--;
	if (high <= low) {
		identity(t);
		return;
	}
	scale = 255.0 / (high - low);
	offset = -low * scale;
	for (int i = 0; i < 256; i++) {
		int v = (int)(i * scale + offset);

		t[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
	}
}

static void equal_table(uint8_t t[256], const int64_t h[256])
{
	int64_t sum = 0, last = 0, step, n;
	int used = 0;

	for (int i = 0; i < 256; i++)
		if (h[i]) {
			sum += h[i];
			last = h[i];
			used++;
		}
	step = (sum - last) / 255;
	if (used <= 1 || step == 0) {
		identity(t);
		return;
	}
	n = step / 2;
	for (int i = 0; i < 256; i++) {
		t[i] = (uint8_t)(n / step > 255 ? 255 : n / step);
		n += h[i];
	}
}

static void remap(
	uint8_t *image, int64_t pixels, void (*make)(uint8_t t[256], const int64_t h[256]))
{
	int64_t h[3][256];
	uint8_t t[3][256];

	histogram(image, pixels, h);
	for (int c = 0; c < 3; c++)
		make(t[c], h[c]);
	tables_apply(image, pixels, t);
}

static void point(enum randaugment_op op, int argument, uint8_t *image, int64_t pixels)
{
	int mask = ~((1 << (8 - argument % 9)) - 1);
	uint8_t t[256];

	for (int i = 0; i < 256; i++) {
		int v = 255 - i;

		if (op == RANDAUGMENT_POSTERIZE)
			v = i & mask;
		else if (op == RANDAUGMENT_SOLARIZE && i < argument)
			v = i;
		else if (op == RANDAUGMENT_SOLARIZE_ADD)
			v = i >= 128 ? i : i + argument > 255 ? 255 : i + argument;
		t[i] = (uint8_t)v;
	}
	table_apply(image, pixels, t);
}

/* --- operations that move pixels --- */

/* Rounded to 15 decimals, as Python's round does it */
static double round15(double x)
{
	char text[64];

	snprintf(text, sizeof(text), "%.15f", x);
	return strtod(text, NULL);
}

static void rotation(double a[6], double degrees, int64_t height, int64_t width)
{
	double turn = degrees < 0 ? degrees + 360 : degrees;
	double angle = -(turn * (M_PI / 180));
	double cx = width / 2.0, cy = height / 2.0;

	a[0] = a[4] = round15(cos(angle));
	a[1] = round15(sin(angle));
	a[3] = round15(-sin(angle));
	a[2] = a[0] * -cx + a[1] * -cy + 0.0 + cx;
	a[5] = a[3] * -cx + a[4] * -cy + 0.0 + cy;
}

static void move(enum randaugment_op op, double argument, int bicubic, const uint8_t fill[3],
	uint8_t *image, int64_t height, int64_t width, void *work)
{
	double a[6] = {1, 0, 0, 0, 1, 0};

	if (op == RANDAUGMENT_ROTATE) {
		if (argument == 0)
			return;
		rotation(a, argument, height, width);
	} else if (op == RANDAUGMENT_SHEAR_X) {
		a[1] = argument;
	} else if (op == RANDAUGMENT_SHEAR_Y) {
		a[3] = argument;
	} else if (op == RANDAUGMENT_TRANSLATE_X) {
		a[2] = argument * (double)width;
	} else {
		a[5] = argument * (double)height;
	}
	image_affine(image, height, width, a, bicubic, fill, work);
}

void randaugment_apply(enum randaugment_op op, double argument, int bicubic, const uint8_t fill[3],
	uint8_t *image, int64_t height, int64_t width, void *work)
{
	switch (op) {
	case RANDAUGMENT_AUTOCONTRAST:
		remap(image, height * width, stretch_table);
		break;
	case RANDAUGMENT_EQUALIZE:
		remap(image, height * width, equal_table);
		break;
	case RANDAUGMENT_INVERT:
	case RANDAUGMENT_POSTERIZE:
	case RANDAUGMENT_SOLARIZE:
	case RANDAUGMENT_SOLARIZE_ADD:
		point(op, (int)argument, image, height * width);
		break;
	case RANDAUGMENT_COLOR:
		image_color(image, height * width, argument);
		break;
	case RANDAUGMENT_CONTRAST:
		image_contrast(image, height * width, argument);
		break;
	case RANDAUGMENT_BRIGHTNESS:
		image_brightness(image, height * width, argument);
		break;
	case RANDAUGMENT_SHARPNESS:
		image_sharpness(image, height, width, argument, work);
		break;
	default:
		move(op, argument, bicubic, fill, image, height, width, work);
	}
}
