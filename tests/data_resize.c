/*
 * The resampler against Pillow (tests/golden/resize.tsv: some three hundred pairs of sizes), and
 * the views for evaluation and training against torchvision on Pillow (views.tsv): byte for byte.
 */
#include "lib/base/error.h"
#include "lib/data/batches.h"
#include "lib/data/resample.h"
#include "tests/pictures.h"
#include "tests/tap.h"

#define PIXELS_MAX (2048 * 1536)

static uint8_t in[PIXELS_MAX * 3], out[PIXELS_MAX * 3], part[PIXELS_MAX * 3];

/* The next line that is no comment; 0 at the end */
static int line_read(FILE *f, char line[512])
{
	do {
		if (!fgets(line, 512, f))
			return 0;
	} while (line[0] == '#');
	return 1;
}

/* A window of the result equals that part of the whole. */
static int window_equal(
	int width, int height, int new_width, int new_height, struct resample_work *work)
{
	struct window whole = {0, 0, height, width};
	struct window keep = {
		new_height / 3, new_width / 4, (new_height + 1) / 2, (new_width + 1) / 2};
	int good = !image_resample(part, in, width, whole, new_height, new_width, keep, work);

	for (int y = 0; y < keep.height; y++)
		good &= !memcmp(part + y * keep.width * 3,
			out + ((keep.top + y) * new_width + keep.left) * 3, keep.width * 3);
	return good;
}

static void check_sizes(struct resample_work *work)
{
	FILE *f = fopen("tests/golden/resize.tsv", "r");
	int rows = 0, equal = 0, windows = 0;
	char line[512];

	if (!ok(f != NULL, "goldens of sizes are there"))
		return;
	while (line_read(f, line)) {
		int kind, width, height, new_width, new_height;
		uint64_t hash;
		struct window box, keep;

		if (sscanf(line, "%d %d %d %d %d %lx", &kind, &width, &height, &new_width,
			    &new_height, &hash) != 6)
			break;
		picture_fill(kind, in, height, width);
		box = (struct window){0, 0, height, width};
		keep = (struct window){0, 0, new_height, new_width};
		if (image_resample(out, in, width, box, new_height, new_width, keep, work))
			break;
		rows++;
		if (picture_hash(out, (size_t)new_width * new_height * 3) == hash)
			equal++;
		else
			diag("%dx%d to %dx%d differs", width, height, new_width, new_height);
		windows += window_equal(width, height, new_width, new_height, work);
	}
	fclose(f);
	ok(rows >= 300 && equal == rows, "%d of %d sizes as Pillow", equal, rows);
	ok(windows == rows, "a window of the result is that part of the whole");
}

static int view_equal(const char *line, struct resample_work *work, struct view_work *view)
{
	char what[16];
	int kind, width, height, resize, size, y, x, h, w, flip, status;
	int32_t erase[6];
	uint64_t hash;

	if (sscanf(line, "%15s %d %d %d %d %d %d %d %d %d %d %lx", what, &kind, &width, &height,
		    &resize, &size, &y, &x, &h, &w, &flip, &hash) != 12)
		return 0;
	picture_fill(kind, in, height, width);
	if (!strcmp(what, "evaluation")) {
		struct augment a = {.size = size, .resize = resize};
		struct picture p = {height, width, in, 0};

		status = augment_view(&a, 0, &p, 1, 0, 0, out, erase, view);
	} else {
		struct window box = {y, x, h, w}, keep = {0, 0, size, size};

		status = image_resample(out, in, width, box, size, size, keep, work);
	}
	for (int i = 0; flip && i < size * size; i++)
		memcpy(part + 3 * i, out + 3 * (i / size * size + size - 1 - i % size), 3);
	return !status && picture_hash(flip ? part : out, (size_t)size * size * 3) == hash;
}

static void check_views(struct resample_work *work)
{
	FILE *f = fopen("tests/golden/views.tsv", "r");
	struct view_work *view = view_work_new();
	int rows = 0, equal = 0;
	char line[512];

	if (!ok(f != NULL, "goldens of views are there"))
		return;
	while (line_read(f, line)) {
		int good = view_equal(line, work, view);

		rows++;
		equal += good;
		if (!good)
			diag("differs: %s", line);
	}
	fclose(f);
	view_work_free(view);
	ok(rows >= 18 && equal == rows, "%d of %d views as torchvision", equal, rows);
}

static void check_refusals(struct resample_work *work)
{
	struct window none = {0, 0, 0, 5}, one = {0, 0, 1, 1};

	ok(image_resample(out, in, 5, none, 1, 1, one, work) == STATUS_DATA &&
			image_resample(out, in, 5, one, 1, 1 << 21, one, work) == STATUS_DATA,
		"no pixels and absurd sizes are refused");
}

int main(void)
{
	struct resample_work *work = resample_work_new();

	check_sizes(work);
	check_views(work);
	check_refusals(work);
	resample_work_free(work);
	return done();
}
