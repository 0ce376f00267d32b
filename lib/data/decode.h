/*
 * Image files in memory to RGB pixels.
 *
 *	JPEG	grey (repeated), YCbCr, RGB; CMYK and YCCK as Adobe stores them, inverted. Equal to
 *		libjpeg-turbo's defaults (exact DCT, fancy upsampling). EXIF orientation is ignored.
 *	PNG	grey of 1 to 8 bits, palette, RGB, with or without alpha or interlace. Alpha and
 *		transparent colours are dropped, gamma is ignored. 16-bit files are refused.
 *	PPM	P5, P6; levels scaled to 0 .. 255 when the largest is lower, refused when higher
 *
 * The same bytes as Pillow's open(...).convert("RGB") wherever both take a file. Files that are
 * truncated, or in which pixels had to be made up, are refused; so are images above 89,478,485
 * pixels and any other format. All errors are STATUS_DATA (or STATUS_SYSTEM, out of memory) and say
 * what is wrong, without the file's name.
 */
#ifndef DATA_DECODE_H
#define DATA_DECODE_H

#include "lib/data/dataset.h"

#define PICTURE_PIXELS_MAX 89478485
#define PICTURE_SIDE_MAX 65500

int picture_decode(struct picture *out, const uint8_t *data, size_t size);
/* Sets the size and makes room; refuses sizes out of range. */
int picture_room(struct picture *p, int64_t height, int64_t width);
int picture_sides(int64_t height, int64_t width); /* refuses alone */

/*
 * What can be seen without decoding: markers and chunks from the first to the last, the header,
 * sides within bounds, channels and bits that are taken. Refuses nothing that picture_decode takes.
 */
int picture_inspect(const uint8_t *data, size_t size);

/* The parts, by the file's first bytes */
enum picture_format { PICTURE_UNKNOWN, PICTURE_JPEG, PICTURE_PNG, PICTURE_PNM };
enum picture_format picture_format(const uint8_t *data, size_t size);
int picture_unknown(size_t size); /* says so */
int picture_decode_jpeg(struct picture *out, const uint8_t *data, size_t size);
int picture_decode_png(struct picture *out, const uint8_t *data, size_t size);
int picture_decode_pnm(struct picture *out, const uint8_t *data, size_t size);

/* Of a PPM or PGM file; its pixels are all there. */
struct pnm_header {
	int64_t width, height, channels, top;
	size_t at; /* where they begin */
};
int picture_pnm_header(struct pnm_header *h, const uint8_t *data, size_t size);

/* Writes a PNG file. STATUS_CANTCREATE, STATUS_IO. */
int picture_write_png(const char *path, const uint8_t *pixels, int64_t height, int64_t width);

#endif
