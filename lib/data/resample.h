/*
 * Bicubic resampling with antialiasing, equal to Pillow's Image.resize(..., BICUBIC) byte for byte.
 *
 * Keys' cubic with a = -1/2; when shrinking it is stretched by the factor. One pass along rows,
 * rounded to bytes, then one along columns; weights have 22 binary places. A pass that changes no
 * size is left out. (Pillow 13 starts with the columns where that is cheaper, which rounds
 * otherwise; this is what every version before it does.)
 */
#ifndef DATA_RESAMPLE_H
#define DATA_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

/* A window of an image: first row and column, and size. */
struct window {
	int64_t top, left, height, width;
};

/* Buffers that grow as needed and serve any number of calls from one thread. */
struct resample_work;
struct resample_work *resample_work_new(void);
void resample_work_free(struct resample_work *w);

/*
 * The window `box` of `in` (rows of in_width pixels of 3 bytes) is resized to height x width, of
 * which only the window `keep` is made: out is (keep.height, keep.width, 3) and does not overlap
 * in. Pixels outside the box have no influence. Sides are 1 .. 2^20. STATUS_SYSTEM.
 */
int image_resample(uint8_t *out, const uint8_t *in, int64_t in_width, struct window box,
	int64_t height, int64_t width, struct window keep, struct resample_work *w);

#endif
