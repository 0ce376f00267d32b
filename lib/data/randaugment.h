/*
 * RandAugment, as timm 0.4.12 applies "rand-m9-mstd0.5-inc1" to a Pillow image.
 *
 * Each view takes `ops` operations, drawn with replacement from the fifteen below; each is applied
 * with probability one half, at a level drawn from N(magnitude, deviation) and clipped to 0..10.
 * "inc" is the set in which a higher level changes more. What an operation does at level m, with a
 * random sign s:
 *
 *	AutoContrast, Equalize, Invert    no argument
 *	Rotate                            s 3 m degrees, about the centre
 *	Posterize                         keeps 4 - floor(0.4 m) bits
 *	Solarize                          inverts values from 256 - floor(25.6 m) up
 *	SolarizeAdd                       adds floor(11 m) to values below 128
 *	Color Contrast Brightness Sharpness   blends with the degenerate image by 1 + s 0.09 m
 *	ShearX, ShearY                    s 0.03 m pixels a pixel
 *	TranslateX, TranslateY            s 0.045 m of the side
 *
 * Uncovered pixels take the fill colour (timm: the normalisation's mean in grey levels). Images are
 * (height, width, 3) bytes. Equal to Pillow byte for byte.
 */
#ifndef DATA_RANDAUGMENT_H
#define DATA_RANDAUGMENT_H

#include <stddef.h>
#include <stdint.h>

enum randaugment_op {
	RANDAUGMENT_AUTOCONTRAST,
	RANDAUGMENT_EQUALIZE,
	RANDAUGMENT_INVERT,
	RANDAUGMENT_ROTATE,
	RANDAUGMENT_POSTERIZE,
	RANDAUGMENT_SOLARIZE,
	RANDAUGMENT_SOLARIZE_ADD,
	RANDAUGMENT_COLOR,
	RANDAUGMENT_CONTRAST,
	RANDAUGMENT_BRIGHTNESS,
	RANDAUGMENT_SHARPNESS,
	RANDAUGMENT_SHEAR_X,
	RANDAUGMENT_SHEAR_Y,
	RANDAUGMENT_TRANSLATE_X,
	RANDAUGMENT_TRANSLATE_Y,
	RANDAUGMENT_OPS
};

struct randaugment {
	int64_t ops;	  /* per view; 0: off */
	double magnitude; /* 0..10 */
	double deviation; /* of the magnitude */
};

/*
 * Reads timm's notation: "rand-m9-mstd0.5-inc1", sections m, n, mstd and inc (which must be 1), or
 * "none". STATUS_USAGE for anything else.
 */
int randaugment_parse(struct randaugment *r, const char *text);
/* Writes that notation; size of 64 is enough. */
void randaugment_print(const struct randaugment *r, char *text, size_t size);

/* "AutoContrast", ... as timm spells them, without "Increasing" and "Rel" */
const char *randaugment_name(enum randaugment_op op);

/*
 * The argument of an operation at a level 0..10: degrees, bits, threshold, grey levels, blending
 * factor, slope or share of the side. negative: the random sign is minus.
 */
double randaugment_argument(enum randaugment_op op, double level, int negative);

/*
 * Applies one operation in place. bicubic: Pillow's bicubic, else bilinear, for the five that move
 * pixels. work holds randaugment_work(height, width) bytes, aligned to 64.
 */
void randaugment_apply(enum randaugment_op op, double argument, int bicubic, const uint8_t fill[3],
	uint8_t *image, int64_t height, int64_t width, void *work);
size_t randaugment_work(int64_t height, int64_t width);

/*
 * The parts, also used by colour jitter. A factor of 1 leaves the image as it is, 0 gives the
 * degenerate one: black, the mean grey, the grey image, the smoothed image.
 */
void image_brightness(uint8_t *image, int64_t pixels, double factor);
void image_contrast(uint8_t *image, int64_t pixels, double factor);
void image_color(uint8_t *image, int64_t pixels, double factor);
void image_sharpness(uint8_t *image, int64_t height, int64_t width, double factor, void *work);

/*
 * Output pixel (x, y), centre (x + 0.5, y + 0.5), is read at (a0 x + a1 y + a2, a3 x + a4 y + a5)
 * of the image; in place. Pillow's Image.transform with AFFINE.
 */
void image_affine(uint8_t *image, int64_t height, int64_t width, const double a[6], int bicubic,
	const uint8_t fill[3], void *work);

#endif
