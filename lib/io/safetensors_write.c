#include "lib/io/safetensors.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct safetensors_writer {
	char *path, *temporary; /* temporary NULL: spooled, and copied to path at the end */
	FILE *f;
	struct safetensors_item *items; /* a copy, sorted */
	int count, next;
};

/* Wider types first, so that everything is aligned; then by name. Types are sorted by width. */
static int by_width(const void *a, const void *b)
{
	const struct safetensors_item *x = a, *y = b;

	if (number_bits(x->type) != number_bits(y->type))
		return number_bits(y->type) - number_bits(x->type);
	return strcmp(x->name, y->name);
}

static int place(struct safetensors_item *items, int count)
{
	int64_t at = 0;

	if (count)
		qsort(items, count, sizeof(*items), by_width);
	for (int i = 0; i < count; i++) {
		struct tensor_view v = {.name = (char *)items[i].name,
			.type = items[i].type,
			.dims = items[i].dims};

		TRY(view_check_name(v.name, strlen(v.name)));
		memcpy(v.shape, items[i].shape, sizeof(v.shape));
		TRY(view_pack(&v));
		if (number_bits(v.type) % 8 ||
			__builtin_mul_overflow(
				v.count, (int64_t)number_bits(v.type) / 8, &items[i].bytes) ||
			__builtin_add_overflow(at, items[i].bytes, &at))
			return error(STATUS_BUG, "tensor '%.200s' cannot be written", v.name);
		items[i].offset = at - items[i].bytes;
	}
	return 0;
}

static json_t *describe(const struct safetensors_item *item)
{
	json_t *shape = json_array();

	for (int i = 0; i < item->dims; i++)
		json_array_append_new(shape, json_integer(item->shape[i]));
	return json_pack("{s:s, s:o, s:[I, I]}", "dtype", number_name(item->type), "shape", shape,
		"data_offsets", (json_int_t)item->offset, (json_int_t)(item->offset + item->bytes));
}

/* malloc'ed, padded with spaces to a multiple of 8. */
static char *header_text(
	const struct safetensors_item *items, int count, const char *const *metadata)
{
	json_t *o = json_object(), *m = json_object();
	char *text, *padded = NULL;
	size_t length;

	for (; metadata && metadata[0]; metadata += 2)
		json_object_set_new(m, metadata[0], json_string(metadata[1]));
	if (json_object_size(m))
		json_object_set(o, "__metadata__", m);
	json_decref(m);
	for (int i = 0; i < count; i++)
		json_object_set_new(o, items[i].name, describe(&items[i]));
	text = json_object_size(o) >= (size_t)count ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (text) {
		length = strlen(text);
		padded = memory_format("%s%*s", text, (int)(-length & 7), "");
	}
	free(text);
	if (!padded)
		error(STATUS_SYSTEM, "out of memory writing a header");
	return padded;
}

/* Standard output, a pipe or a device: the bytes are gathered first. */
static int is_spooled(const char *path)
{
	struct stat st;

	return !strcmp(path, "-") || (!stat(path, &st) && !S_ISREG(st.st_mode));
}

static int open_spool(struct safetensors_writer *w)
{
	char *path;
	int fd;

	TRY(spool_file(&path, &fd));
	unlink(path);
	free(path);
	w->f = fdopen(fd, "w+b");
	if (!w->f)
		close(fd);
	return w->f ? 0 : error(STATUS_SYSTEM, "%s: %s", w->path, strerror(errno));
}

static int open_target(struct safetensors_writer *w)
{
	struct stat st;
	mode_t mask;
	int fd;

	if (is_spooled(w->path)) {
		if (!stat(w->path, &st) && S_ISDIR(st.st_mode))
			return error(STATUS_CANTCREATE, "%s: is a folder", w->path);
		return open_spool(w);
	}
	w->temporary = memory_format("%s.XXXXXX", w->path);
	if (!w->temporary)
		return STATUS_SYSTEM;
	fd = mkstemp(w->temporary);
	if (fd < 0) {
		free(w->temporary);
		w->temporary = NULL;
		return error(
			STATUS_CANTCREATE, "%s: cannot be created: %s", w->path, strerror(errno));
	}
	mask = umask(0);
	umask(mask);
	fchmod(fd, 0666 & ~mask);
	w->f = fdopen(fd, "wb");
	if (!w->f)
		close(fd);
	return w->f ? 0 : error(STATUS_SYSTEM, "%s: %s", w->path, strerror(errno));
}

static int write_bytes(struct safetensors_writer *w, const void *data, size_t bytes)
{
	if (bytes && fwrite(data, 1, bytes, w->f) != bytes)
		return error(STATUS_IO, "%s: cannot be written: %s", w->path, strerror(errno));
	return 0;
}

static int start(struct safetensors_writer *w, const char *const *metadata)
{
	uint64_t length;
	char *text;
	int status;

	TRY(place(w->items, w->count));
	text = header_text(w->items, w->count, metadata);
	if (!text)
		return STATUS_SYSTEM;
	length = strlen(text);
	status = open_target(w);
	if (!status)
		status = write_bytes(w, &length, sizeof(length));
	if (!status)
		status = write_bytes(w, text, length);
	free(text);
	return status;
}

int safetensors_create(struct safetensors_writer **out, const char *path,
	struct safetensors_item *items, int count, const char *const *metadata)
{
	struct safetensors_writer *w = memory_new(1, sizeof(*w));
	int status = STATUS_SYSTEM;

	*out = NULL;
	if (!w)
		return STATUS_SYSTEM;
	w->path = memory_string(path);
	w->items = memory_new(count, sizeof(*items));
	w->count = count;
	if (w->path && w->items) {
		if (count)
			memcpy(w->items, items, count * sizeof(*items));
		status = start(w, metadata);
	}
	if (!status) {
		if (count)
			memcpy(items, w->items, count * sizeof(*items));
		*out = w;
	} else {
		safetensors_abort(&w);
	}
	return status;
}

int safetensors_write(struct safetensors_writer *w, const void *data, int64_t bytes)
{
	if (w->next >= w->count || bytes != w->items[w->next].bytes)
		return error(STATUS_BUG, "%s: a tensor is written out of turn", w->path);
	w->next++;
	return write_bytes(w, data, bytes);
}

/* The spooled bytes to where they belong. */
static int copy_out(struct safetensors_writer *w)
{
	int standard = !strcmp(w->path, "-"), status;
	int fd = standard ? STDOUT_FILENO : open(w->path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return error(STATUS_CANTCREATE, "%s: %s", w->path, strerror(errno));
	status = error_context(
		spool_copy(fileno(w->f), fd), "%s", standard ? "standard output" : w->path);
	if (!standard && close(fd) && !status)
		status = error(STATUS_IO, "%s: cannot be written: %s", w->path, strerror(errno));
	return status;
}

int safetensors_commit(struct safetensors_writer **at)
{
	struct safetensors_writer *w = *at;
	int status = 0;

	if (w->next != w->count)
		status = error(STATUS_BUG, "%s: %d of %d tensors were written", w->path, w->next,
			w->count);
	if (!status && (fflush(w->f) || ferror(w->f) || (w->temporary && fsync(fileno(w->f)))))
		status = error(STATUS_IO, "%s: cannot be written: %s", w->path, strerror(errno));
	if (!status && !w->temporary)
		status = copy_out(w);
	if (!status && w->temporary) {
		if (rename(w->temporary, w->path)) {
			status = error(STATUS_CANTCREATE, "%s: %s", w->path, strerror(errno));
		} else {
			free(w->temporary);
			w->temporary = NULL;
		}
	}
	safetensors_abort(at);
	return status;
}

void safetensors_abort(struct safetensors_writer **at)
{
	struct safetensors_writer *w = *at;

	if (!w)
		return;
	if (w->f)
		fclose(w->f);
	if (w->temporary)
		unlink(w->temporary);
	free(w->temporary);
	free(w->path);
	free(w->items);
	free(w);
	*at = NULL;
}
