/*
 * Images a second on one core, from files in memory to a network's input, step by step:
 *
 *	images FILE...            decoded; with the evaluation's view; with the whole recipe of
 *	                          training at 224 (crop, flip, RandAugment, erasing, normalising);
 *	                          and pixels of 64 x 64 with the same recipe at 64
 *	images --make FOLDER      writes 64 JPEGs of 500 x 375 to measure with
 *
 * TSV on stdout. The best of three passes counts: the machine may be shared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <jpeglib.h>
#include <omp.h>
#include "kernels/image_input.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/data/batches.h"
#include "lib/data/decode.h"
#include "tests/pictures.h"

#define MADE 64
#define PASSES 3

enum what { DECODE, EVALUATE, TRAIN, TRAIN_PIXELS };

struct image {
	uint8_t *data;
	size_t size;
	uint8_t small[64 * 64 * 3];
};

struct bench {
	struct image *image;
	int count;
	struct view_work *work;
	struct picture picture;
	uint8_t *view;
	float *tensor;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int file_read(struct image *image, const char *path)
{
	FILE *f = fopen(path, "rb");
	long size;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0)
		return error(STATUS_NOINPUT, "%s: cannot be read", path);
	rewind(f);
	image->data = memory_new((size_t)size, 1);
	image->size = image->data ? fread(image->data, 1, (size_t)size, f) : 0;
	fclose(f);
	return image->data ? 0 : STATUS_SYSTEM;
}

/* One image as far as asked; the recipe's view of the given epoch. */
static int image_run(struct bench *b, struct image *image, enum what what, int epoch, int sample)
{
	struct picture pixels = {64, 64, image->small, 0};
	struct image_input input = {.batch = 1, .size = 224, .shard = 1};
	struct augment a;
	int32_t erase[6];

	if (what != TRAIN_PIXELS)
		TRY(picture_decode(&b->picture, image->data, image->size));
	if (what == DECODE)
		return 0;
	input.size = what == TRAIN_PIXELS ? 64 : 224;
	TRY(augment_preset(&a, "imagenet", input.size));
	TRY(augment_view(&a, what != EVALUATE, what == TRAIN_PIXELS ? &pixels : &b->picture, 1,
		epoch, sample, b->view, erase, b->work));
	image_input_forward(&input, b->tensor, b->view, erase, NULL, 1);
	return 0;
}

static int measure(struct bench *b, enum what what, const char *name)
{
	double best = 1e9, start, pixels = 0;

	for (int pass = 0; pass < PASSES; pass++) {
		start = now();
		for (int i = 0; i < b->count; i++)
			TRY(image_run(b, &b->image[i], what, pass, i));
		start = (now() - start) / b->count;
		best = start < best ? start : best;
		pixels = (double)(b->picture.height * b->picture.width);
	}
	printf("%s\t%d\t%.0f\t%.0f\n", name, b->count, 1 / best, what == DECODE ? pixels : 0);
	return 0;
}

static int bench_run(struct bench *b, char **paths)
{
	struct augment small = {.size = 64};
	int32_t erase[6];

	b->image = memory_new((size_t)b->count, sizeof(*b->image));
	b->work = view_work_new();
	b->view = memory_new(224 * 224, 3);
	b->tensor = memory_new(224 * 224 * 3, sizeof(*b->tensor));
	if (!b->image || !b->work || !b->view || !b->tensor)
		return STATUS_SYSTEM;
	for (int i = 0; i < b->count; i++) {
		struct image *image = &b->image[i];

		TRY(file_read(image, paths[i]));
		TRY(error_context(
			picture_decode(&b->picture, image->data, image->size), "%s", paths[i]));
		TRY(augment_view(&small, 0, &b->picture, 1, 0, 0, image->small, erase, b->work));
	}
	printf("what\timages\timages_per_second\tpixels_of_the_last\n");
	TRY(measure(b, DECODE, "decode"));
	TRY(measure(b, EVALUATE, "evaluation view at 224"));
	TRY(measure(b, TRAIN, "training view at 224"));
	return measure(b, TRAIN_PIXELS, "pixels, training view at 64");
}

static int jpeg_write(const char *path, int seed)
{
	struct jpeg_compress_struct c;
	struct jpeg_error_mgr errors;
	FILE *f = fopen(path, "wb");
	uint8_t row[500 * 3];
	JSAMPROW rows[1] = {row};

	if (!f)
		return error(STATUS_CANTCREATE, "%s: cannot be made", path);
	c.err = jpeg_std_error(&errors);
	jpeg_create_compress(&c);
	jpeg_stdio_dest(&c, f);
	c.image_width = 500;
	c.image_height = 375;
	c.input_components = 3;
	c.in_color_space = JCS_RGB;
	jpeg_set_defaults(&c);
	jpeg_set_quality(&c, 90, TRUE);
	jpeg_start_compress(&c, TRUE);
	for (int y = 0; y < 375; y++) { /* a photograph's kind of detail: smooth, with grain */
		for (int i = 0; i < 500 * 3; i++) {
			uint32_t x = (uint32_t)(i / 3), k = (uint32_t)(i % 3), shift = seed * 37;
			int v = picture_value(PICTURE_SMOOTH, x + shift, y + shift, k);

			v += picture_value(PICTURE_NOISE, x + shift, y, k) / 8;
			row[i] = (uint8_t)(v > 255 ? 255 : v);
		}
		jpeg_write_scanlines(&c, rows, 1);
	}
	jpeg_finish_compress(&c);
	jpeg_destroy_compress(&c);
	return fclose(f) ? error(STATUS_IO, "%s: cannot be written", path) : 0;
}

static int make(const char *folder)
{
	for (int i = 0; i < MADE; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%02d.jpg", folder, i);
		TRY(jpeg_write(path, i));
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct bench b = {.count = argc - 1};
	int status;

	omp_set_num_threads(1);
	if (argc < 2) {
		fprintf(stderr, "usage: images FILE... | images --make FOLDER\n");
		return STATUS_USAGE;
	}
	if (!strcmp(argv[1], "--make"))
		status = argc == 3 ? make(argv[2]) : STATUS_USAGE;
	else
		status = bench_run(&b, argv + 1);
	if (status)
		fprintf(stderr, "images: %s\n", error_message());
	return status;
}
