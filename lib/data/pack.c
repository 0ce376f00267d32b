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

#define BLOCK 128		 /* images */
#define BLOCK_BYTES (32LL << 20) /* of packed inputs */
#define JOB_KEEPS (1 << 20)	 /* bytes of a buffer from block to block */
#define AWAKE 32		 /* files of sources that rest, open at a time */
#define FILE_MAX (256LL << 20)

struct job {
	const struct item *item;
	struct stored stored;
	uint8_t *out; /* what is written: borrowed from stored, or own */
	size_t size;
	uint8_t *own;
	int64_t height, width;
	int status;
	int in_block; /* stored lies in the packer's block */
	char message[512];
};

struct packer {
	struct collection *c;
	const struct pack_settings *s;
	enum pack_store store;
	struct pack_file file;
	struct job *jobs;
	struct pack_result *result;
	uint8_t *block; /* BLOCK_BYTES for what is read of packed inputs, or NULL */
	struct dataset *awake[AWAKE];
	int64_t woken;
};

const char *const pack_checks[] = {"decode", "structure", NULL};

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

/* What messages about an item begin with; malloc'ed. */
static char *item_path(const struct source *s, const struct item *item)
{
	if (s->format == SOURCE_PACKED)
		return memory_format("%s: image %lld", s->path, (long long)item->index);
	return item->name[0] == '/' ? memory_string(item->name)
				    : memory_format("%s/%s", s->root, item->name);
}

/* The stored bytes; packed inputs were read before by one thread. */
static int item_load(const struct packer *p, struct job *j)
{
	const struct source *s = &p->c->sources[j->item->source];
	char *path;
	int status;

	if (s->format == SOURCE_PACKED)
		return 0;
	if (s->format == SOURCE_CIFAR100)
		return cifar_load(s, j->item->index, &j->stored);
	path = item_path(s, j->item);
	status = path ? file_load(path, &j->stored) : STATUS_SYSTEM;
	free(path);
	return status;
}

/* A file's bytes, decoded where `out` is given and else as far as is asked for. */
static int item_check(
	const struct packer *p, struct job *j, struct picture *scratch, struct picture *out)
{
	const struct stored *b = &j->stored;
	int status;
	char *path;

	if (out || p->s->check == PACK_DECODED)
		status = picture_decode(scratch, b->data, b->size);
	else
		status = p->s->check == PACK_STRUCTURE ? picture_inspect(b->data, b->size) : 0;
	if (out)
		*out = *scratch;
	if (!status)
		return 0;
	path = item_path(&p->c->sources[j->item->source], j->item);
	status = path ? error_context(status, "%s", path) : STATUS_SYSTEM;
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
	struct picture picture = {CIFAR_SIDE, CIFAR_SIDE, NULL, 0};
	int raw = s->format == SOURCE_CIFAR100 || (s->data && !s->data->offset);

	TRY(item_load(p, j));
	j->out = (uint8_t *)j->stored.data;
	j->size = j->stored.size;
	if (s->data && raw)
		picture = (struct picture){s->data->height, s->data->width, NULL, 0};
	if (raw)
		picture.pixels = j->out;
	else
		TRY(item_check(p, j, scratch, p->store == PACK_PIXELS ? &picture : NULL));
	if (p->store == PACK_PIXELS)
		return as_pixels(p, j, &picture, work);
	return raw ? as_png(j, &picture) : 0;
}

/* --- a block --- */

/* A source that rests takes the place of the one that was woken longest ago. */
static int wake(struct packer *p, struct dataset *d)
{
	struct dataset **place = &p->awake[p->woken % AWAKE];

	if (!d->path || d->file)
		return 0;
	if (*place)
		TRY(dataset_rest(*place));
	*place = d;
	p->woken++;
	return 0;
}

/* A packed image's bytes, after those of the one before where there is room. */
static int read_stored(struct packer *p, struct job *j, struct source *s, int64_t at)
{
	const uint64_t *offset = s->data->offset;
	int64_t size = offset ? (int64_t)(offset[j->item->index + 1] - offset[j->item->index]) : 0;

	TRY(wake(p, s->data));
	j->in_block = p->block && offset && !s->data->cache && size <= BLOCK_BYTES - at;
	if (j->in_block) {
		free(j->stored.own);
		j->stored = (struct stored){.own = p->block + at, .room = (size_t)size};
	}
	return dataset_stored(s->data, j->item->index, &j->stored);
}

/*
 * Packed inputs are read here: all reading of HDF5 is one thread's. Up to n images, fewer where
 * they are large; returns how many.
 */
static int64_t block_read(struct packer *p, int64_t from, int64_t n)
{
	int64_t bytes = 0, i;

	for (i = 0; i < n && bytes < BLOCK_BYTES; i++) {
		struct job *j = &p->jobs[i];
		struct source *s;

		j->item = &p->c->items[from + i];
		j->status = 0;
		j->own = NULL;
		s = &p->c->sources[j->item->source];
		j->in_block = 0;
		if (s->data)
			j->status = read_stored(p, j, s, bytes);
		if (j->status)
			snprintf(j->message, sizeof(j->message), "%s", error_message());
		else if (s->data)
			bytes += (int64_t)j->stored.size;
	}
	return i;
}

/* Bytes that are only copied need no help. */
static void block_run(struct packer *p, int64_t n)
{
	int copied = p->store == PACK_ENCODED && p->s->check == PACK_UNCHECKED;

#pragma omp parallel num_threads(p->s->threads > 0 && !copied ? p->s->threads : 1)
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

static int job_write(struct packer *p, const struct job *j)
{
	const struct pack_image image = {.data = j->out,
		.size = j->size,
		.height = j->height,
		.width = j->width,
		.name = j->item->name,
		.label = j->item->label,
		.stays = j->in_block && j->out == j->stored.data};

	return pack_file_add(&p->file, &image);
}

/* What lies in the block is no memory of the job's own; of that a little is kept. */
static void forget_stored(struct job *j)
{
	if (!j->in_block && j->stored.room <= JOB_KEEPS)
		return;
	if (!j->in_block)
		free(j->stored.own);
	j->stored = (struct stored){0};
	j->in_block = 0;
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
	if (!status)
		status = pack_file_flush(&p->file);
	for (int64_t i = 0; i < n; i++)
		forget_stored(&p->jobs[i]);
	return status;
}

/* --- the file --- */

int pack_allows(int64_t damaged, int64_t skip)
{
	if (damaged <= skip)
		return 0;
	return error(STATUS_DATA,
		"%lld damaged images, %lld allowed: mend or remove them, or --skip-damaged %lld",
		(long long)damaged, (long long)skip, (long long)damaged);
}

static int pack_all(struct packer *p, const char *output)
{
	struct collection *c = p->c;

	TRY(pack_file_begin(&p->file, output, p->store));
	TRY(part_mark(p->file.file, &c->part, "%s", c->part_of));
	if (p->s->split)
		TRY(h5_put_text(p->file.file, "split", p->s->split));
	for (int64_t i = 0, n; i < c->count; i += n) {
		n = block_read(p, i, c->count - i < BLOCK ? c->count - i : BLOCK);
		block_run(p, n);
		TRY(block_write(p, n));
		if (p->s->on_progress)
			p->s->on_progress(p->s->data, i + n);
	}
	TRY(pack_allows(p->result->damaged, p->s->skip_damaged));
	p->result->images = p->file.count;
	p->result->bytes = p->file.bytes;
	return pack_file_end(
		&p->file, c->labelled ? c->class_count : 0, c->classes, p->s->provenance);
}

int pack_write(struct collection *c, const struct pack_settings *s, const char *output,
	struct pack_result *result)
{
	struct packer p = {.c = c, .s = s, .result = result};
	int status;

	*result = (struct pack_result){0};
	p.store = s->store == PACK_CHOOSE ? pack_store_of(c) : s->store;
	p.jobs = memory_new(BLOCK, sizeof(*p.jobs));
	for (int64_t i = 0; i < c->source_count && !p.block; i++)
		if (c->sources[i].data)
			p.block = malloc(BLOCK_BYTES); /* without it images are read one by one */
	status = p.jobs ? pack_all(&p, output) : STATUS_SYSTEM;
	for (int i = 0; p.jobs && i < BLOCK; i++) {
		if (!p.jobs[i].in_block)
			free(p.jobs[i].stored.own);
		free(p.jobs[i].own);
	}
	free(p.block);
	pack_file_release(&p.file);
	free(p.jobs);
	return status;
}
