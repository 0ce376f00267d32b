/* The layout that a dataset was declared with, read back so that another can be like it. */
#include "lib/io/h5_internal.h"

#include <stdlib.h>
#include <string.h>

/* Names of the axes, as h5_axes.c keeps them: "sample token channel"; NULL when there are none. */
static int read_axes(struct h5 *f, const struct h5_set *s, char **axes)
{
	char *label[H5_DIMS] = {0};
	hid_t id, space, type;
	int good;

	*axes = NULL;
	if (H5Aexists(s->id, "DIMENSION_LABELS") <= 0)
		return 0;
	id = H5Aopen(s->id, "DIMENSION_LABELS", H5P_DEFAULT);
	space = H5Aget_space(id);
	type = H5Aget_type(id);
	good = H5Tequal(type, h5_file_type(H5_TEXT)) > 0 &&
	       H5Sget_simple_extent_npoints(space) == s->dims && H5Aread(id, type, label) >= 0;
	for (int i = 0; good && i < s->dims; i++) {
		char *before = *axes;

		good = label[i] && label[i][0] && strlen(label[i]) < 60 && !strchr(label[i], ' ');
		if (good)
			*axes = memory_format(
				"%s%s%s", before ? before : "", before ? " " : "", label[i]);
		good = good && *axes;
		free(before);
		if (!good)
			*axes = NULL;
	}
	if (label[0])
		H5Dvlen_reclaim(type, space, H5P_DEFAULT, label);
	H5Tclose(type);
	H5Sclose(space);
	H5Aclose(id);
	return good ? 0
		    : h5_error(f, STATUS_DATA, "%s: the names of its axes are damaged", s->name);
}

static void read_filters(const struct h5_set *s, struct h5_kept_layout *k)
{
	hid_t create = H5Dget_create_plist(s->id), space = H5Dget_space(s->id);
	hsize_t limit[H5_DIMS] = {0};
	int filters = H5Pget_nfilters(create);

	H5Sget_simple_extent_dims(space, NULL, limit);
	/* an empty one may grow only because HDF5 wants it so */
	k->growing = limit[0] == H5S_UNLIMITED && s->shape[0] > 0;
	for (int i = 0; i < filters; i++) {
		unsigned flags, values[8] = {0};
		size_t n = 8;

		if (H5Pget_filter2(create, (unsigned)i, &flags, &n, values, 0, NULL, NULL) ==
			H5Z_FILTER_DEFLATE)
			k->layout.deflate = values[0] >= 1 && values[0] <= 9 ? (int)values[0] : 1;
	}
	H5Sclose(space);
	H5Pclose(create);
}

/* Rows of a chunk where they were asked for, 0 where every file has what would be chosen. */
static int read_chunk(struct h5 **files, int count, const char *name, struct h5_kept_layout *k)
{
	int chosen = !k->growing;
	int64_t asked = 0;

	for (int i = count - 1; i >= 0; i--) {
		struct h5_set *s = NULL;
		hsize_t chunk[H5_DIMS];

		TRY(h5_find(files[i], name, &s));
		asked = s->chunk[0];
		if (asked > 0) {
			h5_choose_chunk(s, 0, chunk);
			chosen = chosen && (int64_t)chunk[0] == asked;
		}
	}
	k->layout.chunk_rows = chosen ? 0 : asked;
	return 0;
}

int h5_layout_read(struct h5 **files, int count, const char *name, struct h5_kept_layout *k)
{
	struct h5_set *s = NULL;
	int status;

	*k = (struct h5_kept_layout){0};
	TRY(h5_find(files[0], name, &s));
	if (s->type == H5_TEXT || !s->dims)
		return 0;
	read_filters(s, k);
	status = read_axes(files[0], s, &k->axes);
	if (!status && H5Aexists(s->id, "long_name") > 0)
		status = h5_attr_get(files[0], s->id, "long_name", &k->long_name);
	if (!status && H5Aexists(s->id, "units") > 0)
		status = h5_attr_get(files[0], s->id, "units", &k->units);
	if (!status)
		status = read_chunk(files, count, name, k);
	k->layout.axes = k->axes;
	k->layout.long_name = k->long_name;
	k->layout.units = k->units;
	if (status)
		h5_layout_free(k);
	return status;
}

void h5_layout_free(struct h5_kept_layout *k)
{
	free(k->axes);
	free(k->long_name);
	free(k->units);
	*k = (struct h5_kept_layout){0};
}
