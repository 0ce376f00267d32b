#include "lib/data/decode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

int picture_room(struct picture *p, int64_t height, int64_t width)
{
	size_t need;

	if (height < 1 || width < 1 || height > PICTURE_SIDE_MAX || width > PICTURE_SIDE_MAX ||
		height * width > PICTURE_PIXELS_MAX)
		return error(STATUS_DATA,
			"image of %lld x %lld pixels: sides go from 1 to %d, with at most %d "
			"pixels",
			(long long)width, (long long)height, PICTURE_SIDE_MAX, PICTURE_PIXELS_MAX);
	need = (size_t)height * (size_t)width * 3;
	if (need > p->room) {
		free(p->pixels);
		p->room = 0;
		p->pixels = memory_new(need, 1);
		if (!p->pixels)
			return STATUS_SYSTEM;
		p->room = need;
	}
	p->height = height;
	p->width = width;
	return 0;
}

enum picture_format picture_format(const uint8_t *data, size_t size)
{
	if (size >= 3 && !memcmp(data, "\xff\xd8\xff", 3))
		return PICTURE_JPEG;
	if (size >= 8 && !memcmp(data, "\x89PNG\r\n\x1a\n", 8))
		return PICTURE_PNG;
	if (size >= 2 && data[0] == 'P' && (data[1] == '5' || data[1] == '6'))
		return PICTURE_PNM;
	return PICTURE_UNKNOWN;
}

int picture_decode(struct picture *out, const uint8_t *data, size_t size)
{
	switch (picture_format(data, size)) {
	case PICTURE_JPEG:
		return picture_decode_jpeg(out, data, size);
	case PICTURE_PNG:
		return picture_decode_png(out, data, size);
	case PICTURE_PNM:
		return picture_decode_pnm(out, data, size);
	default:
		return error(STATUS_DATA, size ? "not a JPEG, PNG, PPM (P6) or PGM (P5) file: "
						 "convert it or leave it out"
					       : "the file is empty");
	}
}

struct header {
	const uint8_t *data;
	size_t size, at;
};

/* The next number of the header, after white space and comments; -1 when there is none. */
static int64_t header_number(struct header *h)
{
	int64_t value = 0;
	int digits = 0;

	while (h->at < h->size) {
		uint8_t c = h->data[h->at];

		if (c == '#')
			while (h->at < h->size && h->data[h->at] != '\n' && h->data[h->at] != '\r')
				h->at++;
		else if (c == ' ' || (c >= '\t' && c <= '\r'))
			h->at++;
		else
			break;
	}
	while (h->at < h->size && h->data[h->at] >= '0' && h->data[h->at] <= '9' && digits++ < 9)
		value = 10 * value + (h->data[h->at++] - '0');
	return digits && digits <= 9 ? value : -1;
}

int picture_decode_pnm(struct picture *out, const uint8_t *data, size_t size)
{
	struct header h = {data, size, 2};
	int64_t width = header_number(&h), height = header_number(&h), top = header_number(&h);
	int64_t channels = data[1] == '6' ? 3 : 1, pixels;
	uint8_t level[256];

	if (width < 1 || height < 1 || top < 1 || top > 65535)
		return error(STATUS_DATA, "damaged PPM or PGM header");
	if (top > 255)
		return error(
			STATUS_DATA, "PPM or PGM of more than 8 bits: convert it to 8 bits first");
	TRY(picture_room(out, height, width));
	pixels = height * width;
	h.at++; /* one white space */
	if (h.at > size || size - h.at < (size_t)(pixels * channels))
		return error(STATUS_DATA, "truncated PPM or PGM: %lld bytes of pixels wanted",
			(long long)(pixels * channels));
	for (int i = 0; i < 256; i++)
		level[i] = (uint8_t)(i >= top ? 255 : rint((double)i / (double)top * 255));
	for (int64_t i = 0; i < pixels; i++)
		for (int c = 0; c < 3; c++)
			out->pixels[3 * i + c] =
				level[data[h.at + i * channels + (channels == 3 ? c : 0)]];
	return 0;
}
