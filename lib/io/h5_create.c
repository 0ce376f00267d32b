/* Declaring a dataset: layout, filters, attributes. */
#include "lib/io/h5_internal.h"

#include <stdlib.h>
#include <string.h>

/*
 * Whole rows, about 1 MiB (a growing dataset: 256 KiB, so that a short one does not waste much),
 * in chunks as equal as they can be; rows beyond 8 MiB are divided too.
 */
void h5_choose_chunk(const struct h5_set *s, int64_t rows, hsize_t *chunk)
{
	int64_t bytes = h5_type_size(s->type);
	int64_t target = s->growing ? H5_BLOCK / 4 : H5_BLOCK;

	for (int i = 0; i < s->dims; i++) {
		chunk[i] = s->shape[i] > 0 ? s->shape[i] : 1;
		if (i > 0)
			bytes *= (int64_t)chunk[i];
	}
	if (rows <= 0) {
		rows = target / bytes > 0 ? target / bytes : 1;
		if (!s->growing && rows < s->shape[0]) {
			int64_t chunks = (s->shape[0] + rows - 1) / rows;

			rows = (s->shape[0] + chunks - 1) / chunks;
		}
	}
	if (s->growing || rows < (int64_t)chunk[0])
		chunk[0] = rows;
	for (int i = 1; i < s->dims && chunk[0] == 1 && bytes > 8 * H5_BLOCK; i++) {
		int64_t one = bytes / (int64_t)chunk[i];
		int64_t keep = one >= H5_BLOCK ? 1 : H5_BLOCK / one;

		bytes = one * keep;
		chunk[i] = keep;
	}
}

static int check(struct h5 *f, const char *name, enum h5_type type, int dims, const int64_t *shape)
{
	int64_t bytes = 16;

	if (!f->writer || dims < 0 || dims > H5_DIMS || h5_known(f, name))
		return h5_error(f, STATUS_BUG, "%s: declared twice, or badly", name);
	if (!h5_name_valid(name))
		return h5_error(f, STATUS_DATA, "'%.100s' cannot be the name of a tensor", name);
	for (int i = 0; i < dims; i++)
		if (shape[i] < (i ? 0 : -1) ||
			__builtin_mul_overflow(bytes, shape[i] > 1 ? shape[i] : 1, &bytes))
			return h5_error(f, STATUS_DATA, "%s: impossible shape", name);
	return 0;
}

static hid_t make_space(const struct h5_set *s)
{
	hsize_t now[H5_DIMS], limit[H5_DIMS];

	if (s->dims == 0)
		return H5Screate(H5S_SCALAR);
	for (int i = 0; i < s->dims; i++) {
		now[i] = limit[i] = s->shape[i];
		/* HDF5 wants chunks no longer than a fixed axis: an empty one may grow */
		if (s->shape[i] == 0 && s->type != H5_TEXT)
			limit[i] = H5S_UNLIMITED;
	}
	return H5Screate_simple(s->dims, now, limit);
}

/*
 * A scalar cannot have chunks, and HDF5 refuses filters on text: these have no checksum of their
 * own, the content hash guards them.
 */
static hid_t make_properties(
	const struct h5_set *s, const struct h5_layout *layout, const hsize_t *chunk)
{
	hid_t p = H5Pcreate(H5P_DATASET_CREATE);
	int good =
		p >= 0 && H5Pset_obj_track_times(p, 0) >= 0 &&
		H5Pset_attr_creation_order(p, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) >= 0;

	if (good && s->dims && s->type != H5_TEXT) {
		good = H5Pset_chunk(p, s->dims, chunk) >= 0;
		if (good && layout->deflate)
			good = H5Pset_shuffle(p) >= 0 && H5Pset_deflate(p, layout->deflate) >= 0;
		good = good && H5Pset_fletcher32(p) >= 0;
	}
	if (!good) {
		H5Pclose(p);
		return -1;
	}
	return p;
}

static int create(struct h5 *f, struct h5_set *s, const struct h5_layout *layout)
{
	hsize_t chunk[H5_DIMS] = {1};
	int64_t bytes = h5_type_size(s->type);
	hid_t space, properties, access, links;

	if (s->dims && s->type != H5_TEXT)
		h5_choose_chunk(s, layout->chunk_rows, chunk);
	for (int i = 0; i < s->dims && s->type != H5_TEXT; i++)
		bytes *= (int64_t)chunk[i];
	space = make_space(s);
	properties = make_properties(s, layout, chunk);
	access = h5_access(bytes);
	links = H5Pcreate(H5P_LINK_CREATE);
	H5Pset_char_encoding(links, H5T_CSET_UTF8);
	s->id = H5Dcreate2(
		f->file, s->name, h5_file_type(s->type), space, links, properties, access);
	/* before the calls that follow clear HDF5's reasons */
	if (s->id < 0)
		h5_failed(f, STATUS_IO, "%s cannot be created", s->name);
	H5Pclose(links);
	H5Pclose(access);
	H5Pclose(properties);
	H5Sclose(space);
	if (s->id < 0)
		return f->failed;
	f->open++;
	if (layout->long_name)
		TRY(h5_attr_put(f, s->id, "long_name", layout->long_name));
	if (layout->units)
		TRY(h5_attr_put(f, s->id, "units", layout->units));
	return 0;
}

int h5_dataset(struct h5 *f, const char *name, enum h5_type type, int dims, const int64_t *shape,
	const struct h5_layout *layout)
{
	static const struct h5_layout plain;
	struct h5_set *s = NULL;

	TRY(check(f, name, type, dims, shape));
	TRY(h5_make_room(f));
	TRY(h5_add(f, name, &s));
	s->type = type;
	s->dims = dims;
	s->used = ++f->clock;
	for (int i = 0; i < dims; i++)
		s->shape[i] = shape[i];
	if (dims && shape[0] < 0) {
		s->growing = 1;
		s->shape[0] = 0;
	}
	if (layout && layout->axes && !(s->axes = memory_string(layout->axes)))
		return STATUS_SYSTEM;
	s->sha = EVP_MD_CTX_new();
	if (!s->sha || !EVP_DigestInit_ex(s->sha, EVP_sha256(), NULL))
		return error(STATUS_SYSTEM, "SHA-256 is not to be had from OpenSSL");
	return create(f, s, layout ? layout : &plain);
}
