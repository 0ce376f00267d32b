#include "lib/data/archive_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/data/decode.h"

#define BLOCK_IMAGES 256
#define BLOCK_BYTES ((size_t)32 << 20)
#define IMAGE_MAX ((int64_t)256 << 20)

static int prepare(struct part_writer *p)
{
	if (!p->images)
		p->images = memory_new(BLOCK_IMAGES, sizeof(*p->images));
	if (!p->block) {
		p->block = memory_new(BLOCK_BYTES, 1);
		p->room = p->block ? BLOCK_BYTES : 0;
	}
	return p->images && p->block ? 0 : STATUS_SYSTEM;
}

int part_writer_begin(struct part_writer *p, const char *path)
{
	TRY(prepare(p));
	p->path = memory_string(path);
	p->damaged = 0;
	if (!p->path)
		return STATUS_SYSTEM;
	return pack_file_begin(&p->file, path, PACK_ENCODED);
}

/* --- a block of images --- */

/* A look at the structure takes less time than waking threads for it. */
static void check_block(struct part_writer *p)
{
	int threads = p->s->check == PACK_DECODED && p->s->threads > 0 ? p->s->threads : 1;

#pragma omp parallel num_threads(threads)
	{
		struct picture scratch = {0};

#pragma omp for schedule(dynamic)
		for (int i = 0; i < p->count; i++) {
			struct part_image *m = &p->images[i];
			const uint8_t *data = p->block + m->at;

			m->status = p->s->check == PACK_DECODED
					    ? picture_decode(&scratch, data, m->size)
					    : picture_inspect(data, m->size);
			if (m->status)
				snprintf(m->message, sizeof(m->message), "%s", error_message());
		}
		free(scratch.pixels);
	}
}

static void damaged(struct part_writer *p, const char *name, const char *message)
{
	char *text = memory_format("%s: %s: %s", p->s->path, name, message);

	p->damaged++;
	p->r->damaged++;
	if (text && p->s->on_damaged)
		p->s->on_damaged(text);
	free(text);
}

static int write_image(struct part_writer *p, const struct part_image *m)
{
	const struct pack_image image = {.data = p->block + m->at,
		.size = m->size,
		.name = m->name,
		.label = m->label,
		.stays = 1};

	if (m->status == STATUS_DATA) {
		damaged(p, m->name, m->message);
		return 0;
	}
	if (m->status)
		return error(m->status, "%s", m->message);
	return pack_file_add(&p->file, &image);
}

static void forget_block(struct part_writer *p)
{
	while (p->count > 0)
		free(p->images[--p->count].name);
	p->used = 0;
}

static int flush(struct part_writer *p)
{
	int status = 0;

	check_block(p);
	for (int i = 0; i < p->count && !status; i++)
		status = write_image(p, &p->images[i]);
	if (!status)
		status = pack_file_flush(&p->file);
	p->r->images += p->count;
	p->r->bytes += (int64_t)p->used;
	forget_block(p);
	if (!status && p->s->on_progress)
		p->s->on_progress(p->s->data, p->r->images);
	return status;
}

static int find_class(struct part_writer *p, const char *name, int32_t *label)
{
	char **grown;

	*label = -1;
	if (!p->labelled)
		return 0;
	/* mostly the class of the image before */
	for (int64_t i = p->class_count; i-- > 0;)
		if (!strcmp(p->classes[i], name)) {
			*label = (int32_t)i;
			return 0;
		}
	grown = memory_grow(p->classes, (size_t)p->class_count + 1, sizeof(*grown));
	if (!grown)
		return STATUS_SYSTEM;
	p->classes = grown;
	p->classes[p->class_count] = memory_string(name);
	if (!p->classes[p->class_count])
		return STATUS_SYSTEM;
	*label = (int32_t)p->class_count++;
	return 0;
}

static int make_room(struct part_writer *p, size_t size)
{
	uint8_t *grown;

	if (p->count == BLOCK_IMAGES || p->used + size > p->room)
		TRY(flush(p));
	if (size <= p->room)
		return 0;
	grown = memory_grow(p->block, size, 1);
	if (!grown)
		return STATUS_SYSTEM;
	p->block = grown;
	p->room = size;
	return 0;
}

int part_writer_add(struct part_writer *p, struct tar *t, const struct tar_member *m,
	const char *name, const char *class_name)
{
	struct part_image *image;

	if (m->size > IMAGE_MAX) {
		damaged(p, name, "not a file of at most 256 MiB");
		return 0;
	}
	TRY(make_room(p, (size_t)m->size));
	image = &p->images[p->count];
	TRY(find_class(p, class_name, &image->label));
	TRY(tar_read(t, p->block + p->used, (size_t)m->size));
	image->name = memory_string(name);
	if (!image->name)
		return STATUS_SYSTEM;
	image->at = p->used;
	image->size = (size_t)m->size;
	p->used += (size_t)m->size;
	p->count++;
	return 0;
}

/* --- the end of a part --- */

static void part_forget(struct part_writer *p)
{
	pack_file_release(&p->file);
	forget_block(p);
	while (p->class_count > 0)
		free(p->classes[--p->class_count]);
	free(p->classes);
	p->classes = NULL;
	free(p->path);
	p->path = NULL;
}

int part_writer_end(struct part_writer *p, const char *made_from, int *whole)
{
	int status = flush(p);

	*whole = !p->damaged || (p->r->damaged <= p->s->skip_damaged && p->file.count);
	if (!status && *whole) {
		status = h5_put_text(p->file.file, "made_from", made_from);
		if (!status)
			status = h5_put_int(p->file.file, "damaged", p->damaged);
		if (!status)
			status = error_context(
				pack_file_end(&p->file, p->class_count, p->classes, NULL), "%s",
				p->path);
	}
	part_forget(p);
	return status;
}

void part_writer_release(struct part_writer *p)
{
	part_forget(p);
	free(p->images);
	free(p->block);
}

static int compare(struct h5 *f, const char *path, const char *made_from, int64_t *damaged_images)
{
	char *text;
	int status;

	if (!h5_has_attribute(f, "made_from"))
		return error(STATUS_DATA, "%s: is no part of an archive: move it away", path);
	TRY(h5_get_text(f, "made_from", &text));
	status = strcmp(text, made_from)
			 ? error(STATUS_DATA,
				   "%s: was made from something else (%.120s; now %.120s): remove "
				   "it, or name another folder by --parts",
				   path, text, made_from)
			 : 0;
	free(text);
	return status ? status : h5_get_int(f, "damaged", damaged_images);
}

int part_kept(const char *path, const char *made_from, struct archive_result *r)
{
	int64_t damaged_images = 0;
	struct h5 *f;
	int status;

	TRY(h5_open(&f, path, "images"));
	status = compare(f, path, made_from, &damaged_images);
	h5_close(&f);
	r->damaged += damaged_images;
	r->parts_kept += !status;
	return status;
}
