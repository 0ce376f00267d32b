/* Datasets: finding, declaring, opening and closing. */
#include "lib/io/h5_internal.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct h5_set *)a)->name, ((const struct h5_set *)b)->name);
}

struct h5_set *h5_known(const struct h5 *f, const char *name)
{
	struct h5_set key = {.name = (char *)name};
	void *node = tfind(&key, &f->tree, by_name);

	return node ? *(struct h5_set **)node : NULL;
}

static void free_set(struct h5_set *s)
{
	free(s->name);
	free(s->axes);
	EVP_MD_CTX_free(s->sha);
	free(s);
}

int h5_add(struct h5 *f, const char *name, struct h5_set **set)
{
	struct h5_set *s = memory_new(1, sizeof(*s));

	if (!s)
		return STATUS_SYSTEM;
	s->id = -1;
	s->name = memory_string(name);
	if (s->name && f->count == f->room) {
		int room = f->room * 2 + 64;
		struct h5_set **sets = memory_grow(f->sets, room, sizeof(*sets));

		if (!sets) {
			free_set(s);
			return STATUS_SYSTEM;
		}
		f->sets = sets;
		f->room = room;
	}
	if (!s->name || !tsearch(s, &f->tree, by_name)) {
		free_set(s);
		return error(STATUS_SYSTEM, "out of memory");
	}
	f->sets[f->count++] = s;
	*set = s;
	return 0;
}

static void keep(void *node)
{
}

void h5_sets_free(struct h5 *f)
{
	tdestroy(f->tree, keep);
	f->tree = NULL;
	for (int i = 0; i < f->count; i++) {
		if (f->sets[i]->id >= 0)
			H5Dclose(f->sets[i]->id);
		free_set(f->sets[i]);
	}
	free(f->sets);
	f->sets = NULL;
	f->count = f->room = f->open = 0;
}

int h5_set_close(struct h5 *f, struct h5_set *s)
{
	hid_t id = s->id;

	if (id < 0)
		return 0;
	/* a writer's chunks leave the cache here */
	if (f->writer && H5Dflush(id) < 0)
		return h5_failed(f, STATUS_IO, "%s cannot be written", s->name);
	s->id = -1;
	f->open--;
	if (H5Dclose(id) < 0)
		return h5_failed(
			f, f->writer ? STATUS_IO : STATUS_DATA, "%s cannot be closed", s->name);
	return 0;
}

int h5_make_room(struct h5 *f)
{
	struct h5_set *oldest = NULL;

	if (f->open < H5_OPEN)
		return 0;
	for (int i = 0; i < f->count; i++)
		if (f->sets[i]->id >= 0 && (!oldest || f->sets[i]->used < oldest->used))
			oldest = f->sets[i];
	return oldest ? h5_set_close(f, oldest) : 0;
}

/* Four chunks, at least 1 MiB; chunks that were used up go first. */
hid_t h5_access(int64_t chunk_bytes)
{
	hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
	size_t bytes = (size_t)(4 * chunk_bytes > H5_BLOCK ? 4 * chunk_bytes : H5_BLOCK);

	if (access >= 0)
		H5Pset_chunk_cache(access, 521, bytes, 1.0);
	return access;
}

int64_t h5_row_count(const struct h5_set *s)
{
	int64_t n = 1;

	for (int i = 1; i < s->dims; i++)
		n *= s->shape[i];
	return n;
}

const char *h5_shape_text(int dims, const int64_t *shape, char text[200])
{
	int used = snprintf(text, 200, "(");

	for (int i = 0; i < dims; i++)
		used += snprintf(
			text + used, 200 - used, i ? ",%lld" : "%lld", (long long)shape[i]);
	snprintf(text + used, 200 - used, ")");
	return text;
}

/* Sizes as the file claims them: dims, no overflow, not more than deflate could have packed. */
static int claimed_shape(struct h5 *f, struct h5_set *s, hid_t id)
{
	hsize_t shape[H5_DIMS];
	hid_t space = H5Dget_space(id);
	int64_t bytes = s->type == H5_TEXT ? 16 : h5_type_size(s->type);
	int dims = H5Sget_simple_extent_ndims(space), good = dims >= 0 && dims <= H5_DIMS;

	good = good && H5Sget_simple_extent_type(space) != H5S_NULL &&
	       H5Sget_simple_extent_dims(space, shape, NULL) == dims;
	H5Sclose(space);
	s->dims = dims;
	for (int i = 0; good && i < dims; i++) {
		s->shape[i] = (int64_t)shape[i];
		good = shape[i] < (hsize_t)1 << 60 &&
		       !__builtin_mul_overflow(bytes, shape[i] ? (int64_t)shape[i] : 1, &bytes);
	}
	if (!good)
		return h5_error(
			f, STATUS_DATA, "%s: more dimensions or values than possible", s->name);
	if (!f->writer && bytes / 1100 > f->size)
		return h5_error(f, STATUS_DATA, "%s: claims %lld MiB in a file of %lld: damaged",
			s->name, (long long)(bytes >> 20), (long long)(f->size >> 20));
	return 0;
}

/* Chunks of at most 1 GiB, and of this file alone. */
static int claimed_layout(struct h5 *f, struct h5_set *s, hid_t id, int64_t *chunk_bytes)
{
	hid_t create = H5Dget_create_plist(id);
	H5D_layout_t layout = H5Pget_layout(create);
	hsize_t chunk[H5_DIMS];
	double bytes = h5_type_size(s->type);
	int external = H5Pget_external_count(create), dims = 0;

	if (layout == H5D_CHUNKED)
		dims = H5Pget_chunk(create, H5_DIMS, chunk);
	H5Pclose(create);
	for (int i = 0; i < dims; i++) {
		bytes *= (double)chunk[i];
		s->chunk[i] = (int64_t)chunk[i];
	}
	if (external != 0 || layout == H5D_VIRTUAL || layout < 0)
		return h5_error(f, STATUS_DATA, "%s: its values lie in another file", s->name);
	if (dims < 0 || !(bytes <= 1 << 30) || bytes / 1100 > (double)f->size + (1 << 20))
		return h5_error(
			f, STATUS_DATA, "%s: chunks of %.3g bytes: damaged", s->name, bytes);
	*chunk_bytes = dims ? (int64_t)bytes : 0;
	return 0;
}

static int examine(struct h5 *f, struct h5_set *s, hid_t id, int64_t *chunk_bytes)
{
	hid_t type = H5Dget_type(id);
	int ours = type >= 0 && h5_type_of(type, &s->type) == 0;

	H5Tclose(type);
	if (!ours)
		return h5_error(f, STATUS_DATA,
			"%s: has a type that is not read here (f16, bf16, f32, f64, i32, i64, u8, "
			"u64 and text are)",
			s->name);
	TRY(claimed_shape(f, s, id));
	return claimed_layout(f, s, id, chunk_bytes);
}

static int open_set(struct h5 *f, struct h5_set *s)
{
	int64_t chunk_bytes = 0;
	hid_t access, id;
	int status = 0;

	TRY(h5_make_room(f));
	id = H5Dopen2(f->file, s->name, H5P_DEFAULT);
	if (id < 0)
		return h5_failed(f, STATUS_DATA, "%s cannot be opened", s->name);
	status = examine(f, s, id, &chunk_bytes);
	if (!status && 4 * chunk_bytes > H5_BLOCK) { /* again, with room for its chunks */
		H5Dclose(id);
		access = h5_access(chunk_bytes);
		id = H5Dopen2(f->file, s->name, access);
		H5Pclose(access);
		if (id < 0)
			return h5_failed(f, STATUS_DATA, "%s cannot be opened", s->name);
	}
	if (status) {
		H5Dclose(id);
		return status;
	}
	s->id = id;
	f->open++;
	return 0;
}

/* A dataset of the root reached by a hard link. */
static int is_dataset(struct h5 *f, const char *name)
{
	H5L_info_t link;
	H5O_info_t object;

	return h5_name_valid(name) && H5Lexists(f->file, name, H5P_DEFAULT) > 0 &&
	       H5Lget_info(f->file, name, &link, H5P_DEFAULT) >= 0 && link.type == H5L_TYPE_HARD &&
	       H5Oget_info_by_name1(f->file, name, &object, H5P_DEFAULT) >= 0 &&
	       object.type == H5O_TYPE_DATASET;
}

int h5_find(struct h5 *f, const char *name, struct h5_set **set)
{
	struct h5_set *s = h5_known(f, name);

	if (!s) {
		if (f->writer || !is_dataset(f, name))
			return h5_error(f, STATUS_DATA, "holds no %s", name);
		TRY(h5_add(f, name, &s));
	}
	if (s->id < 0)
		TRY(open_set(f, s));
	s->used = ++f->clock;
	*set = s;
	return 0;
}

int h5_has(struct h5 *f, const char *name)
{
	return h5_known(f, name) != NULL || (!f->writer && is_dataset(f, name));
}

int h5_shape(struct h5 *f, const char *name, enum h5_type *type, int *dims, int64_t *shape)
{
	struct h5_set *s = NULL;
	int status = h5_find(f, name, &s);

	if (!s)
		return status;
	*type = s->type;
	*dims = s->dims;
	memset(shape, 0, H5_DIMS * sizeof(*shape));
	memcpy(shape, s->shape, s->dims * sizeof(*shape));
	return 0;
}

int64_t h5_chunk_rows(hid_t dataset)
{
	hid_t create = H5Dget_create_plist(dataset);
	hsize_t chunk[H5_DIMS] = {1};

	if (H5Pget_layout(create) == H5D_CHUNKED)
		H5Pget_chunk(create, H5_DIMS, chunk);
	H5Pclose(create);
	return (int64_t)chunk[0];
}
