/* An image file of any format; those of more than a million pixels are left out, being slow. */
#include <stdlib.h>
#include "lib/data/decode.h"

#define PIXELS_MAX (1 << 20)

static uint32_t big(const uint8_t *p, int bytes)
{
	uint32_t v = 0;

	for (int i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

/* The sides that a PNG or JPEG states, wherever something looks like its header */
static int is_large(const uint8_t *data, size_t size)
{
	if (picture_format(data, size) == PICTURE_PNG && size >= 24)
		return (uint64_t)big(data + 16, 4) * big(data + 20, 4) > PIXELS_MAX;
	for (size_t i = 0; picture_format(data, size) == PICTURE_JPEG && i + 9 <= size; i++)
		if (data[i] == 0xff && data[i + 1] >= 0xc0 && data[i + 1] <= 0xcf &&
			big(data + i + 5, 2) * big(data + i + 7, 2) > PIXELS_MAX)
			return 1;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct picture p = {0};
	volatile uint8_t sink;

	picture_inspect(data, size);
	if (!is_large(data, size) && !picture_decode(&p, data, size)) {
		if (picture_inspect(data, size)) /* refuses nothing that can be decoded */
			abort();
		sink = p.pixels[0];
		sink = p.pixels[p.height * p.width * 3 - 1];
		(void)sink;
	}
	free(p.pixels);
	return 0;
}
