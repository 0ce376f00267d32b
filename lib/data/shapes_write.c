/* The micro-world as HDF5, CIFAR-100 records and class folders; see shapes_write.h. */
#include "lib/data/shapes_write.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <jpeglib.h>
#include <png.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

enum { BLOCK = 256, PLANE = SHAPES_SIDE * SHAPES_SIDE, RECORD = 2 + SHAPES_BYTES };

static const char *const split_names[] = {"train", "valid", "test"};

static void tell(shapes_report report, void *context, int64_t done)
{
	if (report)
		report(context, done);
}

/* --- HDF5 --- */

static int put_block(
	struct h5 *f, const struct shapes_set *set, int64_t from, int64_t rows, uint8_t *pixels)
{
	int32_t labels[BLOCK];

	for (int64_t i = 0; i < rows; i++)
		labels[i] = shapes_draw(
			set->seed, set->split, (uint64_t)(from + i), pixels + i * SHAPES_BYTES);
	TRY(h5_write(f, "pixels", H5_U8, from, rows, pixels));
	return h5_write(f, "labels", H5_I32, from, rows, labels);
}

static int fill_h5(struct h5 *f, const struct shapes_set *set, shapes_report report, void *context)
{
	int64_t shape[4] = {set->count, SHAPES_SIDE, SHAPES_SIDE, 3};
	struct h5_layout pixels = {BLOCK, 0, "RGB values", "1/255", "sample row column channel"};
	struct h5_layout labels = {0, 0, "class, shape * 8 + colour", "1", "sample"};
	const char *names[SHAPES_CLASSES];
	uint8_t *block;
	int status = 0;

	for (int c = 0; c < SHAPES_CLASSES; c++)
		names[c] = shapes_class_name(c);
	TRY(h5_put_text(f, "split", split_names[set->split]));
	TRY(h5_dataset(f, "pixels", H5_U8, 4, shape, &pixels));
	TRY(h5_dataset(f, "labels", H5_I32, 1, shape, &labels));
	TRY(h5_put_strings(f, "class_names", SHAPES_CLASSES, names));
	block = memory_new(BLOCK, SHAPES_BYTES);
	if (!block)
		return STATUS_SYSTEM;
	for (int64_t i = 0; i < set->count && !status; i += BLOCK) {
		int64_t rows = set->count - i < BLOCK ? set->count - i : BLOCK;

		status = put_block(f, set, i, rows, block);
		tell(report, context, i + rows);
	}
	free(block);
	return status;
}

int shapes_write_h5(const struct shapes_set *set, const char *path,
	const struct provenance *provenance, shapes_report report, void *context)
{
	struct h5 *f;

	TRY(h5_create(&f, path, "images"));
	return provenance_commit(provenance, &f, fill_h5(f, set, report, context));
}

/* --- plain files, whole or not at all --- */

struct output {
	char *path, *temporary;
	FILE *file;
};

static int output_open(struct output *o, const char *path)
{
	*o = (struct output){memory_string(path), memory_format("%s.%d.tmp", path, getpid()), NULL};
	if (!o->path || !o->temporary)
		return STATUS_SYSTEM;
	o->file = fopen(o->temporary, "wb");
	if (!o->file)
		return error(STATUS_CANTCREATE, "%s: %s: is the folder there and writable?", path,
			strerror(errno));
	return 0;
}

/* status: of the writing; on success the file appears under its name. */
static int output_close(struct output *o, int status)
{
	if (o->file && !status && (fflush(o->file) || fsync(fileno(o->file))))
		status = error(STATUS_IO, "%s: %s", o->path, strerror(errno));
	if (o->file && fclose(o->file) && !status)
		status = error(STATUS_IO, "%s: %s", o->path, strerror(errno));
	if (!status && rename(o->temporary, o->path))
		status = error(STATUS_CANTCREATE, "%s: %s", o->path, strerror(errno));
	if (o->file && status)
		unlink(o->temporary);
	free(o->path);
	free(o->temporary);
	return status;
}

static int output_put(struct output *o, const void *data, size_t bytes)
{
	return fwrite(data, 1, bytes, o->file) == bytes
		       ? 0
		       : error(STATUS_IO, "%s: %s", o->path, strerror(errno));
}

/* --- CIFAR-100 --- */

/* A list of names beside a file, filled up to `fill` lines. */
static int write_names(const char *beside, const char *file, const char *(*name)(int), int fill)
{
	const char *slash = strrchr(beside, '/');
	int folder = slash ? (int)(slash - beside + 1) : 0, status;
	char *path = memory_format("%.*s%s", folder, beside, file);
	struct output o;

	if (!path)
		return STATUS_SYSTEM;
	status = output_open(&o, path);
	for (int i = 0; !status && (i < fill || name(i)); i++) {
		int n = name(i) ? fprintf(o.file, "%s\n", name(i))
				: fprintf(o.file, "unused-%d\n", i);

		if (n < 0)
			status = error(STATUS_IO, "%s: %s", path, strerror(errno));
	}
	status = output_close(&o, status);
	free(path);
	return status;
}

int shapes_write_cifar(
	const struct shapes_set *set, const char *path, shapes_report report, void *context)
{
	uint8_t pixels[SHAPES_BYTES], record[RECORD];
	struct output o;
	int status = output_open(&o, path);

	for (int64_t i = 0; i < set->count && !status; i++) {
		int class = shapes_draw(set->seed, set->split, (uint64_t)i, pixels);

		record[0] = (uint8_t)(class / SHAPES_COLOURS);
		record[1] = (uint8_t) class;
		for (int p = 0; p < PLANE; p++)
			for (int c = 0; c < 3; c++)
				record[2 + c * PLANE + p] = pixels[3 * p + c];
		status = output_put(&o, record, sizeof(record));
		if (i % BLOCK == BLOCK - 1 || i + 1 == set->count)
			tell(report, context, i + 1);
	}
	status = output_close(&o, status);
	if (!status)
		status = write_names(path, "fine_label_names.txt", shapes_class_name, 100);
	if (!status)
		status = write_names(path, "coarse_label_names.txt", shapes_kind_name, 20);
	if (!status)
		status = write_names(path, "classes.txt", shapes_class_name, 0);
	return status;
}

/* --- class folders --- */

static int put_png(FILE *file, const char *path, const uint8_t *pixels)
{
	png_image image = {.version = PNG_IMAGE_VERSION,
		.width = SHAPES_SIDE,
		.height = SHAPES_SIDE,
		.format = PNG_FORMAT_RGB};

	if (png_image_write_to_stdio(&image, file, 0, pixels, 0, NULL))
		return 0;
	return error(STATUS_IO, "%s: %s", path, image.message);
}

struct jpeg_trouble {
	struct jpeg_error_mgr base;
	jmp_buf back;
	char message[JMSG_LENGTH_MAX];
};

static void jpeg_give_up(j_common_ptr jpeg)
{
	struct jpeg_trouble *trouble = (struct jpeg_trouble *)jpeg->err;

	jpeg->err->format_message(jpeg, trouble->message);
	longjmp(trouble->back, 1);
}

static int put_jpeg(FILE *file, const char *path, uint8_t *pixels)
{
	struct jpeg_compress_struct jpeg = {0};
	struct jpeg_trouble trouble;

	jpeg.err = jpeg_std_error(&trouble.base);
	trouble.base.error_exit = jpeg_give_up;
	if (setjmp(trouble.back)) {
		jpeg_destroy_compress(&jpeg);
		return error(STATUS_IO, "%s: %s", path, trouble.message);
	}
	jpeg_create_compress(&jpeg);
	jpeg_stdio_dest(&jpeg, file);
	jpeg.image_width = jpeg.image_height = SHAPES_SIDE;
	jpeg.input_components = 3;
	jpeg.in_color_space = JCS_RGB;
	jpeg_set_defaults(&jpeg);
	jpeg_set_quality(&jpeg, 95, TRUE);
	for (int c = 0; c < 3; c++)
		jpeg.comp_info[c].h_samp_factor = jpeg.comp_info[c].v_samp_factor = 1;
	jpeg_start_compress(&jpeg, TRUE);
	for (int y = 0; y < SHAPES_SIDE; y++) {
		JSAMPROW row = pixels + y * SHAPES_SIDE * 3;

		jpeg_write_scanlines(&jpeg, &row, 1);
	}
	jpeg_finish_compress(&jpeg);
	jpeg_destroy_compress(&jpeg);
	return 0;
}

static int put_picture(enum shapes_picture type, const char *path, uint8_t *pixels)
{
	FILE *file = fopen(path, "wb");
	int status;

	if (!file)
		return error(STATUS_CANTCREATE, "%s: %s", path, strerror(errno));
	status = type == SHAPES_PNG ? put_png(file, path, pixels) : put_jpeg(file, path, pixels);
	if (fclose(file) && !status)
		status = error(STATUS_IO, "%s: %s", path, strerror(errno));
	return status;
}

static int fill_folder(const struct shapes_set *set, enum shapes_picture type, const char *folder,
	shapes_report report, void *context)
{
	uint8_t pixels[SHAPES_BYTES];
	char path[PATH_MAX];

	for (int c = 0; c < SHAPES_CLASSES; c++) {
		snprintf(path, sizeof(path), "%s/%s", folder, shapes_class_name(c));
		if (mkdir(path, 0777))
			return error(STATUS_CANTCREATE, "%s: %s", path, strerror(errno));
	}
	for (int64_t i = 0; i < set->count; i++) {
		int class = shapes_draw(set->seed, set->split, (uint64_t)i, pixels);

		snprintf(path, sizeof(path), "%s/%s/%05lld.%s", folder, shapes_class_name(class),
			(long long)i, type == SHAPES_PNG ? "png" : "jpg");
		TRY(put_picture(type, path, pixels));
		if (i % BLOCK == BLOCK - 1 || i + 1 == set->count)
			tell(report, context, i + 1);
	}
	return 0;
}

/* Thousands of small files reach the disk by one call, before the folder gets its name. */
static int sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY);
	int status = 0;

	if (fd < 0 || syncfs(fd))
		status = error(STATUS_IO, "%s: %s", folder, strerror(errno));
	if (fd >= 0)
		close(fd);
	return status;
}

static int remove_entry(const char *path, const struct stat *s, int type, struct FTW *ftw)
{
	return remove(path);
}

int shapes_write_folder(const struct shapes_set *set, enum shapes_picture type, const char *path,
	shapes_report report, void *context)
{
	size_t length = strlen(path);
	char *folder;
	int status;

	while (length > 1 && path[length - 1] == '/')
		length--;
	if (length > PATH_MAX - 64)
		return error(STATUS_USAGE, "%s: the path is too long", path);
	folder = memory_format("%.*s.%d.tmp", (int)length, path, getpid());
	if (!folder)
		return STATUS_SYSTEM;
	if (mkdir(folder, 0777)) {
		status = error(STATUS_CANTCREATE, "%s: %s: is the folder there and writable?", path,
			strerror(errno));
		free(folder);
		return status;
	}
	status = fill_folder(set, type, folder, report, context);
	if (!status)
		status = sync_folder(folder);
	if (!status && rename(folder, path))
		status = error(STATUS_CANTCREATE, "%s: %s: remove what is there, or name another",
			path, strerror(errno));
	if (status)
		nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(folder);
	return status;
}
