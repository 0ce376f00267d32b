#include "lib/data/strip.h"

#include <stdlib.h>
#include <string.h>
#include "kernels/philox.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/data/decode.h"

#define GAP 2

struct strip {
	uint8_t *pixels;
	int64_t height, width, size;
};

static void erase_box(const struct strip *s, uint8_t *view, const int32_t erase[6], uint64_t seed)
{
	for (int64_t y = erase[0]; y < erase[0] + erase[2]; y++)
		for (int64_t x = erase[1]; x < erase[1] + erase[3]; x++) {
			struct philox r = philox(seed, PURPOSE_ERASE, (uint32_t)erase[5],
				(uint32_t)erase[4], (uint32_t)(y * s->size + x));

			for (int c = 0; c < 3; c++)
				view[3 * (y * s->size + x) + c] = (uint8_t)(r.v[c] >> 24);
		}
}

static void place(const struct strip *s, const uint8_t *view, int64_t row, int64_t column)
{
	int64_t top = GAP + row * (s->size + GAP), left = GAP + column * (s->size + GAP);

	for (int64_t y = 0; y < s->size; y++)
		memcpy(s->pixels + 3 * ((top + y) * s->width + left), view + 3 * y * s->size,
			(size_t)(3 * s->size));
}

static int strip_row(struct strip *s, struct dataset *d, const struct augment *a, uint64_t seed,
	int64_t row, int64_t rows, int64_t columns, struct view_work *work, uint8_t *view)
{
	struct picture p = {0};
	int64_t sample = row * d->count / rows;
	int status = dataset_picture(d, sample, &p);

	for (int64_t k = 0; !status && k < columns; k++) {
		int32_t erase[6];

		status = augment_view(
			a, k > 0, &p, seed, k > 0 ? k - 1 : 0, sample, view, erase, work);
		if (!status) {
			erase_box(s, view, erase, seed);
			place(s, view, row, k);
		}
	}
	free(p.pixels);
	return status;
}

int strip_write(const char *path, struct dataset *d, const struct augment *a, uint64_t seed,
	int64_t rows, int64_t columns)
{
	struct strip s = {.size = a->size,
		.height = GAP + rows * (a->size + GAP),
		.width = GAP + columns * (a->size + GAP)};
	struct view_work *work = view_work_new();
	uint8_t *view = memory_new((size_t)(a->size * a->size), 3);
	int status;

	s.pixels = memory_new((size_t)(s.height * s.width), 3);
	status = work && view && s.pixels ? augment_check(a) : STATUS_SYSTEM;
	if (!status)
		memset(s.pixels, 255, (size_t)(s.height * s.width * 3));
	for (int64_t i = 0; !status && i < rows; i++)
		status = strip_row(&s, d, a, seed, i, rows, columns, work, view);
	if (!status)
		status = picture_write_png(path, s.pixels, s.height, s.width);
	view_work_free(work);
	free(view);
	free(s.pixels);
	return status;
}
