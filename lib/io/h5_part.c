/* Blocks of a dataset: a start and a count along every axis. */
#include "lib/io/h5_internal.h"

#include <stdlib.h>
#include <string.h>

static int block_range(struct h5 *f, const struct h5_set *s, int dims, const int64_t *start,
	const int64_t *count, int64_t *values)
{
	*values = 1;
	if (dims != s->dims)
		return h5_error(f, STATUS_DATA, "%s has %d axes, a block of %d asked for", s->name,
			s->dims, dims);
	for (int i = 0; i < dims; i++) {
		if (start[i] < 0 || count[i] < 1 || start[i] > s->shape[i] ||
			count[i] > s->shape[i] - start[i])
			return h5_error(f, STATUS_DATA,
				"%s: axis %d: %lld from %lld of %lld asked for", s->name, i,
				(long long)count[i], (long long)start[i], (long long)s->shape[i]);
		*values *= count[i];
	}
	return 0;
}

static int transfer(struct h5 *f, struct h5_set *s, int write, const int64_t *start,
	const int64_t *count, void *data)
{
	hsize_t from[H5_DIMS], n[H5_DIMS];
	hid_t memory, space, type = h5_file_type(s->type);
	int failed;

	for (int i = 0; i < s->dims; i++) {
		from[i] = start[i];
		n[i] = count[i];
	}
	memory = H5Screate_simple(s->dims, n, NULL);
	space = H5Dget_space(s->id);
	failed = memory < 0 || space < 0 ||
		 H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, n, NULL) < 0 ||
		 (write ? H5Dwrite(s->id, type, memory, space, H5P_DEFAULT, data)
			: H5Dread(s->id, type, memory, space, H5P_DEFAULT, data)) < 0;
	H5Sclose(memory);
	H5Sclose(space);
	if (!failed)
		return 0;
	h5_failed(f, write ? STATUS_IO : STATUS_DATA, "%s: a block cannot be %s", s->name,
		write ? "written" : "read, damaged");
	return write ? f->failed : STATUS_DATA;
}

int h5_read_part(struct h5 *f, const char *name, enum h5_type mem, int dims, const int64_t *start,
	const int64_t *count, void *data)
{
	struct h5_set *s = NULL;
	int64_t values, bad = 0;
	void *buffer;
	int status;

	TRY(h5_find(f, name, &s));
	TRY(block_range(f, s, dims, start, count, &values));
	if (mem == s->type && mem != H5_TEXT)
		return transfer(f, s, 0, start, count, data);
	buffer = memory_new((size_t)values, h5_type_size(s->type));
	if (!buffer)
		return STATUS_SYSTEM;
	status = transfer(f, s, 0, start, count, buffer);
	if (!status && h5_convert(data, mem, buffer, s->type, values, &bad))
		status = h5_error(f, STATUS_DATA, "%s does not become %s (value %lld)", name,
			h5_type_name(mem), (long long)bad);
	free(buffer);
	return status;
}

/* Blocks come in any order: the digest is taken when the file is whole. */
static void count_part(struct h5_set *s, int64_t values)
{
	int64_t row = h5_row_count(s);

	if (s->sha) {
		EVP_MD_CTX_free(s->sha);
		s->sha = NULL;
	}
	s->part += values;
	s->filled += s->part / row;
	s->part %= row;
}

int h5_write_part(struct h5 *f, const char *name, enum h5_type mem, int dims, const int64_t *start,
	const int64_t *count, const void *data)
{
	struct h5_set *s = NULL;
	int64_t values, bad = 0;
	void *buffer;
	int status;

	if (f->failed)
		return f->failed;
	TRY(h5_find(f, name, &s));
	TRY(block_range(f, s, dims, start, count, &values));
	buffer = memory_new((size_t)values, h5_type_size(s->type));
	if (!buffer)
		return STATUS_SYSTEM;
	if (h5_convert(buffer, s->type, data, mem, values, &bad))
		status = h5_error(f, STATUS_DATA, "%s: value %lld does not fit %s", name,
			(long long)bad, h5_type_name(s->type));
	else
		status = transfer(f, s, 1, start, count, buffer);
	free(buffer);
	if (!status)
		count_part(s, values);
	return status;
}
