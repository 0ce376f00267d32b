/*
 * Pictures that are made by a formula, so that goldens need no images: the same as picture() in
 * tests/golden/make_augment.py. And the hash of bytes that the goldens hold.
 */
#ifndef TESTS_PICTURES_H
#define TESTS_PICTURES_H

#include <stdint.h>
#include <stddef.h>

enum picture_kind { PICTURE_NOISE, PICTURE_SMOOTH, PICTURE_FLAT, PICTURE_NARROW, PICTURE_STEPS };

static inline uint8_t picture_value(enum picture_kind kind, uint32_t x, uint32_t y, uint32_t c)
{
	uint32_t h = (x * 2654435761u) ^ (y * 2246822519u) ^ (c * 3266489917u);
	uint32_t slope = (3 * x + 5 * y + 40 * c + x * y / 7) % 512;
	uint32_t smooth = slope < 256 ? slope : 511 - slope;

	h = (h ^ h >> 15) * 2246822519u;
	h = (h ^ h >> 13) * 3266489917u;
	h = (h ^ h >> 16) & 255;
	switch (kind) {
	case PICTURE_NOISE:
		return (uint8_t)h;
	case PICTURE_SMOOTH:
		return (uint8_t)smooth;
	case PICTURE_FLAT:
		return (uint8_t)(60 + 50 * c);
	case PICTURE_NARROW:
		return (uint8_t)(90 + (h >> 3) + (smooth >> 3) + 10 * c);
	default:
		return (uint8_t)(85 * ((x / 5 + y / 3 + c) % 4));
	}
}

/* image (height, width, 3) */
__attribute__((unused)) static void picture_fill(
	enum picture_kind kind, uint8_t *image, int64_t height, int64_t width)
{
	for (int64_t y = 0; y < height; y++)
		for (int64_t x = 0; x < width; x++)
			for (int c = 0; c < 3; c++)
				*image++ = picture_value(kind, (uint32_t)x, (uint32_t)y, c);
}

/* FNV-1a, 64 bits */
__attribute__((unused)) static uint64_t picture_hash(const uint8_t *data, size_t size)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < size; i++)
		h = (h ^ data[i]) * 0x100000001b3u;
	return h;
}

#endif
