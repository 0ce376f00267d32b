/*
 * An `images` file while it is written: images one after another, then labels, classes and names.
 * Bytes are gathered and written in blocks of several MiB.
 */
#ifndef DATA_PACK_FILE_H
#define DATA_PACK_FILE_H

#include <stddef.h>
#include "lib/io/provenance.h"

enum pack_store { PACK_CHOOSE, PACK_ENCODED, PACK_PIXELS };

struct pack_image {
	const uint8_t *data; /* a file, or (height, width, 3) pixels */
	size_t size;
	int64_t height, width; /* of pixels */
	const char *name;      /* copied */
	int32_t label;
	int stays; /* data are not changed before pack_file_flush: they need not be copied */
};

struct pack_file {
	struct h5 *file;
	enum pack_store store;
	int64_t count, bytes;  /* images and their bytes so far */
	int64_t height, width; /* of all images' pixels, once known */
	int64_t room;
	uint64_t *offset; /* count + 1 */
	int32_t *labels;
	char *names; /* one after another, each with its closing zero */
	size_t names_used, names_room;
	uint8_t *gathered;
	size_t gathered_size;
	const uint8_t *run; /* images that stay, one after another in memory */
	size_t run_size;
	int64_t row; /* pixels: images written */
};

/* store is not PACK_CHOOSE. Attributes are put into f->file after it, before images. */
int pack_file_begin(struct pack_file *f, const char *path, enum pack_store store);
/* STATUS_DATA: pixels of another size than the first image's. */
int pack_file_add(struct pack_file *f, const struct pack_image *image);
int pack_file_flush(struct pack_file *f);
/* Labels are left out where class_count is 0. STATUS_DATA: no image was added. */
int pack_file_end(
	struct pack_file *f, int64_t class_count, char *const *classes, const struct provenance *p);
/* After an end, too; without one nothing appears. */
void pack_file_release(struct pack_file *f);

#endif
