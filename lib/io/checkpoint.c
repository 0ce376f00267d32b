#include "lib/io/checkpoint.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/pth.h"
#include "lib/io/safetensors.h"

#include <stdlib.h>
#include <string.h>

#define NOTES 4

struct part {
	char *path;
	struct file_map map;
};

struct checkpoint {
	const char *format;
	struct part *files; /* the checkpoint, or its index followed by its shards */
	int file_count;
	struct tensor_views tensors;
	char *notes[NOTES + 1];
	int note_count;
};

static void note(struct checkpoint *c, char *text)
{
	if (c->note_count < NOTES)
		c->notes[c->note_count++] = text;
	else
		free(text);
}

static int by_tensor(const void *a, const void *b)
{
	return strcmp(
		((const struct shard_name *)a)->tensor, ((const struct shard_name *)b)->tensor);
}

/* The sorted shard holds what the index maps to this file, and nothing else. */
static int check_shard(const struct shard_index *index, const struct tensor_views *shard, int file)
{
	int mapped = 0;

	for (int i = 0; i < index->count; i++) {
		if (index->names[i].file != file)
			continue;
		if (!views_find(shard, index->names[i].tensor))
			return error(STATUS_DATA, "tensor '%.200s' is missing from its shard",
				index->names[i].tensor);
		mapped++;
	}
	for (int i = 0; i < shard->count && mapped != shard->count; i++) {
		struct shard_name key = {shard->items[i].name, 0}, *at;

		at = bsearch(&key, index->names, index->count, sizeof(key), by_tensor);
		if (!at || at->file != file)
			return error(STATUS_DATA,
				"tensor '%.200s' is in a shard where the index does not expect it",
				key.tensor);
	}
	return 0;
}

/* One more file, mapped. */
static int add_file(struct checkpoint *c, char *path, struct part **added)
{
	struct part *files = memory_grow(c->files, c->file_count + 1, sizeof(*files));

	if (!files || !path) {
		c->files = files ? files : c->files;
		free(path);
		return STATUS_SYSTEM;
	}
	c->files = files;
	*added = &files[c->file_count++];
	**added = (struct part){.path = path};
	return file_map_open(&(*added)->map, path);
}

static int read_shard(struct checkpoint *c, const struct shard_index *index, int i)
{
	const char *first = c->files[0].path, *slash = strrchr(first, '/');
	struct tensor_views shard = {0};
	struct part *part;
	int status;

	TRY(add_file(c,
		memory_format(
			"%.*s%s", slash ? (int)(slash + 1 - first) : 0, first, index->files[i]),
		&part));
	status = safetensors_parse(&shard, part->map.data, part->map.size);
	if (!status)
		status = views_sort(&shard);
	if (!status)
		status = check_shard(index, &shard, i);
	error_context(status, "%s", part->path);
	for (int k = 0; k < shard.count && !status; k++)
		status = views_add(&c->tensors, &shard.items[k]);
	views_release(&shard);
	return status;
}

static int64_t view_bytes(const struct tensor_view *v)
{
	return v->count * number_bits(v->type) / 8;
}

static int read_shards(struct checkpoint *c)
{
	struct shard_index index;
	int64_t total = 0;
	int status = 0;

	TRY(shard_index_parse(&index, c->files[0].map.data, c->files[0].map.size));
	c->format = "safetensors shards";
	for (int i = 0; i < index.file_count && !status; i++)
		status = read_shard(c, &index, i);
	for (int i = 0; i < c->tensors.count; i++)
		total += view_bytes(&c->tensors.items[i]);
	if (!status && index.total_size >= 0 && total != index.total_size)
		note(c, memory_format("the index states %lld bytes, its shards hold %lld",
				(long long)index.total_size, (long long)total));
	shard_index_release(&index);
	return status;
}

static int read_pth(struct checkpoint *c, const char *key)
{
	struct pth_found found;

	TRY(pth_parse(&c->tensors, &found, c->files[0].map.data, c->files[0].map.size, key));
	c->format = found.form == PTH_ZIP ? "pth" : "pth (legacy)";
	if (found.key[0])
		note(c, memory_format("tensors are those of '%s'", found.key));
	if (found.stripped)
		note(c, memory_format("'module.' was taken off every name"));
	if (found.foreign)
		note(c, memory_format("%d members of the dict are no tensors", found.foreign));
	return 0;
}

static int read_content(struct checkpoint *c, const char *key)
{
	const unsigned char *data = c->files[0].map.data;
	size_t size = c->files[0].map.size, start = 0;
	int pth = pth_like(data, size) != PTH_NONE;

	if (size >= 8 && !memcmp(data, "\x89HDF\r\n\x1a\n", 8))
		return error(STATUS_DATA, "is HDF5 already, no checkpoint to import");
	if (key && !pth)
		return error(
			STATUS_DATA, "has no dict to take '%.60s' from: only .pth files do", key);
	if (pth)
		return read_pth(c, key);
	while (start < size && start < 64 && strchr(" \t\r\n", data[start]) && data[start])
		start++;
	if (start < size && data[start] == '{' && !safetensors_like(data, size))
		return read_shards(c);
	c->format = "safetensors";
	return safetensors_parse(&c->tensors, data, size);
}

int checkpoint_open(struct checkpoint **out, const char *path, const char *key)
{
	struct checkpoint *c = memory_new(1, sizeof(*c));
	struct part *part;
	int status;

	*out = NULL;
	if (!c)
		return STATUS_SYSTEM;
	status = add_file(c, memory_string(path), &part);
	if (!status) {
		status = read_content(c, key);
		if (!status)
			status = views_sort(&c->tensors);
		/* checksums have read all of it */
		for (int i = 0; i < c->file_count; i++)
			file_map_forget(c->files[i].map.data, c->files[i].map.size);
		error_context(status, "%s", path);
	}
	if (status)
		checkpoint_close(&c);
	*out = c;
	return status;
}

void checkpoint_close(struct checkpoint **at)
{
	struct checkpoint *c = *at;

	if (!c)
		return;
	for (int i = 0; i < c->file_count; i++) {
		file_map_close(&c->files[i].map);
		free(c->files[i].path);
	}
	for (int i = 0; i < c->note_count; i++)
		free(c->notes[i]);
	views_release(&c->tensors);
	free(c->files);
	free(c);
	*at = NULL;
}

const char *checkpoint_path(const struct checkpoint *c)
{
	return c->files[0].path;
}

const char *checkpoint_file(const struct checkpoint *c, int i)
{
	return i < c->file_count ? c->files[i].path : NULL;
}

const char *checkpoint_format(const struct checkpoint *c)
{
	return c->format;
}

const char *checkpoint_note(const struct checkpoint *c, int i)
{
	return i < c->note_count ? c->notes[i] : NULL;
}

int checkpoint_count(const struct checkpoint *c)
{
	return c->tensors.count;
}

const struct tensor_view *checkpoint_at(const struct checkpoint *c, int i)
{
	return &c->tensors.items[i];
}

const struct tensor_view *checkpoint_find(const struct checkpoint *c, const char *name)
{
	return views_find(&c->tensors, name);
}

/* Row-major copy of a view with strides: an odometer over all axes. */
static void gather(const struct tensor_view *v, size_t size, unsigned char *out)
{
	int64_t index[VIEW_DIMS] = {0}, at = 0;

	for (int64_t i = 0; i < v->count; i++) {
		memcpy(out + i * size, v->data + at * (int64_t)size, size);
		for (int d = v->dims - 1; d >= 0; d--) {
			at += v->stride[d];
			if (++index[d] < v->shape[d])
				break;
			at -= v->stride[d] * v->shape[d];
			index[d] = 0;
		}
	}
}

/* A tensor is read once, as a rule. Views may share bytes: they are read again then. */
static void forget(const struct tensor_view *v)
{
	if (v->packed && v->count)
		file_map_forget(v->data, view_bytes(v));
}

int checkpoint_raw(const struct checkpoint *c, const struct tensor_view *v, void *out)
{
	size_t size = number_bits(v->type) / 8;

	if (!v->packed)
		gather(v, size, out);
	else if (v->count)
		memcpy(out, v->data, view_bytes(v));
	forget(v);
	return 0;
}

/* The values in row-major order: the file's own bytes, or a copy in *room (free it). */
static const void *ordered(const struct checkpoint *c, const struct tensor_view *v, void **room)
{
	*room = NULL;
	if (!number_readable(v->type)) {
		error(STATUS_DATA, "%s: tensor '%.200s': values of type %s are not read",
			c->files[0].path, v->name, number_name(v->type));
		return NULL;
	}
	if (v->packed)
		return v->data;
	*room = memory_new(v->count, number_bits(v->type) / 8);
	if (*room)
		checkpoint_raw(c, v, *room);
	return *room;
}

int checkpoint_float(const struct checkpoint *c, const struct tensor_view *v, float *out)
{
	void *room;
	const void *from = ordered(c, v, &room);

	if (!from)
		return number_readable(v->type) ? STATUS_SYSTEM : STATUS_DATA;
	numbers_to_float(v->type, from, v->count, out);
	forget(v);
	free(room);
	return 0;
}

int checkpoint_double(const struct checkpoint *c, const struct tensor_view *v, double *out)
{
	void *room;
	const void *from = ordered(c, v, &room);

	if (!from)
		return number_readable(v->type) ? STATUS_SYSTEM : STATUS_DATA;
	numbers_to_double(v->type, from, v->count, out);
	forget(v);
	free(room);
	return 0;
}
