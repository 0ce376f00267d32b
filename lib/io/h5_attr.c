/* Attributes: scalar text (variable length, UTF-8), i64 and f64. */
#include "lib/io/h5_internal.h"

#include <stdlib.h>
#include <string.h>
#include "lib/io/utf8.h"

#define ATTR_TEXT_MAX ((size_t)64 << 20)

static int put(struct h5 *f, hid_t object, const char *name, hid_t type, const void *value)
{
	hid_t space = -1, create = -1, id = -1;
	int good = 0;

	if (!f->writer)
		return error(STATUS_BUG, "%s: attribute %s written to a reader", f->path, name);
	if (H5Aexists(object, name) > 0)
		H5Adelete(object, name);
	space = H5Screate(H5S_SCALAR);
	create = H5Pcreate(H5P_ATTRIBUTE_CREATE);
	if (create >= 0 && H5Pset_char_encoding(create, H5T_CSET_UTF8) >= 0)
		id = H5Acreate2(object, name, type, space, create, H5P_DEFAULT);
	if (id >= 0)
		good = H5Awrite(id, type, value) >= 0;
	if (!good)
		h5_failed(f, STATUS_IO, "attribute %s cannot be written", name);
	H5Aclose(id);
	H5Pclose(create);
	H5Sclose(space);
	return good ? 0 : f->failed;
}

int h5_attr_put(struct h5 *f, hid_t object, const char *name, const char *text)
{
	if (!utf8_valid(text))
		return h5_error(f, STATUS_DATA, "attribute %s: not UTF-8", name);
	return put(f, object, name, h5_file_type(H5_TEXT), &text);
}

int h5_put_text(struct h5 *f, const char *name, const char *text)
{
	return h5_attr_put(f, f->file, name, text);
}

int h5_put_int(struct h5 *f, const char *name, int64_t value)
{
	return put(f, f->file, name, H5T_STD_I64LE, &value);
}

int h5_put_real(struct h5 *f, const char *name, double value)
{
	return put(f, f->file, name, H5T_IEEE_F64LE, &value);
}

int h5_has_attribute(struct h5 *f, const char *name)
{
	return H5Aexists(f->file, name) > 0;
}

/* Opens an attribute that holds one value. */
static int get(struct h5 *f, hid_t object, const char *name, hid_t *id, hid_t *type)
{
	hid_t space;
	hssize_t count;

	*type = -1;
	if (H5Aexists(object, name) <= 0)
		return h5_error(f, STATUS_DATA, "lacks the attribute %s", name);
	*id = H5Aopen(object, name, H5P_DEFAULT);
	if (*id < 0)
		return h5_failed(f, STATUS_DATA, "attribute %s is damaged", name);
	space = H5Aget_space(*id);
	count = H5Sget_simple_extent_npoints(space);
	H5Sclose(space);
	*type = H5Aget_type(*id);
	if (count == 1 && *type >= 0)
		return 0;
	H5Tclose(*type);
	H5Aclose(*id);
	return h5_error(f, STATUS_DATA, "attribute %s should be one value", name);
}

/* Also text of fixed length, as MATLAB and older h5py write it. */
static int read_text(hid_t id, hid_t type, char **text)
{
	size_t size = H5Tget_size(type);
	char *p = NULL;
	int variable = H5Tis_variable_str(type) > 0;

	if (H5Tget_class(type) != H5T_STRING || (!variable && size > ATTR_TEXT_MAX))
		return -1;
	if (variable) {
		hid_t memory = h5_file_type(H5_TEXT);

		/* HDF5 converts between variable strings of one character set only */
		if (H5Tget_cset(type) == H5T_CSET_ASCII) {
			memory = H5Tcopy(H5T_C_S1);
			H5Tset_size(memory, H5T_VARIABLE);
		}
		if (H5Aread(id, memory, &p) >= 0)
			*text = strdup(p ? p : "");
		if (p)
			H5free_memory(p);
		if (memory != h5_file_type(H5_TEXT))
			H5Tclose(memory);
		return *text ? 0 : -1;
	}
	*text = calloc(1, size + 1);
	if (!*text || H5Aread(id, type, *text) < 0)
		return -1;
	if (H5Tget_strpad(type) == H5T_STR_SPACEPAD)
		for (size_t n = strlen(*text); n > 0 && (*text)[n - 1] == ' ';)
			(*text)[--n] = 0;
	return 0;
}

int h5_attr_get(struct h5 *f, hid_t object, const char *name, char **text)
{
	hid_t id = -1, type = -1;
	int failed;

	*text = NULL;
	TRY(get(f, object, name, &id, &type));
	failed = read_text(id, type, text) || !utf8_valid(*text);
	H5Tclose(type);
	H5Aclose(id);
	if (!failed)
		return 0;
	free(*text);
	*text = NULL;
	return h5_error(f, STATUS_DATA, "attribute %s is no UTF-8 text, or damaged", name);
}

int h5_get_text(struct h5 *f, const char *name, char **text)
{
	return h5_attr_get(f, f->file, name, text);
}

int h5_get_int(struct h5 *f, const char *name, int64_t *value)
{
	hid_t id = -1, type = -1;
	int good;

	TRY(get(f, f->file, name, &id, &type));
	good = H5Tget_class(type) == H5T_INTEGER && H5Tget_size(type) <= 8 &&
	       !(H5Tget_size(type) == 8 && H5Tget_sign(type) == H5T_SGN_NONE) &&
	       H5Aread(id, H5T_NATIVE_INT64, value) >= 0;
	H5Tclose(type);
	H5Aclose(id);
	return good ? 0 : h5_error(f, STATUS_DATA, "attribute %s is no integer, or damaged", name);
}

int h5_get_real(struct h5 *f, const char *name, double *value)
{
	hid_t id = -1, type = -1;
	int good;

	TRY(get(f, f->file, name, &id, &type));
	good = H5Tget_class(type) == H5T_FLOAT && H5Tget_size(type) <= 8 &&
	       H5Aread(id, H5T_NATIVE_DOUBLE, value) >= 0;
	H5Tclose(type);
	H5Aclose(id);
	return good ? 0 : h5_error(f, STATUS_DATA, "attribute %s is no number, or damaged", name);
}
