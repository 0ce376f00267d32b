#include "lib/data/decode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

int picture_sides(int64_t height, int64_t width)
{
	if (height >= 1 && width >= 1 && height <= PICTURE_SIDE_MAX && width <= PICTURE_SIDE_MAX &&
		height * width <= PICTURE_PIXELS_MAX)
		return 0;
	return error(STATUS_DATA,
		"image of %lld x %lld pixels: sides go from 1 to %d, with at most %d pixels",
		(long long)width, (long long)height, PICTURE_SIDE_MAX, PICTURE_PIXELS_MAX);
}

int picture_room(struct picture *p, int64_t height, int64_t width)
{
	size_t need;

	TRY(picture_sides(height, width));
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

int picture_unknown(size_t size)
{
	return error(
		STATUS_DATA, size ? "not a JPEG, PNG, PPM (P6) or PGM (P5) file: convert it or "
				    "leave it out"
				  : "the file is empty");
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
		return picture_unknown(size);
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

int picture_pnm_header(struct pnm_header *out, const uint8_t *data, size_t size)
{
	struct header h = {data, size, 2};

	out->width = header_number(&h);
	out->height = header_number(&h);
	out->top = header_number(&h);
	out->channels = data[1] == '6' ? 3 : 1;
	if (out->width < 1 || out->height < 1 || out->top < 1 || out->top > 65535)
		return error(STATUS_DATA, "damaged PPM or PGM header");
	if (out->top > 255)
		return error(
			STATUS_DATA, "PPM or PGM of more than 8 bits: convert it to 8 bits first");
	TRY(picture_sides(out->height, out->width));
	out->at = h.at + 1; /* one white space */
	if (out->at > size || size - out->at < (size_t)(out->height * out->width * out->channels))
		return error(STATUS_DATA, "truncated PPM or PGM: %lld bytes of pixels wanted",
			(long long)(out->height * out->width * out->channels));
	return 0;
}

int picture_decode_pnm(struct picture *out, const uint8_t *data, size_t size)
{
	struct pnm_header h;
	uint8_t level[256];

	TRY(picture_pnm_header(&h, data, size));
	TRY(picture_room(out, h.height, h.width));
	for (int i = 0; i < 256; i++)
		level[i] = (uint8_t)(i >= h.top ? 255 : rint((double)i / (double)h.top * 255));
	for (int64_t i = 0; i < h.height * h.width; i++)
		for (int c = 0; c < 3; c++)
			out->pixels[3 * i + c] =
				level[data[h.at + i * h.channels + (h.channels == 3 ? c : 0)]];
	return 0;
}
