#include "lib/io/safetensors.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/json.h"

#include <stdlib.h>
#include <string.h>

static uint64_t read_u64(const unsigned char *p)
{
	uint64_t n;

	memcpy(&n, p, sizeof(n));
	return n;
}

int safetensors_like(const unsigned char *file, size_t size)
{
	return size >= 9 && file[8] == '{' && read_u64(file) < (uint64_t)1 << 32;
}

/* Where the tensor lies in the data section; kept until the spans have been checked. */
struct span {
	uint64_t begin, end;
	const char *name;
};

static int read_shape(struct tensor_view *v, const json_t *shape)
{
	if (!json_is_array(shape) || json_array_size(shape) > VIEW_DIMS)
		return error(STATUS_DATA,
			"tensor '%.200s': shape is not a list of at most %d sizes", v->name,
			VIEW_DIMS);
	v->dims = (int)json_array_size(shape);
	for (int i = 0; i < v->dims; i++) {
		v->shape[i] = json_count(json_array_get(shape, i));
		if (v->shape[i] < 0)
			return error(STATUS_DATA,
				"tensor '%.200s': a size is not a whole number from 0 to 2^53",
				v->name);
	}
	return error_context(view_pack(v), "tensor '%.200s'", v->name);
}

static int read_span(struct span *s, const struct tensor_view *v, const json_t *offsets)
{
	json_int_t begin = json_count(json_array_get(offsets, 0));
	json_int_t end = json_count(json_array_get(offsets, 1));
	uint64_t bits;

	if (json_array_size(offsets) != 2 || begin < 0 || end < begin)
		return error(STATUS_DATA,
			"tensor '%.200s': data_offsets is not a begin and an end after it",
			v->name);
	if (__builtin_mul_overflow((uint64_t)v->count, (uint64_t)number_bits(v->type), &bits) ||
		bits % 8 || bits / 8 != (uint64_t)(end - begin))
		return error(STATUS_DATA, "tensor '%.200s': %lld bytes do not fit its shape",
			v->name, (long long)(end - begin));
	*s = (struct span){begin, end, v->name};
	return 0;
}

static int read_tensor(struct tensor_view *v, struct span *s, json_t *o)
{
	const json_t *type = json_object_get(o, "dtype"), *shape = json_object_get(o, "shape");
	const json_t *offsets = json_object_get(o, "data_offsets");
	int number;

	TRY(view_check_name(v->name, strlen(v->name)));
	if (!json_is_object(o) || !json_is_string(type) || !shape || !offsets ||
		json_object_size(o) != 3)
		return error(STATUS_DATA,
			"tensor '%.200s' is not described by dtype, shape and data_offsets alone",
			v->name);
	number = number_find(json_string_value(type));
	if (number < 0)
		return error(STATUS_DATA, "tensor '%.200s': no type is called '%.40s'", v->name,
			printable(json_string_value(type), json_string_length(type)));
	v->type = number;
	TRY(read_shape(v, shape));
	return read_span(s, v, offsets);
}

static int by_begin(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

/* The spans tile the data section: no hole, no overlap, nothing after the last. */
static int check_spans(struct span *spans, int count, uint64_t data)
{
	uint64_t at = 0;

	if (count)
		qsort(spans, count, sizeof(*spans), by_begin);
	for (int i = 0; i < count; at = spans[i++].end) {
		if (spans[i].begin != at)
			return error(STATUS_DATA, "tensor '%.200s' %s", spans[i].name,
				spans[i].begin < at ? "overlaps another"
						    : "leaves a hole before it");
		if (spans[i].end > data)
			return error(STATUS_DATA,
				"tensor '%.200s' ends after the file: it is cut short",
				spans[i].name);
	}
	if (at != data)
		return error(STATUS_DATA, "%llu bytes after the last tensor belong to none",
			(unsigned long long)(data - at));
	return 0;
}

static int check_metadata(const json_t *metadata)
{
	const char *key;
	json_t *value;

	if (!json_is_object(metadata))
		return error(STATUS_DATA, "__metadata__ is not an object of texts");
	json_object_foreach((json_t *)metadata, key,
		value) if (!json_is_string(value)) return error(STATUS_DATA,
		"__metadata__: '%.100s' is not a text", printable(key, strlen(key)));
	return 0;
}

static int read_entries(struct tensor_views *list, struct span *spans, json_t *header,
	const unsigned char *data, uint64_t size)
{
	int first = list->count, n = 0;
	const char *name;
	json_t *o;

	json_object_foreach(header, name, o)
	{
		struct tensor_view v = {.name = (char *)name};

		if (!strcmp(name, "__metadata__")) {
			TRY(check_metadata(o));
			continue;
		}
		TRY(read_tensor(&v, &spans[n], o));
		v.data = data + (spans[n].begin <= size ? spans[n].begin : size);
		TRY(views_add(list, &v));
		n++;
	}
	return error_context(check_spans(spans, list->count - first, size), "data");
}

int safetensors_parse(struct tensor_views *list, const unsigned char *file, size_t size)
{
	struct span *spans;
	json_t *header;
	uint64_t n;
	size_t end = 0;
	int status;

	if (size < 8)
		return error(STATUS_DATA, "too short for a safetensors file");
	n = read_u64(file);
	if (n < 2 || n > SAFETENSORS_HEADER || n > size - 8)
		return error(STATUS_DATA,
			"a header of %llu bytes does not fit the file or the format: it is cut "
			"short or not a safetensors file",
			(unsigned long long)n);
	status = json_read_object(&header, (const char *)file + 8, n, 4, 10 * VIEW_MAX, &end);
	for (; !status && end < n; end++)
		if (file[8 + end] != ' ')
			status = error(STATUS_DATA, "something follows the JSON object");
	spans = status ? NULL : memory_new(json_object_size(header), sizeof(*spans));
	if (!status)
		status = spans ? read_entries(list, spans, header, file + 8 + n, size - 8 - n)
			       : STATUS_SYSTEM;
	free(spans);
	json_decref(header);
	return error_context(status, "safetensors header");
}
