/* Rows in and out, converted block by block. */
#include "lib/io/h5_internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/*
 * A chunk of less than four bytes has no room for its Fletcher32: HDF5 would read what lies before
 * it in memory.
 */
static int check_chunks(struct h5 *f, const struct h5_set *s, int64_t from, int64_t rows)
{
	hsize_t at[H5_DIMS] = {(hsize_t)(from / s->chunk[0] * s->chunk[0])}, bytes;
	int i;

	do {
		if (H5Dget_chunk_storage_size(s->id, at, &bytes) < 0 || (bytes && bytes < 4))
			return h5_error(f, STATUS_DATA, "%s: a chunk at row %lld is damaged",
				s->name, (long long)at[0]);
		for (i = s->dims - 1; i >= 0; i--) {
			at[i] += (hsize_t)s->chunk[i];
			if ((int64_t)at[i] < (i ? s->shape[i] : from + rows))
				break;
			at[i] = 0;
		}
	} while (i >= 0);
	return 0;
}

/* Rows between the file and memory of the file's own type. */
int h5_transfer(struct h5 *f, struct h5_set *s, int write, int64_t from, int64_t rows, void *data)
{
	hsize_t start[H5_DIMS] = {0}, count[H5_DIMS];
	hid_t type = h5_file_type(s->type), memory = H5S_ALL, space = H5S_ALL;
	int failed = 0;

	if (!f->writer && s->chunk[0] > 0)
		TRY(check_chunks(f, s, from, rows));
	if (s->dims) {
		for (int i = 0; i < s->dims; i++)
			count[i] = s->shape[i];
		start[0] = from;
		count[0] = rows;
		memory = H5Screate_simple(s->dims, count, NULL);
		space = H5Dget_space(s->id);
		failed = memory < 0 || space < 0 ||
			 H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0;
	}
	if (!failed)
		failed = (write ? H5Dwrite(s->id, type, memory, space, H5P_DEFAULT, data)
				: H5Dread(s->id, type, memory, space, H5P_DEFAULT, data)) < 0;
	if (failed)
		h5_failed(f, write ? STATUS_IO : STATUS_DATA,
			write ? "%s: rows from %lld cannot be written"
			      : "%s: rows from %lld cannot be read, damaged",
			s->name, (long long)from);
	if (s->dims) {
		H5Sclose(memory);
		H5Sclose(space);
	}
	return !failed ? 0 : write ? f->failed : STATUS_DATA;
}

static int grow(struct h5 *f, struct h5_set *s, int64_t rows)
{
	hsize_t shape[H5_DIMS];

	if (rows <= s->shape[0])
		return 0;
	for (int i = 0; i < s->dims; i++)
		shape[i] = s->shape[i];
	shape[0] = rows;
	if (H5Dset_extent(s->id, shape) < 0)
		return h5_failed(
			f, STATUS_IO, "%s cannot grow to %lld rows", s->name, (long long)rows);
	s->shape[0] = rows;
	return 0;
}

static int range(struct h5 *f, const struct h5_set *s, int64_t from, int64_t rows)
{
	int64_t end = s->dims ? s->shape[0] : 1;

	if (from < 0 || rows < 0 || from > end || rows > end - from)
		return h5_error(f, STATUS_DATA, "%s: rows %lld to %lld of %lld asked for", s->name,
			(long long)from, (long long)from + rows - 1, (long long)end);
	return 0;
}

static int refuse(struct h5 *f, const struct h5_set *s, enum h5_type mem, int why, int64_t bad)
{
	if (why == -2)
		return h5_error(f, STATUS_DATA, "%s is %s, which does not become %s", s->name,
			h5_type_name(s->type), h5_type_name(mem));
	return h5_error(f, STATUS_DATA, "%s: value %lld does not fit %s", s->name, (long long)bad,
		h5_type_name(f->writer ? s->type : mem));
}

/* One block of rows through a buffer of the file's type. */
static int convert_block(struct h5 *f, struct h5_set *s, enum h5_type mem, int write, int64_t from,
	int64_t rows, char *data, void *buffer)
{
	int64_t count = rows * h5_row_count(s), bad = 0;
	int why;

	if (!write)
		TRY(h5_transfer(f, s, 0, from, rows, buffer));
	why = write ? h5_convert(buffer, s->type, data, mem, count, &bad)
		    : h5_convert(data, mem, buffer, s->type, count, &bad);
	if (why)
		return refuse(f, s, mem, why, bad + from * h5_row_count(s));
	if (!write)
		return 0;
	TRY(h5_transfer(f, s, 1, from, rows, buffer));
	return h5_digest_add(f, s, from, rows, buffer, (size_t)count * h5_type_size(s->type));
}

static int convert_rows(struct h5 *f, struct h5_set *s, enum h5_type mem, int write, int64_t from,
	int64_t rows, char *data)
{
	int64_t row = h5_row_count(s), row_bytes = row * (int64_t)h5_type_size(s->type);
	int64_t step = row_bytes && H5_BLOCK / row_bytes > 0 ? H5_BLOCK / row_bytes : 1, n;
	void *buffer;
	int status = 0;

	if (step > rows)
		step = rows;
	buffer = memory_new((size_t)step, (size_t)row_bytes);
	if (!buffer)
		return STATUS_SYSTEM;
	for (int64_t at = 0; at < rows && !status; at += n) {
		n = rows - at < step ? rows - at : step;
		status = convert_block(f, s, mem, write, from + at, n,
			data + at * row * (int64_t)h5_type_size(mem), buffer);
	}
	free(buffer);
	return status;
}

static int numbers(struct h5 *f, const struct h5_set *s, enum h5_type mem)
{
	if (s->type == H5_TEXT || mem == H5_TEXT)
		return refuse(f, s, mem, -2, 0);
	return 0;
}

/*
 * --- long rows: beside their writing runs their digest, which takes as long, and the system is
 * asked to begin with putting on disk what came before, which h5_commit would else wait for ---
 */

#define DIGEST_BESIDE ((size_t)1 << 20)

struct digest {
	struct h5 *f;
	int fd; /* of a file in its place, or -1 */
	struct h5_set *s;
	int64_t from, rows;
	const void *data;
	size_t bytes;
	int status;
};

static void *digest_run(void *with)
{
	struct digest *d = with;

	if (d->fd >= 0)
		sync_file_range(d->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	d->status = h5_digest_add(d->f, d->s, d->from, d->rows, d->data, d->bytes);
	return NULL;
}

static int descriptor(const struct h5 *f)
{
	void *handle = NULL;

	if (!f->temp || H5Fget_vfd_handle(f->file, H5P_DEFAULT, &handle) < 0 || !handle)
		return -1;
	return *(int *)handle;
}

static int write_digested(
	struct h5 *f, struct h5_set *s, int64_t from, int64_t rows, const void *data)
{
	struct digest d = {.f = f, .s = s, .from = from, .rows = rows, .data = data};
	pthread_t beside;
	int status, apart;

	d.bytes = (size_t)(rows * h5_row_count(s)) * h5_type_size(s->type);
	d.fd = d.bytes >= DIGEST_BESIDE ? descriptor(f) : -1;
	apart = d.bytes >= DIGEST_BESIDE && !pthread_create(&beside, NULL, digest_run, &d);
	status = h5_transfer(f, s, 1, from, rows, (void *)data);
	if (apart)
		pthread_join(beside, NULL);
	else if (!status)
		digest_run(&d);
	if (!status && d.status)
		return error(d.status, "SHA-256 failed in OpenSSL");
	return status;
}

int h5_write(struct h5 *f, const char *name, enum h5_type mem, int64_t from, int64_t rows,
	const void *data)
{
	struct h5_set *s = NULL;

	if (f->failed)
		return f->failed;
	if (!f->writer)
		return h5_error(f, STATUS_BUG, "%s: written to a reader", name);
	TRY(h5_find(f, name, &s));
	TRY(numbers(f, s, mem));
	if (s->growing && from >= 0 && rows >= 0 && from <= INT64_MAX / 16 - rows)
		TRY(grow(f, s, from + rows));
	TRY(range(f, s, from, rows));
	if (rows == 0 || h5_row_count(s) == 0) {
		s->filled += rows;
		return 0;
	}
	if (mem != s->type)
		return convert_rows(f, s, mem, 1, from, rows, (char *)data);
	return write_digested(f, s, from, rows, data);
}

int h5_read(
	struct h5 *f, const char *name, enum h5_type mem, int64_t from, int64_t rows, void *data)
{
	struct h5_set *s = NULL;

	TRY(h5_find(f, name, &s));
	TRY(numbers(f, s, mem));
	TRY(range(f, s, from, rows));
	if (rows == 0 || h5_row_count(s) == 0)
		return 0;
	if (mem != s->type)
		return convert_rows(f, s, mem, 0, from, rows, data);
	return h5_transfer(f, s, 0, from, rows, data);
}

int h5_put(struct h5 *f, const char *name, enum h5_type type, int dims, const int64_t *shape,
	const void *data)
{
	TRY(h5_dataset(f, name, type, dims, shape, NULL));
	return h5_write(f, name, type, 0, dims ? shape[0] : 1, data);
}

int h5_get(struct h5 *f, const char *name, enum h5_type mem, int dims, const int64_t *shape,
	void *data)
{
	char has[200], needed[200];
	struct h5_set *s = NULL;
	int equal;

	TRY(h5_find(f, name, &s));
	equal = s->dims == dims;
	for (int i = 0; equal && i < dims; i++)
		equal = shape[i] == -1 || shape[i] == s->shape[i];
	if (!equal)
		return h5_error(f, STATUS_DATA, "%s is %s, %s needed", name,
			h5_shape_text(s->dims, s->shape, has), h5_shape_text(dims, shape, needed));
	return h5_read(f, name, mem, 0, dims ? s->shape[0] : 1, data);
}
