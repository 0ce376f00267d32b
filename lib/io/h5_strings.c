/* Datasets of text: one axis, variable length, UTF-8. */
#include "lib/io/h5_internal.h"

#include <stdlib.h>
#include <string.h>
#include "lib/io/utf8.h"

int h5_strings_write(
	struct h5 *f, struct h5_set *s, int64_t from, int64_t count, const char *const *strings)
{
	for (int64_t at = 0, n; at < count; at += n) {
		n = count - at < H5_STRINGS ? count - at : H5_STRINGS;
		TRY(h5_transfer(f, s, 1, from + at, n, (void *)(strings + at)));
		s->filled += n;
		for (int64_t i = at; i < at + n; i++)
			if (!EVP_DigestUpdate(s->sha, strings[i], strlen(strings[i]) + 1))
				return error(STATUS_SYSTEM, "SHA-256 failed in OpenSSL");
		s->next += n;
	}
	return 0;
}

int h5_put_strings(struct h5 *f, const char *name, int64_t count, const char *const *strings)
{
	struct h5_set *s = NULL;

	for (int64_t i = 0; i < count; i++)
		if (!utf8_valid(strings[i]))
			return h5_error(
				f, STATUS_DATA, "%s: text %lld is not UTF-8", name, (long long)i);
	TRY(h5_dataset(f, name, H5_TEXT, 1, &count, NULL));
	TRY(h5_find(f, name, &s));
	return h5_strings_write(f, s, 0, count, strings);
}

/* Texts gathered so far: offsets into one growing block. */
struct gather {
	char *bytes;
	size_t used, room;
	size_t *offset;
};

static int append(struct h5 *f, struct h5_set *s, struct gather *g, int64_t i, const char *text)
{
	size_t n = strlen(text) + 1;

	if (!utf8_valid(text))
		return h5_error(
			f, STATUS_DATA, "%s: text %lld is not UTF-8", s->name, (long long)i);
	if (n > g->room - g->used) {
		size_t room = g->room * 2 + n + 4096;
		char *bytes = memory_grow(g->bytes, room, 1);

		if (!bytes)
			return STATUS_SYSTEM;
		g->bytes = bytes;
		g->room = room;
	}
	g->offset[i] = g->used;
	memcpy(g->bytes + g->used, text, n);
	g->used += n;
	return 0;
}

/* A block of texts of variable length; HDF5 allocates each. */
static int read_variable(
	struct h5 *f, struct h5_set *s, hid_t type, int64_t from, int64_t n, struct gather *g)
{
	hsize_t start = from, count = n;
	char *text[H5_STRINGS] = {0};
	hid_t memory = H5Screate_simple(1, &count, NULL), space = H5Dget_space(s->id);
	int status = 0;

	if (memory < 0 || space < 0 ||
		H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL) < 0 ||
		H5Dread(s->id, type, memory, space, H5P_DEFAULT, text) < 0) {
		status = h5_failed(f, STATUS_DATA, "%s: texts from %lld cannot be read, damaged",
			s->name, (long long)from);
	} else {
		for (int64_t i = 0; i < n && !status; i++)
			status = append(f, s, g, from + i, text[i] ? text[i] : "");
		H5Dvlen_reclaim(type, memory, H5P_DEFAULT, text);
	}
	H5Sclose(memory);
	H5Sclose(space);
	return status;
}

/* The same for texts of fixed length, as other programs write them. */
static int read_fixed(
	struct h5 *f, struct h5_set *s, hid_t type, int64_t from, int64_t n, struct gather *g)
{
	size_t size = H5Tget_size(type);
	hsize_t start = from, count = n;
	hid_t memory = H5Screate_simple(1, &count, NULL), space = H5Dget_space(s->id);
	char *block = memory_new((size_t)n, size), *one = memory_new(1, size + 1);
	int status = block && one ? 0 : STATUS_SYSTEM;

	if (!status &&
		(H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL) < 0 ||
			H5Dread(s->id, type, memory, space, H5P_DEFAULT, block) < 0))
		status = h5_failed(f, STATUS_DATA, "%s: texts from %lld cannot be read, damaged",
			s->name, (long long)from);
	for (int64_t i = 0; i < n && !status; i++) {
		memcpy(one, block + i * size, size);
		if (H5Tget_strpad(type) == H5T_STR_SPACEPAD)
			for (size_t k = strlen(one); k > 0 && one[k - 1] == ' ';)
				one[--k] = 0;
		status = append(f, s, g, from + i, one);
	}
	free(block);
	free(one);
	H5Sclose(memory);
	H5Sclose(space);
	return status;
}

static int read_all(struct h5 *f, struct h5_set *s, struct gather *g)
{
	hid_t type = H5Dget_type(s->id);
	int variable = H5Tis_variable_str(type) > 0, status = 0;
	int64_t count = s->shape[0], step = H5_STRINGS;

	if (!variable && H5Tget_size(type) > 1 << 16)
		status = h5_error(f, STATUS_DATA, "%s: texts longer than 64 KiB", s->name);
	for (int64_t at = 0, n; at < count && !status; at += n) {
		n = count - at < step ? count - at : step;
		status = variable ? read_variable(f, s, type, at, n, g)
				  : read_fixed(f, s, type, at, n, g);
	}
	H5Tclose(type);
	return status;
}

/* One block: pointers, then the texts. */
static int pack(struct gather *g, int64_t count, char ***strings)
{
	size_t head = ((size_t)count + 1) * sizeof(char *);
	char *block = memory_new(1, head + g->used);

	if (!block)
		return STATUS_SYSTEM;
	*strings = (char **)block;
	for (int64_t i = 0; i < count; i++)
		(*strings)[i] = block + head + g->offset[i];
	if (g->used)
		memcpy(block + head, g->bytes, g->used);
	return 0;
}

int h5_get_strings(struct h5 *f, const char *name, int64_t *count, char ***strings)
{
	struct gather g = {0};
	struct h5_set *s = NULL;
	int status;

	*strings = NULL;
	*count = 0;
	TRY(h5_find(f, name, &s));
	if (s->type != H5_TEXT || s->dims != 1)
		return h5_error(f, STATUS_DATA, "%s: one axis of text is needed", name);
	g.offset = memory_new((size_t)s->shape[0], sizeof(*g.offset));
	if (!g.offset)
		return STATUS_SYSTEM;
	status = read_all(f, s, &g);
	if (!status)
		status = pack(&g, s->shape[0], strings);
	if (!status)
		*count = s->shape[0];
	free(g.bytes);
	free(g.offset);
	return status;
}
