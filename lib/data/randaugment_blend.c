/*
 * Blends of an image with a degenerate copy of itself: degenerate + factor (image - degenerate) in
 * float, cut off at 0 and 255, as Pillow's Image.blend does it.
 */
#include "lib/data/randaugment.h"

#include <string.h>

static inline uint8_t blend(int degenerate, int value, float factor)
{
	float v = (float)degenerate + factor * (float)(value - degenerate);

	return (uint8_t)(v <= 0 ? 0 : v >= 255 ? 255 : v);
}

/* Towards one grey level: 256 values decide all. */
static void blend_level(uint8_t *image, int64_t pixels, int level, float factor)
{
	uint8_t t[256];

	for (int i = 0; i < 256; i++)
		t[i] = blend(level, i, factor);
	for (int64_t i = 0; i < 3 * pixels; i++)
		image[i] = t[image[i]];
}

/* ITU-R 601 luma in 16 binary places, rounded */
static inline int luma(const uint8_t *p)
{
	return (p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16;
}

void image_brightness(uint8_t *image, int64_t pixels, double factor)
{
	blend_level(image, pixels, 0, (float)factor);
}

void image_contrast(uint8_t *image, int64_t pixels, double factor)
{
	int64_t sum = 0;

	for (int64_t i = 0; i < pixels; i++)
		sum += luma(image + 3 * i);
	blend_level(image, pixels, (int)((double)sum / (double)pixels + 0.5), (float)factor);
}

void image_color(uint8_t *image, int64_t pixels, double factor)
{
	for (int64_t i = 0; i < pixels; i++, image += 3) {
		int grey = luma(image);

		image[0] = blend(grey, image[0], (float)factor);
		image[1] = blend(grey, image[1], (float)factor);
		image[2] = blend(grey, image[2], (float)factor);
	}
}

/*
 * The 3 x 3 mean with five times the centre's weight, rounded, in 16-bit numbers: n bytes from p,
 * whose rows are `row` bytes apart. sum / 13 is never within 1/26 of a half, so that rounding does
 * not depend on how the division is done.
 */
static void smooth_row(uint8_t *out, const uint8_t *p, int64_t n, int64_t row)
{
	const uint8_t *a = p - row, *b = p + row;

	for (int64_t i = 0; i < n; i++) {
		uint16_t sum = (uint16_t)(a[i - 3] + a[i] + a[i + 3] + p[i - 3] + 5 * p[i] +
					  p[i + 3] + b[i - 3] + b[i] + b[i + 3]);

		out[i] = (uint8_t)((uint16_t)(2 * sum + 13) / 26);
	}
}

void image_sharpness(uint8_t *image, int64_t height, int64_t width, double factor, void *work)
{
	uint8_t *smooth = work;
	int64_t row = 3 * width;

	/* at the border the smoothed image is the image itself */
	if (height < 3 || width < 3)
		return;
	for (int64_t y = 1; y < height - 1; y++)
		smooth_row(smooth + y * row, image + y * row + 3, row - 6, row);
	for (int64_t y = 1; y < height - 1; y++) {
		uint8_t *out = image + y * row + 3;

		for (int64_t i = 0; i < row - 6; i++)
			out[i] = blend(smooth[y * row + i], out[i], (float)factor);
	}
}
