#include "lib/data/decode.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <jpeglib.h>
#include <jerror.h>
#include "lib/base/error.h"

#define SCANS_MAX 500
#define MEMORY_MAX (1L << 30)

struct reader {
	struct jpeg_decompress_struct jpeg;
	struct jpeg_error_mgr errors;
	struct jpeg_progress_mgr progress;
	jmp_buf out;
	char message[JMSG_LENGTH_MAX];
	int status;
};

__attribute__((noreturn)) static void fail(struct reader *r, const char *message)
{
	snprintf(r->message, sizeof(r->message), "%s", message);
	longjmp(r->out, 1);
}

__attribute__((noreturn)) static void on_error(j_common_ptr c)
{
	struct reader *r = c->client_data;

	c->err->format_message(c, r->message);
	longjmp(r->out, 1);
}

/*
 * Warnings after which libjpeg makes pixels up are errors here; the harmless ones (bytes between
 * segments, unusual headers) are passed over.
 */
static void on_message(j_common_ptr c, int level)
{
	if (level >= 0)
		return;
	switch (c->err->msg_code) {
	case JWRN_JPEG_EOF:
		fail(c->client_data, "truncated JPEG");
	case JWRN_HIT_MARKER:
	case JWRN_HUFF_BAD_CODE:
	case JWRN_MUST_RESYNC:
	case JWRN_ARITH_BAD_CODE:
		on_error(c);
	}
}

/* A small file can ask for any number of passes over a large image. */
static void on_progress(j_common_ptr c)
{
	struct reader *r = c->client_data;

	if (r->jpeg.input_scan_number > SCANS_MAX)
		fail(r, "JPEG of more than 500 scans");
}

/* a b / 255, rounded, as Pillow does it */
static inline int multiplied(int a, int b)
{
	int t = a * b + 128;

	return ((t >> 8) + t) >> 8;
}

/* Inverted CMYK (n, 4) to RGB (n, 3); may overlap when rgb is not after cmyk. */
static void from_cmyk(uint8_t *rgb, const uint8_t *cmyk, int64_t n)
{
	for (int64_t i = 0; i < n; i++, rgb += 3, cmyk += 4) {
		int white = cmyk[3];

		for (int c = 0; c < 3; c++)
			rgb[c] = (uint8_t)(white - multiplied(255 - cmyk[c], white));
	}
}

static void from_grey(uint8_t *row, int64_t n)
{
	for (int64_t i = n - 1; i >= 0; i--)
		row[3 * i] = row[3 * i + 1] = row[3 * i + 2] = row[i];
}

static void set_up(struct reader *r, struct picture *out)
{
	struct jpeg_decompress_struct *j = &r->jpeg;

	j->mem->max_memory_to_use = MEMORY_MAX;
	jpeg_read_header(j, TRUE);
	r->status = picture_room(out, j->image_height, j->image_width);
	if (r->status)
		longjmp(r->out, 1);
	switch (j->num_components) {
	case 1:
		j->out_color_space = JCS_GRAYSCALE;
		break;
	case 3:
		j->out_color_space = JCS_RGB;
		break;
	case 4:
		j->out_color_space = JCS_CMYK;
		break;
	default:
		fail(r, "JPEG of an unusual number of channels");
	}
	r->progress.progress_monitor = on_progress;
	j->progress = &r->progress;
	jpeg_start_decompress(j);
}

static void read_rows(struct reader *r, struct picture *out)
{
	struct jpeg_decompress_struct *j = &r->jpeg;
	JSAMPARRAY four = NULL;

	if (j->num_components == 4)
		four = j->mem->alloc_sarray((j_common_ptr)j, JPOOL_IMAGE, 4 * j->output_width, 1);
	while (j->output_scanline < j->output_height) {
		uint8_t *row = out->pixels + (size_t)j->output_scanline * j->output_width * 3;

		jpeg_read_scanlines(j, four ? four : &row, 1);
		if (four)
			from_cmyk(row, four[0], j->output_width);
		else if (j->num_components == 1)
			from_grey(row, j->output_width);
	}
	jpeg_finish_decompress(j);
}

/* In a function of its own, so that no local variable changes between setjmp and longjmp. */
static int decode(struct reader *r, struct picture *out, const uint8_t *data, size_t size)
{
	if (setjmp(r->out))
		return r->status ? r->status : error(STATUS_DATA, "damaged JPEG: %s", r->message);
	jpeg_create_decompress(&r->jpeg);
	jpeg_mem_src(&r->jpeg, data, size);
	set_up(r, out);
	read_rows(r, out);
	return 0;
}

int picture_decode_jpeg(struct picture *out, const uint8_t *data, size_t size)
{
	struct reader r = {0};
	int status;

	r.jpeg.err = jpeg_std_error(&r.errors);
	r.errors.error_exit = on_error;
	r.errors.emit_message = on_message;
	r.jpeg.client_data = &r;
	status = decode(&r, out, data, size);
	jpeg_destroy_decompress(&r.jpeg);
	return status;
}
