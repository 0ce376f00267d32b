/* Image files as far as their structure goes: a walk from marker to marker, or chunk to chunk. */
#include <string.h>
#include "lib/base/error.h"
#include "lib/data/decode.h"

static int64_t big_endian(const uint8_t *p, int bytes)
{
	int64_t v = 0;

	for (int i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

/* --- JPEG --- */

enum { SOF0 = 0xc0, DHT = 0xc4, RST0 = 0xd0, RST7 = 0xd7, SOI = 0xd8, EOI = 0xd9, SOS = 0xda };

struct walk {
	const uint8_t *data;
	size_t size, at;
	int frames, scans;
};

static int cut(void)
{
	return error(STATUS_DATA, "truncated JPEG");
}

/* The next marker; bytes between segments, stuffed ones and those of a scan are passed over. */
static int next_marker(struct walk *w, int *marker)
{
	for (;;) {
		const uint8_t *p =
			w->at < w->size ? memchr(w->data + w->at, 0xff, w->size - w->at) : NULL;

		if (!p)
			return cut();
		w->at = (size_t)(p - w->data);
		while (w->at < w->size && w->data[w->at] == 0xff)
			w->at++;
		if (w->at == w->size)
			return cut();
		*marker = w->data[w->at++];
		if (*marker > 1 && (*marker < RST0 || *marker > RST7))
			return 0;
	}
}

/* Frames that libjpeg-turbo decodes: baseline, extended, progressive, and with arithmetic coding */
static int is_frame(int marker)
{
	return (marker >= SOF0 && marker <= SOF0 + 2) || marker == SOF0 + 9 || marker == SOF0 + 10;
}

static int is_unusual_frame(int marker)
{
	return marker >= SOF0 && marker <= 0xcf && !is_frame(marker) && marker != DHT &&
	       marker != 0xc8 && marker != 0xcc;
}

static int read_frame(struct walk *w, const uint8_t *p, int64_t length)
{
	if (w->frames++)
		return error(STATUS_DATA, "damaged JPEG: two frames");
	if (length < 8 || length != 8 + 3 * p[5])
		return error(STATUS_DATA, "damaged JPEG: its header has a wrong length");
	if (p[0] != 8)
		return error(STATUS_DATA, "damaged JPEG: %d bits a sample", p[0]);
	if (p[5] != 1 && p[5] != 3 && p[5] != 4)
		return error(STATUS_DATA, "JPEG of an unusual number of channels");
	return picture_sides(big_endian(p + 1, 2), big_endian(p + 3, 2));
}

static int read_segment(struct walk *w, int marker)
{
	int64_t length;

	if (w->size - w->at < 2)
		return cut();
	length = big_endian(w->data + w->at, 2);
	if (length < 2) /* libjpeg passes over those, too */
		length = 2;
	if ((size_t)length > w->size - w->at)
		return cut();
	if (is_frame(marker))
		TRY(read_frame(w, w->data + w->at + 2, length));
	if (is_unusual_frame(marker))
		return error(STATUS_DATA, "damaged JPEG: a form that is not decoded here");
	if (marker == SOS && !w->frames)
		return error(STATUS_DATA, "damaged JPEG: pixels before the header");
	w->scans += marker == SOS;
	w->at += (size_t)length;
	return 0;
}

static int inspect_jpeg(const uint8_t *data, size_t size)
{
	struct walk w = {.data = data, .size = size, .at = 2};
	int marker = EOI;

	for (;;) {
		TRY(next_marker(&w, &marker));
		if (marker == EOI)
			break;
		if (marker == SOI)
			return error(STATUS_DATA, "damaged JPEG: it begins twice");
		TRY(read_segment(&w, marker));
	}
	return w.scans ? 0 : error(STATUS_DATA, "damaged JPEG: it holds no pixels");
}

/* --- PNG --- */

static int read_png_header(const uint8_t *p, int64_t length)
{
	if (length != 13)
		return error(STATUS_DATA, "damaged PNG: its header has a wrong length");
	if (p[8] == 16)
		return error(STATUS_DATA, "PNG of 16 bits: convert it to 8 bits first");
	if (p[8] > 8 || !p[8])
		return error(STATUS_DATA, "damaged PNG: %d bits a sample", p[8]);
	return picture_sides(big_endian(p + 4, 4), big_endian(p, 4));
}

static int inspect_png(const uint8_t *data, size_t size)
{
	size_t at = 8;
	int pixels = 0;

	for (;;) {
		const uint8_t *type = data + at + 4;
		int64_t length;

		if (size - at < 12)
			return error(STATUS_DATA, "truncated PNG");
		length = big_endian(data + at, 4);
		if ((size_t)length > size - at - 12)
			return error(STATUS_DATA, "truncated PNG");
		if (at == 8 && memcmp(type, "IHDR", 4))
			return error(STATUS_DATA, "damaged PNG: it does not begin with its header");
		if (at == 8)
			TRY(read_png_header(type + 4, length));
		pixels |= !memcmp(type, "IDAT", 4);
		at += (size_t)length + 12;
		if (!memcmp(type, "IEND", 4))
			break;
	}
	return pixels ? 0 : error(STATUS_DATA, "damaged PNG: it holds no pixels");
}

int picture_inspect(const uint8_t *data, size_t size)
{
	struct pnm_header pnm;

	switch (picture_format(data, size)) {
	case PICTURE_JPEG:
		return inspect_jpeg(data, size);
	case PICTURE_PNG:
		return inspect_png(data, size);
	case PICTURE_PNM:
		return picture_pnm_header(&pnm, data, size);
	default:
		return picture_unknown(size);
	}
}
