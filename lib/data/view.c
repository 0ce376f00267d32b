#include "lib/data/view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

struct view_work {
	struct resample_work *resample;
	void *rand; /* randaugment's */
	size_t rand_room;
	uint8_t *part;
	size_t part_room;
};

struct view_work *view_work_new(void)
{
	struct view_work *w = memory_new(1, sizeof(*w));

	if (!w)
		return NULL;
	w->resample = resample_work_new();
	if (!w->resample) {
		free(w);
		return NULL;
	}
	return w;
}

void view_work_free(struct view_work *w)
{
	if (!w)
		return;
	resample_work_free(w->resample);
	free(w->rand);
	free(w->part);
	free(w);
}

static int room(void *pointer, size_t *have, size_t bytes)
{
	void **p = pointer;

	if (bytes <= *have)
		return 0;
	free(*p);
	*have = 0;
	*p = memory_new(bytes, 1);
	if (!*p)
		return STATUS_SYSTEM;
	*have = bytes;
	return 0;
}

/* Along one axis: what is kept of `side` pixels, and where it lies in a view of `size`. */
static int64_t centre(int64_t side, int64_t size, int64_t *keep)
{
	*keep = side < size ? 0 : (int64_t)rint((double)(side - size) / 2);
	return side < size ? (size - side) / 2 : 0;
}

/*
 * Short side to `resize`, then the centre `size` x `size`, by torchvision's rules of rounding;
 * black where the image is smaller.
 */
static int view_centre(
	const struct augment *a, const struct picture *in, uint8_t *out, struct view_work *w)
{
	int64_t side = a->resize ? a->resize : a->size, height = side, width = side, n = a->size;
	struct window whole = {0, 0, in->height, in->width}, keep;
	int64_t top, left;

	if (in->height < in->width)
		width = (int64_t)((double)(side * in->width) / (double)in->height);
	else
		height = (int64_t)((double)(side * in->height) / (double)in->width);
	top = centre(height, n, &keep.top);
	left = centre(width, n, &keep.left);
	keep.height = height < n ? height : n;
	keep.width = width < n ? width : n;
	if (keep.height == n && keep.width == n)
		return image_resample(
			out, in->pixels, in->width, whole, height, width, keep, w->resample);
	TRY(room(&w->part, &w->part_room, (size_t)(keep.height * keep.width * 3)));
	TRY(image_resample(
		w->part, in->pixels, in->width, whole, height, width, keep, w->resample));
	memset(out, 0, (size_t)(n * n * 3));
	for (int64_t y = 0; y < keep.height; y++)
		memcpy(out + 3 * ((top + y) * n + left), w->part + 3 * y * keep.width,
			(size_t)(3 * keep.width));
	return 0;
}

static int view_shifted(
	const struct augment *a, const struct view_key *key, const struct picture *in, uint8_t *out)
{
	int64_t n = a->size, dy, dx;

	if (in->height != n || in->width != n)
		return error(STATUS_DATA,
			"image of %lld x %lld where shifting needs %lld x %lld: use geometry crop, "
			"or pack with --store pixels --size %lld",
			(long long)in->width, (long long)in->height, (long long)n, (long long)n,
			(long long)n);
	view_shift(a, key, &dy, &dx);
	for (int64_t y = 0; y < n; y++) {
		int64_t from_y = y + dy < 0 ? 0 : y + dy >= n ? n - 1 : y + dy;

		for (int64_t x = 0; x < n; x++) {
			int64_t from_x = x + dx < 0 ? 0 : x + dx >= n ? n - 1 : x + dx;

			memcpy(out + 3 * (y * n + x), in->pixels + 3 * (from_y * n + from_x), 3);
		}
	}
	return 0;
}

static void flip_rows(uint8_t *image, int64_t n)
{
	for (int64_t y = 0; y < n; y++) {
		uint8_t *row = image + 3 * y * n;

		for (int64_t i = 0, j = n - 1; i < j; i++, j--) {
			uint8_t swap[3];

			memcpy(swap, row + 3 * i, 3);
			memcpy(row + 3 * i, row + 3 * j, 3);
			memcpy(row + 3 * j, swap, 3);
		}
	}
}

static int view_geometry(const struct augment *a, const struct view_key *key,
	const struct picture *in, uint8_t *out, struct view_work *w)
{
	struct window whole = {0, 0, a->size, a->size};

	if (a->geometry == AUGMENT_SHIFT)
		return view_shifted(a, key, in, out);
	if (a->geometry == AUGMENT_NONE)
		return view_centre(a, in, out, w);
	return image_resample(out, in->pixels, in->width, view_crop(a, key, in->height, in->width),
		a->size, a->size, whole, w->resample);
}

int augment_view(const struct augment *a, int train, const struct picture *in, uint64_t seed,
	int64_t epoch, int64_t sample, uint8_t *out, int32_t *erase, struct view_work *w)
{
	struct view_key key = {seed, (uint32_t)epoch, (uint64_t)sample};
	struct window box = {0};

	if (in->height < 1 || in->width < 1)
		return error(STATUS_DATA, "image without pixels");
	if (!train) {
		TRY(view_centre(a, in, out, w));
	} else {
		if (a->rand.ops)
			TRY(room(&w->rand, &w->rand_room, randaugment_work(a->size, a->size)));
		TRY(view_geometry(a, &key, in, out, w));
		if (view_flip(a, &key))
			flip_rows(out, a->size);
		view_colours(a, &key, out, w->rand);
		box = view_erase(a, &key);
	}
	erase[0] = (int32_t)box.top;
	erase[1] = (int32_t)box.left;
	erase[2] = (int32_t)box.height;
	erase[3] = (int32_t)box.width;
	erase[4] = (int32_t)(uint32_t)sample;
	erase[5] = (int32_t)(uint32_t)epoch;
	return 0;
}
