#include "lib/data/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/data/decode.h"

static int shape_is(
	struct dataset *d, const char *name, enum h5_type type, int dims, int64_t shape[H5_DIMS])
{
	enum h5_type have;
	int have_dims;

	TRY(h5_shape(d->file, name, &have, &have_dims, shape));
	if (have != type || have_dims != dims)
		return error(STATUS_DATA, "%s: %s is %s with %d axes, not %s with %d",
			h5_path(d->file), name, h5_type_name(have), have_dims, h5_type_name(type),
			dims);
	return 0;
}

static int open_pixels(struct dataset *d, size_t cache_bytes)
{
	int64_t shape[H5_DIMS];

	TRY(shape_is(d, "pixels", H5_U8, 4, shape));
	if (shape[1] < 1 || shape[2] < 1 || shape[3] != 3 || shape[1] > PICTURE_SIDE_MAX ||
		shape[2] > PICTURE_SIDE_MAX || shape[1] * shape[2] > PICTURE_PIXELS_MAX)
		return error(STATUS_DATA, "%s: pixels are not (images, height, width, 3)",
			h5_path(d->file));
	d->count = shape[0];
	d->height = shape[1];
	d->width = shape[2];
	if (d->count && (size_t)d->count > cache_bytes / (size_t)(shape[1] * shape[2] * 3))
		return 0;
	d->cache = memory_new((size_t)d->count, (size_t)(shape[1] * shape[2] * 3));
	if (!d->cache)
		return STATUS_SYSTEM;
	return h5_read(d->file, "pixels", H5_U8, 0, d->count, d->cache);
}

static int open_encoded(struct dataset *d, size_t cache_bytes)
{
	int64_t shape[H5_DIMS], bytes;

	TRY(shape_is(d, "encoded", H5_U8, 1, shape));
	bytes = shape[0];
	TRY(shape_is(d, "offset", H5_U64, 1, shape));
	if (shape[0] < 1)
		return error(STATUS_DATA, "%s: offset is empty", h5_path(d->file));
	d->count = shape[0] - 1;
	d->offset = memory_new((size_t)shape[0], sizeof(*d->offset));
	if (!d->offset)
		return STATUS_SYSTEM;
	TRY(h5_read(d->file, "offset", H5_U64, 0, shape[0], d->offset));
	for (int64_t i = 0; i < d->count; i++)
		if (d->offset[i] > d->offset[i + 1])
			return error(STATUS_DATA, "%s: offset decreases at %lld", h5_path(d->file),
				(long long)i);
	if (d->offset[0] != 0 || d->offset[d->count] != (uint64_t)bytes)
		return error(STATUS_DATA, "%s: offset does not cover encoded", h5_path(d->file));
	if ((size_t)bytes > cache_bytes)
		return 0;
	d->cache = memory_new((size_t)bytes, 1);
	if (!d->cache)
		return STATUS_SYSTEM;
	return h5_read(d->file, "encoded", H5_U8, 0, bytes, d->cache);
}

static int open_labels(struct dataset *d)
{
	int64_t shape[H5_DIMS];

	if (h5_has(d->file, "class_names"))
		TRY(h5_get_strings(d->file, "class_names", &d->classes, &d->class_names));
	if (!h5_has(d->file, "labels")) {
		d->classes = 0;
		free(d->class_names);
		d->class_names = NULL;
		return 0;
	}
	TRY(shape_is(d, "labels", H5_I32, 1, shape));
	if (shape[0] != d->count)
		return error(STATUS_DATA, "%s: %lld labels for %lld images", h5_path(d->file),
			(long long)shape[0], (long long)d->count);
	d->labels = memory_new((size_t)d->count, sizeof(*d->labels));
	if (!d->labels)
		return STATUS_SYSTEM;
	TRY(h5_read(d->file, "labels", H5_I32, 0, d->count, d->labels));
	if (!d->class_names)
		for (int64_t i = 0; i < d->count; i++)
			if (d->labels[i] >= d->classes)
				d->classes = (int64_t)d->labels[i] + 1;
	for (int64_t i = 0; i < d->count; i++)
		if (d->labels[i] < -1 || d->labels[i] >= d->classes)
			return error(STATUS_DATA,
				"%s: label %d of image %lld: there are %lld classes",
				h5_path(d->file), d->labels[i], (long long)i,
				(long long)d->classes);
	return 0;
}

int dataset_open(struct dataset **out, const char *path, size_t cache_bytes)
{
	struct dataset *d = memory_new(1, sizeof(*d));
	int status;

	*out = NULL;
	if (!d)
		return STATUS_SYSTEM;
	pthread_mutex_init(&d->lock, NULL);
	status = h5_open(&d->file, path, "images");
	if (!status)
		status = h5_has(d->file, "pixels") ? open_pixels(d, cache_bytes)
						   : open_encoded(d, cache_bytes);
	if (!status)
		status = open_labels(d);
	if (status) {
		dataset_close(d);
		return status;
	}
	*out = d;
	return 0;
}

size_t dataset_bytes(const struct dataset *d)
{
	if (!d->cache)
		return 0;
	return d->height ? d->count * d->height * d->width * 3 : d->offset[d->count];
}

void dataset_close(struct dataset *d)
{
	if (!d)
		return;
	h5_close(&d->file);
	pthread_mutex_destroy(&d->lock);
	free(d->labels);
	free(d->class_names);
	free(d->offset);
	free(d->cache);
	free(d->names);
	free(d->path);
	free(d);
}

int dataset_rest(struct dataset *d)
{
	if (!d->path && !(d->path = memory_string(h5_path(d->file))))
		return STATUS_SYSTEM;
	h5_close(&d->file);
	free(d->labels);
	free(d->class_names);
	free(d->names);
	d->labels = NULL;
	d->class_names = d->names = NULL;
	return 0;
}

static int stored_read(struct dataset *d, int64_t i, struct stored *s)
{
	int status;

	if (s->size > s->room) {
		free(s->own);
		s->room = 0;
		s->own = memory_new(s->size, 1);
		if (!s->own)
			return STATUS_SYSTEM;
		s->room = s->size;
	}
	s->data = s->own;
	pthread_mutex_lock(&d->lock);
	status = d->file ? 0 : h5_open(&d->file, d->path, "images");
	if (status)
		;
	else if (d->offset)
		status = h5_read(
			d->file, "encoded", H5_U8, (int64_t)d->offset[i], (int64_t)s->size, s->own);
	else
		status = h5_read(d->file, "pixels", H5_U8, i, 1, s->own);
	pthread_mutex_unlock(&d->lock);
	return status;
}

int dataset_stored(struct dataset *d, int64_t i, struct stored *out)
{
	size_t row = (size_t)(d->height * d->width * 3);

	if (i < 0 || i >= d->count)
		return error(STATUS_BUG, "image %lld of %lld asked for", (long long)i,
			(long long)d->count);
	out->size = d->offset ? d->offset[i + 1] - d->offset[i] : row;
	if (!d->cache)
		return stored_read(d, i, out);
	out->data = d->cache + (d->offset ? d->offset[i] : (uint64_t)i * row);
	return 0;
}

int dataset_decode(const struct dataset *d, int64_t i, const struct stored *in,
	struct picture *scratch, struct picture *out)
{
	int status;

	if (!d->offset) {
		*out = (struct picture){d->height, d->width, (uint8_t *)in->data, 0};
		return 0;
	}
	status = picture_decode(scratch, in->data, in->size);
	*out = *scratch;
	return error_context(status, "%s: image %lld", h5_path(d->file), (long long)i);
}

int dataset_picture(struct dataset *d, int64_t i, struct picture *out)
{
	struct stored s = {0};
	struct picture p = {0};
	int status = dataset_stored(d, i, &s);

	if (!status)
		status = dataset_decode(d, i, &s, out, &p);
	if (!status && !d->offset && p.pixels) {
		status = picture_room(out, p.height, p.width);
		if (!status)
			memcpy(out->pixels, p.pixels, s.size);
	}
	free(s.own);
	return status;
}

const char *dataset_full_name(struct dataset *d, int64_t i)
{
	int64_t count = 0;

	pthread_mutex_lock(&d->lock);
	if (!d->names_read) {
		d->names_read = 1;
		if (h5_has(d->file, "names") &&
			(h5_get_strings(d->file, "names", &count, &d->names) ||
				count != d->count)) {
			free(d->names);
			d->names = NULL;
		}
	}
	pthread_mutex_unlock(&d->lock);
	return d->names && i >= 0 && i < d->count ? d->names[i] : "";
}

const char *dataset_name(struct dataset *d, int64_t i, char text[64])
{
	snprintf(text, 64, "%s", dataset_full_name(d, i));
	return text;
}
