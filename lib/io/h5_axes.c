/*
 * Axes as HDF5 dimension scales, written as netCDF expects them, so that h5py and xarray show them
 * by name. The high-level library is not used: it writes uninitialised padding, and so no equal
 * bytes.
 *
 * An axis "sample" is the dataset /sample of that name and length when there is one, else an empty
 * dataset that only gives the name and length. Two lengths under one name: "sample", "sample_2".
 */
#include "lib/io/h5_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AXIS_ONLY "This is a netCDF dimension but not a netCDF variable."

/* Which dataset and which of its axes a scale belongs to, as stored in REFERENCE_LIST. */
struct use {
	hobj_ref_t dataset;
	int32_t dimension;
} __attribute__((packed));

struct scale {
	char name[80];
	int64_t length;
	hid_t id;
	struct use *uses;
	int count;
};

struct scales {
	struct scale *list;
	int count;
};

int h5_is_axis(hid_t dataset)
{
	char name[128] = "";
	hid_t id, type;
	int is = 0;

	if (H5Aexists(dataset, "NAME") <= 0)
		return 0;
	id = H5Aopen(dataset, "NAME", H5P_DEFAULT);
	type = H5Aget_type(id);
	if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
		H5Tget_size(type) < sizeof(name) && H5Aget_storage_size(id) < sizeof(name) &&
		H5Aread(id, type, name) >= 0)
		is = !strncmp(name, AXIS_ONLY, strlen(AXIS_ONLY));
	H5Tclose(type);
	H5Aclose(id);
	return is;
}

static int put_attribute(
	hid_t object, const char *name, hid_t type, int64_t count, const void *data)
{
	hsize_t n = count;
	hid_t space = count < 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &n, NULL);
	hid_t id = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
	int failed = id < 0 || H5Awrite(id, type, data) < 0;

	H5Aclose(id);
	H5Sclose(space);
	return failed;
}

static int put_fixed(hid_t object, const char *name, const char *text)
{
	hid_t type = H5Tcopy(H5T_C_S1);
	int failed = H5Tset_size(type, strlen(text) + 1) < 0 ||
		     put_attribute(object, name, type, -1, text);

	H5Tclose(type);
	return failed;
}

/* A dataset without values. */
static hid_t create_empty(struct h5 *f, const struct scale *s)
{
	hsize_t n = s->length;
	hid_t space = H5Screate_simple(1, &n, NULL), create = H5Pcreate(H5P_DATASET_CREATE);
	hid_t id = -1;

	H5Pset_obj_track_times(create, 0);
	H5Pset_attr_creation_order(create, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
	id = H5Dcreate2(f->file, s->name, H5T_IEEE_F32BE, space, H5P_DEFAULT, create, H5P_DEFAULT);
	H5Pclose(create);
	H5Sclose(space);
	return id;
}

static int open_scale(struct h5 *f, struct scale *s)
{
	struct h5_set *known = h5_known(f, s->name);
	char text[100];
	int failed;

	if (known)
		s->id = H5Dopen2(f->file, s->name, H5P_DEFAULT);
	else
		s->id = create_empty(f, s);
	if (known)
		snprintf(text, sizeof(text), "%s", s->name);
	else
		snprintf(text, sizeof(text), AXIS_ONLY "%10lld", (long long)s->length);
	failed = s->id < 0 || put_fixed(s->id, "CLASS", "DIMENSION_SCALE") ||
		 put_fixed(s->id, "NAME", text);
	return failed ? h5_failed(f, STATUS_IO, "axis %s cannot be written", s->name) : 0;
}

/* 1 when the name is free for a scale of this length. */
static int name_fits(const struct h5 *f, const char *name, int64_t length)
{
	const struct h5_set *s = h5_known(f, name);

	return !s || (s->dims == 1 && s->shape[0] == length && s->type != H5_TEXT);
}

static int find_scale(
	struct h5 *f, struct scales *all, const char *axis, int64_t length, struct scale **found)
{
	struct scale s = {.length = length, .id = -1}, *list;

	for (int n = 1; n < 1000; n++) {
		int taken = 0;

		snprintf(s.name, sizeof(s.name), n > 1 ? "%.60s_%d" : "%.60s", axis, n);
		for (int i = 0; i < all->count && !taken; i++)
			if (!strcmp(all->list[i].name, s.name)) {
				taken = 1;
				if (all->list[i].length == length) {
					*found = &all->list[i];
					return 0;
				}
			}
		if (!taken && name_fits(f, s.name, length))
			break;
	}
	list = memory_grow(all->list, all->count + 1, sizeof(*list));
	if (!list)
		return STATUS_SYSTEM;
	all->list = list;
	*found = &list[all->count++];
	**found = s;
	return open_scale(f, *found);
}

static int add_use(struct h5 *f, struct scale *s, hobj_ref_t dataset, int dimension)
{
	struct use *uses = memory_grow(s->uses, s->count + 1, sizeof(*uses));

	if (!uses)
		return STATUS_SYSTEM;
	s->uses = uses;
	uses[s->count++] = (struct use){dataset, dimension};
	return 0;
}

/* Names the axes of one dataset: its DIMENSION_LIST, and a use of each scale. */
static int attach(struct h5 *f, struct scales *all, struct h5_set *s)
{
	hobj_ref_t own, scale_ref[H5_DIMS];
	hvl_t lists[H5_DIMS];
	const char *labels[H5_DIMS];
	char *axes = memory_string(s->axes), *rest = axes, *word;
	hid_t type;
	int i = 0, status = axes ? 0 : STATUS_SYSTEM;

	if (!status && H5Rcreate(&own, f->file, s->name, H5R_OBJECT, -1) < 0)
		status = h5_failed(f, STATUS_IO, "axes of %s cannot be written", s->name);
	for (; !status && i < s->dims && (word = strsep(&rest, " ")); i++) {
		struct scale *scale = NULL;

		status = find_scale(f, all, word, s->shape[i], &scale);
		if (!status && !strcmp(scale->name, s->name)) { /* it is its own axis */
			free(axes);
			return 0;
		}
		if (!status)
			status = add_use(f, scale, own, i);
		if (!status && H5Rcreate(&scale_ref[i], f->file, scale->name, H5R_OBJECT, -1) < 0)
			status = h5_failed(f, STATUS_IO, "axes of %s cannot be written", s->name);
		lists[i] = (hvl_t){1, &scale_ref[i]};
		labels[i] = word;
	}
	if (!status && (i < s->dims || rest))
		status = h5_error(f, STATUS_BUG, "%s: axes '%s' for %d dimensions", s->name,
			s->axes, s->dims);
	if (!status)
		status = h5_find(f, s->name, &s);
	type = H5Tvlen_create(H5T_STD_REF_OBJ);
	if (!status && (put_attribute(s->id, "DIMENSION_LIST", type, s->dims, lists) ||
			       put_attribute(s->id, "DIMENSION_LABELS", h5_file_type(H5_TEXT),
				       s->dims, labels)))
		status = h5_failed(f, STATUS_IO, "axes of %s cannot be written", s->name);
	free(axes);
	H5Tclose(type);
	return status;
}

static int put_uses(struct h5 *f, struct scale *s)
{
	hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(struct use));
	int failed = type < 0 || H5Tinsert(type, "dataset", 0, H5T_STD_REF_OBJ) < 0 ||
		     H5Tinsert(type, "dimension", sizeof(hobj_ref_t), H5T_STD_I32LE) < 0;

	if (!failed && s->count)
		failed = put_attribute(s->id, "REFERENCE_LIST", type, s->count, s->uses);
	H5Tclose(type);
	return failed ? h5_failed(f, STATUS_IO, "axis %s cannot be written", s->name) : 0;
}

int h5_axes_write(struct h5 *f)
{
	struct scales all = {0};
	int status = 0;

	for (int i = 0; i < f->count && !status; i++)
		if (f->sets[i]->axes && f->sets[i]->dims)
			status = attach(f, &all, f->sets[i]);
	for (int i = 0; i < all.count; i++) {
		if (!status)
			status = put_uses(f, &all.list[i]);
		if (all.list[i].id >= 0)
			H5Dclose(all.list[i].id);
		free(all.list[i].uses);
	}
	free(all.list);
	return status;
}
