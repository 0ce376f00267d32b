#include "lib/data/decode.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <png.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

struct reader {
	png_structp png;
	png_infop info;
	const uint8_t *data;
	size_t size, at;
	png_bytepp rows;
	png_colorp palette; /* NULL: none */
	int palette_size;
	char message[128];
	int status;
};

static void on_error(png_structp png, png_const_charp text)
{
	struct reader *r = png_get_error_ptr(png);

	snprintf(r->message, sizeof(r->message), "%s", text);
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
}

static void on_read(png_structp png, png_bytep out, size_t count)
{
	struct reader *r = png_get_io_ptr(png);

	if (count > r->size - r->at)
		png_error(png, "truncated");
	memcpy(out, r->data + r->at, count);
	r->at += count;
}

static void set_up(struct reader *r, struct picture *out)
{
	png_uint_32 width, height;
	int bits, colour;

	png_read_info(r->png, r->info);
	png_get_IHDR(r->png, r->info, &width, &height, &bits, &colour, NULL, NULL, NULL);
	r->status = picture_room(out, height, width);
	if (r->status)
		png_longjmp(r->png, 1);
	if (bits == 16)
		png_error(r->png, "16 bits a channel: convert it to 8 bits first");
	if (colour == PNG_COLOR_TYPE_PALETTE) {
		if (!png_get_PLTE(r->png, r->info, &r->palette, &r->palette_size))
			png_error(r->png, "no palette");
		png_set_packing(r->png);
	} else if (!(colour & PNG_COLOR_MASK_COLOR)) {
		png_set_expand_gray_1_2_4_to_8(r->png);
		png_set_gray_to_rgb(r->png);
	}
	png_set_strip_alpha(r->png);
	png_set_interlace_handling(r->png);
	png_read_update_info(r->png, r->info);
	if (png_get_rowbytes(r->png, r->info) != (r->palette ? 1 : 3) * (size_t)width)
		png_error(r->png, "not 8 bits a channel");
}

/* A row of indices at the start of the row becomes colours. */
static void look_up(struct reader *r, uint8_t *row, int64_t width)
{
	for (int64_t x = width - 1; x >= 0; x--) {
		int index = row[x];

		if (index >= r->palette_size)
			png_error(r->png, "a colour is not in the palette");
		row[3 * x] = r->palette[index].red;
		row[3 * x + 1] = r->palette[index].green;
		row[3 * x + 2] = r->palette[index].blue;
	}
}

static void read_rows(struct reader *r, struct picture *out)
{
	r->rows = memory_new((size_t)out->height, sizeof(*r->rows));
	if (!r->rows) {
		r->status = STATUS_SYSTEM;
		png_longjmp(r->png, 1);
	}
	for (int64_t y = 0; y < out->height; y++)
		r->rows[y] = out->pixels + y * out->width * 3;
	png_read_image(r->png, r->rows);
	png_read_end(r->png, NULL);
	for (int64_t y = 0; r->palette && y < out->height; y++)
		look_up(r, r->rows[y], out->width);
}

/* In a function of its own, so that no local variable changes between setjmp and longjmp. */
static int decode(struct reader *r, struct picture *out)
{
	if (setjmp(png_jmpbuf(r->png)))
		return r->status ? r->status : error(STATUS_DATA, "damaged PNG: %s", r->message);
	png_set_read_fn(r->png, r, on_read);
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	png_set_crc_action(r->png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
#endif
	set_up(r, out);
	read_rows(r, out);
	return 0;
}

int picture_decode_png(struct picture *out, const uint8_t *data, size_t size)
{
	struct reader r = {.data = data, .size = size};
	int status;

	r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
	r.info = r.png ? png_create_info_struct(r.png) : NULL;
	if (!r.info) {
		png_destroy_read_struct(&r.png, NULL, NULL);
		return error(STATUS_SYSTEM, "out of memory for a PNG reader");
	}
	status = decode(&r, out);
	png_destroy_read_struct(&r.png, &r.info, NULL);
	free(r.rows);
	return status;
}

int picture_write_png(const char *path, const uint8_t *pixels, int64_t height, int64_t width)
{
	png_image image = {.version = PNG_IMAGE_VERSION,
		.width = (png_uint_32)width,
		.height = (png_uint_32)height,
		.format = PNG_FORMAT_RGB};
	FILE *f = fopen(path, "wb");
	int good;

	if (!f)
		return error(STATUS_CANTCREATE, "%s: cannot create it: %s", path, strerror(errno));
	good = png_image_write_to_stdio(&image, f, 0, pixels, 0, NULL);
	png_image_free(&image);
	if (fclose(f) || !good)
		return error(STATUS_IO, "%s: cannot write it: %s", path,
			image.message[0] ? image.message : strerror(errno));
	return 0;
}
