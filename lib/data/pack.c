#include "lib/data/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/data/batches.h"
#include "lib/data/decode.h"
#include "lib/io/join.h"

#define BLOCK 128
#define CHUNK (64 << 10) /* bytes: small, for images are read in random order */
#define FILE_MAX (256LL << 20)

struct job {
	const struct item *item;
	struct stored stored;
	uint8_t *out; /* what is written: borrowed from stored, or own */
	size_t size;
	uint8_t *own;
	int64_t height, width;
	int status;
	char message[512];
};

struct packer {
	struct collection *c;
	const struct pack_settings *s;
	enum pack_store store;
	struct h5 *file;
	struct job *jobs;
	int64_t height, width; /* of all images, once known */
	uint64_t *offset;
	int32_t *labels;
	const char **names;
	struct pack_result *result;
};

enum pack_store pack_store_of(const struct collection *c)
{
	for (int64_t i = 0; i < c->source_count; i++) {
		const struct source *s = &c->sources[i];

		if (s->format != SOURCE_CIFAR100 && !(s->data && !s->data->offset))
			return PACK_ENCODED;
	}
	return PACK_PIXELS;
}

/* --- one image, on any thread --- */

static int grow(struct stored *s, size_t size)
{
	if (size > s->room) {
		free(s->own);
		s->room = 0;
		s->own = memory_new(size, 1);
		if (!s->own)
			return STATUS_SYSTEM;
		s->room = size;
	}
	s->data = s->own;
	s->size = size;
	return 0;
}

static int file_load(const char *path, struct stored *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), status;
	struct stat st;
	size_t at = 0;

	if (fd < 0 || fstat(fd, &st)) {
		status = error(STATUS_DATA, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return status;
	}
	status = S_ISREG(st.st_mode) && st.st_size <= FILE_MAX
			 ? grow(out, (size_t)st.st_size)
			 : error(STATUS_DATA, "%s: not a file of at most 256 MiB", path);
	while (!status && at < out->size) {
		ssize_t n = read(fd, out->own + at, out->size - at);

		if (n > 0)
			at += (size_t)n;
		else if (n == 0 || errno != EINTR)
			status = error(STATUS_DATA, "%s: cannot be read whole", path);
	}
	close(fd);
	return status;
}

/* Three planes of 32 x 32 become pixels. */
static int cifar_load(const struct source *s, int64_t index, struct stored *out)
{
	uint8_t planes[CIFAR_PIXELS];

	if (pread(s->fd, planes, sizeof(planes), index * CIFAR_RECORD + 2) != sizeof(planes))
		return error(STATUS_DATA, "%s: cannot read record %lld", s->path, (long long)index);
	TRY(grow(out, sizeof(planes)));
	for (int i = 0; i < CIFAR_SIDE * CIFAR_SIDE; i++)
		for (int k = 0; k < 3; k++)
			out->own[3 * i + k] = planes[k * CIFAR_SIDE * CIFAR_SIDE + i];
	return 0;
}

/* The stored bytes as pixels; packed inputs were read before by one thread. */
static int item_picture(
	const struct packer *p, struct job *j, struct picture *scratch, struct picture *out)
{
	const struct source *s = &p->c->sources[j->item->source];
	char *path;
	int status;

	if (s->format == SOURCE_PACKED)
		return dataset_decode(s->data, j->item->index, &j->stored, scratch, out);
	if (s->format == SOURCE_CIFAR100) {
		TRY(cifar_load(s, j->item->index, &j->stored));
		*out = (struct picture){CIFAR_SIDE, CIFAR_SIDE, j->stored.own, 0};
		return 0;
	}
	path = j->item->name[0] == '/' ? memory_string(j->item->name)
				       : memory_format("%s/%s", s->root, j->item->name);
	if (!path)
		return STATUS_SYSTEM;
	status = file_load(path, &j->stored);
	if (!status)
		status = error_context(
			picture_decode(scratch, j->stored.data, j->stored.size), "%s", path);
	*out = *scratch;
	free(path);
	return status;
}

static int as_png(struct job *j, const struct picture *p)
{
	png_image image = {.version = PNG_IMAGE_VERSION,
		.width = (png_uint_32)p->width,
		.height = (png_uint_32)p->height,
		.format = PNG_FORMAT_RGB};
	png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
	int good;

	j->own = memory_new(size, 1);
	if (!j->own)
		return STATUS_SYSTEM;
	good = png_image_write_to_memory(&image, j->own, &size, 0, p->pixels, 0, NULL);
	png_image_free(&image);
	j->out = j->own;
	j->size = size;
	return good ? 0 : error(STATUS_BUG, "cannot write a PNG: %s", image.message);
}

static int as_pixels(
	const struct packer *p, struct job *j, const struct picture *in, struct view_work *work)
{
	struct augment a = {.size = p->s->size};
	int32_t erase[6];

	j->height = a.size ? a.size : in->height;
	j->width = a.size ? a.size : in->width;
	j->size = (size_t)(j->height * j->width * 3);
	j->out = j->own = memory_new(j->size, 1);
	if (!j->own)
		return STATUS_SYSTEM;
	if (a.size)
		return augment_view(&a, 0, in, 0, 0, 0, j->own, erase, work);
	memcpy(j->own, in->pixels, j->size);
	return 0;
}

static int job_run(
	const struct packer *p, struct job *j, struct picture *scratch, struct view_work *work)
{
	const struct source *s = &p->c->sources[j->item->source];
	struct picture picture;

	TRY(item_picture(p, j, scratch, &picture));
	if (p->store == PACK_PIXELS)
		return as_pixels(p, j, &picture, work);
	if (s->format == SOURCE_CIFAR100 || (s->data && !s->data->offset))
		return as_png(j, &picture);
	j->out = (uint8_t *)j->stored.data;
	j->size = j->stored.size;
	return 0;
}

/* --- a block --- */

/* Packed inputs are read here: all reading of HDF5 is one thread's. */
static void block_read(struct packer *p, int64_t from, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		struct job *j = &p->jobs[i];
		struct source *s;

		j->item = &p->c->items[from + i];
		j->status = 0;
		j->own = NULL;
		s = &p->c->sources[j->item->source];
		if (s->data)
			j->status = dataset_stored(s->data, j->item->index, &j->stored);
		if (j->status)
			snprintf(j->message, sizeof(j->message), "%s", error_message());
	}
}

static void block_run(struct packer *p, int64_t n)
{
#pragma omp parallel num_threads(p->s->threads > 0 ? p->s->threads : 1)
	{
		struct view_work *work = view_work_new();
		struct picture scratch = {0};

#pragma omp for schedule(dynamic)
		for (int64_t i = 0; i < n; i++) {
			struct job *j = &p->jobs[i];

			if (j->status)
				continue;
			j->status = work ? job_run(p, j, &scratch, work) : STATUS_SYSTEM;
			if (j->status)
				snprintf(j->message, sizeof(j->message), "%s", error_message());
		}
		view_work_free(work);
		free(scratch.pixels);
	}
}

static int start_pixels(struct packer *p, const struct job *j)
{
	int64_t shape[4] = {-1, j->height, j->width, 3}, row = (int64_t)j->size;
	struct h5_layout layout = {.chunk_rows = row < CHUNK ? CHUNK / row : 1,
		.long_name = "RGB pixels",
		.axes = "image row column channel"};

	p->height = j->height;
	p->width = j->width;
	return h5_dataset(p->file, "pixels", H5_U8, 4, shape, &layout);
}

static int job_write(struct packer *p, struct job *j)
{
	struct pack_result *r = p->result;

	if (p->store == PACK_PIXELS) {
		if (!p->height)
			TRY(start_pixels(p, j));
		if (j->height != p->height || j->width != p->width)
			return error(STATUS_DATA,
				"%s: %lld x %lld pixels where the first image has %lld x %lld: use "
				"--size, or --store encoded",
				j->item->name, (long long)j->width, (long long)j->height,
				(long long)p->width, (long long)p->height);
		TRY(h5_write(p->file, "pixels", H5_U8, r->images, 1, j->out));
	} else {
		TRY(h5_write(p->file, "encoded", H5_U8, r->bytes, (int64_t)j->size, j->out));
	}
	p->labels[r->images] = j->item->label;
	p->names[r->images] = j->item->name;
	r->bytes += (int64_t)j->size;
	p->offset[++r->images] = (uint64_t)r->bytes;
	return 0;
}

/* STATUS_DATA and nothing else is damage. */
static int block_write(struct packer *p, int64_t n)
{
	int status = 0;

	for (int64_t i = 0; i < n; i++) {
		struct job *j = &p->jobs[i];

		if (j->status == STATUS_DATA) {
			p->result->damaged++;
			if (p->s->on_damaged)
				p->s->on_damaged(j->message);
		} else if (!status && j->status) {
			status = error(j->status, "%s", j->message);
		} else if (!status) {
			status = job_write(p, j);
		}
		free(j->own);
		j->own = NULL;
	}
	return status;
}

/* --- the file --- */

static int pack_begin(struct packer *p)
{
	int64_t shape[1] = {-1};
	struct h5_layout layout = {.chunk_rows = CHUNK,
		.long_name = "image files, one after another",
		.units = "bytes"};

	TRY(part_mark(p->file, &p->c->part, "%s", p->c->part_of));
	if (p->s->split)
		TRY(h5_put_text(p->file, "split", p->s->split));
	if (p->store == PACK_PIXELS)
		return 0;
	return h5_dataset(p->file, "encoded", H5_U8, 1, shape, &layout);
}

static int pack_end(struct packer *p)
{
	struct collection *c = p->c;
	int64_t n = p->result->images, offsets = n + 1;

	if (p->result->damaged > p->s->skip_damaged)
		return error(STATUS_DATA,
			"%lld damaged images, %lld allowed: mend or remove them, or "
			"--skip-damaged %lld",
			(long long)p->result->damaged, (long long)p->s->skip_damaged,
			(long long)p->result->damaged);
	if (!n)
		return error(STATUS_DATA, "no image is left");
	if (p->store == PACK_ENCODED)
		TRY(h5_put(p->file, "offset", H5_U64, 1, &offsets, p->offset));
	if (c->labelled) {
		TRY(h5_put(p->file, "labels", H5_I32, 1, &n, p->labels));
		TRY(h5_put_strings(
			p->file, "class_names", c->class_count, (const char *const *)c->classes));
	}
	TRY(h5_put_strings(p->file, "names", n, p->names));
	if (p->s->provenance)
		TRY(provenance_write(p->s->provenance, p->file));
	return h5_commit(&p->file);
}

static int pack_all(struct packer *p, const char *output)
{
	TRY(h5_create(&p->file, output, "images"));
	TRY(pack_begin(p));
	for (int64_t i = 0; i < p->c->count; i += BLOCK) {
		int64_t n = p->c->count - i < BLOCK ? p->c->count - i : BLOCK;

		block_read(p, i, n);
		block_run(p, n);
		TRY(block_write(p, n));
		if (p->s->on_progress)
			p->s->on_progress(p->s->data, i + n);
	}
	return pack_end(p);
}

int pack_write(struct collection *c, const struct pack_settings *s, const char *output,
	struct pack_result *result)
{
	struct packer p = {.c = c, .s = s, .result = result};
	size_t n = (size_t)c->count;
	int status = STATUS_SYSTEM;

	*result = (struct pack_result){0};
	p.store = s->store == PACK_CHOOSE ? pack_store_of(c) : s->store;
	p.jobs = memory_new(BLOCK, sizeof(*p.jobs));
	p.offset = memory_new(n + 1, sizeof(*p.offset));
	p.labels = memory_new(n + 1, sizeof(*p.labels));
	p.names = memory_new(n + 1, sizeof(*p.names));
	if (p.jobs && p.offset && p.labels && p.names)
		status = pack_all(&p, output);
	for (int i = 0; p.jobs && i < BLOCK; i++) {
		free(p.jobs[i].stored.own);
		free(p.jobs[i].own);
	}
	h5_close(&p.file);
	free(p.jobs);
	free(p.offset);
	free(p.labels);
	free(p.names);
	return status;
}
