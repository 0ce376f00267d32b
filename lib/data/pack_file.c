#include "lib/data/pack_file.h"

#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

#define CHUNK (64 << 10) /* bytes: small, for images are read in random order */
#define GATHERED (8 << 20)

int pack_file_begin(struct pack_file *f, const char *path, enum pack_store store)
{
	*f = (struct pack_file){.store = store};
	f->gathered = memory_new(GATHERED, 1);
	if (!f->gathered)
		return STATUS_SYSTEM;
	return h5_create(&f->file, path, "images");
}

static int start_encoded(struct pack_file *f)
{
	int64_t shape[1] = {-1};
	struct h5_layout layout = {.chunk_rows = CHUNK,
		.long_name = "image files, one after another",
		.units = "bytes"};

	return h5_dataset(f->file, "encoded", H5_U8, 1, shape, &layout);
}

static int start_pixels(struct pack_file *f, const struct pack_image *image)
{
	int64_t shape[4] = {-1, image->height, image->width, 3}, row = (int64_t)image->size;
	struct h5_layout layout = {.chunk_rows = row < CHUNK ? CHUNK / row : 1,
		.long_name = "RGB pixels",
		.axes = "image row column channel"};

	f->height = image->height;
	f->width = image->width;
	return h5_dataset(f->file, "pixels", H5_U8, 4, shape, &layout);
}

/* `size` bytes that follow those written so far: whole images, where pixels are stored */
static int write_bytes(struct pack_file *f, const uint8_t *data, size_t size)
{
	int64_t rows;

	if (f->store == PACK_ENCODED) {
		TRY(h5_write(f->file, "encoded", H5_U8, f->row, (int64_t)size, data));
		f->row += (int64_t)size;
		return 0;
	}
	rows = (int64_t)size / (f->height * f->width * 3);
	TRY(h5_write(f->file, "pixels", H5_U8, f->row, rows, data));
	f->row += rows;
	return 0;
}

int pack_file_flush(struct pack_file *f)
{
	size_t size = f->gathered_size, run = f->run_size;

	f->gathered_size = f->run_size = 0;
	if (size)
		TRY(write_bytes(f, f->gathered, size));
	return run ? write_bytes(f, f->run, run) : 0;
}

/* Either gathered images or a run are waiting, never both. */
static int gather(struct pack_file *f, const struct pack_image *image)
{
	size_t size = image->size;

	if (image->stays) {
		if (!f->run_size || image->data != f->run + f->run_size) {
			TRY(pack_file_flush(f));
			f->run = image->data;
		}
		f->run_size += size;
		return 0;
	}
	if (f->run_size || f->gathered_size + size > GATHERED)
		TRY(pack_file_flush(f));
	if (size > GATHERED)
		return write_bytes(f, image->data, size);
	memcpy(f->gathered + f->gathered_size, image->data, size);
	f->gathered_size += size;
	return 0;
}

static int make_room(struct pack_file *f, size_t name)
{
	if (f->count == f->room) {
		int64_t room = 2 * f->room + 1024;
		uint64_t *offset = memory_grow(f->offset, (size_t)room + 1, sizeof(*offset));
		int32_t *labels;

		if (!offset)
			return STATUS_SYSTEM;
		f->offset = offset;
		labels = memory_grow(f->labels, (size_t)room, sizeof(*labels));
		if (!labels)
			return STATUS_SYSTEM;
		f->labels = labels;
		f->room = room;
		f->offset[0] = 0;
	}
	if (f->names_used + name > f->names_room) {
		size_t room = 2 * f->names_room + name + 4096;
		char *names = memory_grow(f->names, room, 1);

		if (!names)
			return STATUS_SYSTEM;
		f->names = names;
		f->names_room = room;
	}
	return 0;
}

int pack_file_add(struct pack_file *f, const struct pack_image *image)
{
	size_t name = strlen(image->name) + 1;

	if (!f->count)
		TRY(f->store == PACK_PIXELS ? start_pixels(f, image) : start_encoded(f));
	if (f->store == PACK_PIXELS && (image->height != f->height || image->width != f->width))
		return error(STATUS_DATA,
			"%s: %lld x %lld pixels where the first image has %lld x %lld: use "
			"--size, or --store encoded",
			image->name, (long long)image->width, (long long)image->height,
			(long long)f->width, (long long)f->height);
	TRY(make_room(f, name));
	TRY(gather(f, image));
	memcpy(f->names + f->names_used, image->name, name);
	f->names_used += name;
	f->labels[f->count] = image->label;
	f->bytes += (int64_t)image->size;
	f->offset[++f->count] = (uint64_t)f->bytes;
	return 0;
}

static int put_names(struct pack_file *f)
{
	const char **name = memory_new((size_t)f->count, sizeof(*name));
	const char *at = f->names;
	int status;

	if (!name)
		return STATUS_SYSTEM;
	for (int64_t i = 0; i < f->count; i++, at += strlen(at) + 1)
		name[i] = at;
	status = h5_put_strings(f->file, "names", f->count, name);
	free(name);
	return status;
}

int pack_file_end(
	struct pack_file *f, int64_t class_count, char *const *classes, const struct provenance *p)
{
	int64_t offsets = f->count + 1;

	if (!f->count)
		return error(STATUS_DATA, "no image is left");
	TRY(pack_file_flush(f));
	if (f->store == PACK_ENCODED)
		TRY(h5_put(f->file, "offset", H5_U64, 1, &offsets, f->offset));
	if (class_count) {
		TRY(h5_put(f->file, "labels", H5_I32, 1, &f->count, f->labels));
		TRY(h5_put_strings(
			f->file, "class_names", class_count, (const char *const *)classes));
	}
	TRY(put_names(f));
	if (p)
		TRY(provenance_write(p, f->file));
	return h5_commit(&f->file);
}

void pack_file_release(struct pack_file *f)
{
	h5_close(&f->file);
	free(f->offset);
	free(f->labels);
	free(f->names);
	free(f->gathered);
	*f = (struct pack_file){0};
}
