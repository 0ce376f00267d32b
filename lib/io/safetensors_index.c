#include "lib/io/safetensors.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A file beside the index, and nothing else. */
static int check_file_name(const char *name)
{
	if (!name)
		return error(STATUS_DATA, "weight_map: a file's name is not a text");
	if (view_check_name(name, strlen(name)) || strlen(name) > 255 || name[0] == '.' ||
		strpbrk(name, "/\\") || strstr(name, ".."))
		return error(STATUS_DATA, "weight_map: '%.100s' is not a plain file name",
			printable(name, strlen(name)));
	return 0;
}

static int by_tensor(const void *a, const void *b)
{
	return strcmp(
		((const struct shard_name *)a)->tensor, ((const struct shard_name *)b)->tensor);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted without repetitions; the repetitions are freed. */
static int unique(char **texts, int count)
{
	int kept = 0;

	qsort(texts, count, sizeof(*texts), by_text);
	for (int i = 0; i < count; i++) {
		if (kept && !strcmp(texts[kept - 1], texts[i]))
			free(texts[i]);
		else
			texts[kept++] = texts[i];
	}
	return kept;
}

/* Every entry, with names[i] in files[i] for now. */
static int collect(struct shard_index *index, json_t *map)
{
	const char *tensor;
	json_t *file;

	json_object_foreach(map, tensor, file)
	{
		TRY(view_check_name(tensor, strlen(tensor)));
		TRY(check_file_name(json_string_value(file)));
		index->names[index->count].tensor = memory_string(tensor);
		index->files[index->file_count] = memory_string(json_string_value(file));
		/* counted even when NULL: release frees what is there */
		index->count++;
		index->file_count++;
		if (!index->names[index->count - 1].tensor || !index->files[index->file_count - 1])
			return STATUS_SYSTEM;
	}
	return 0;
}

/* names[i].file becomes the index of its file among the distinct ones. */
static void resolve(struct shard_index *index, json_t *map)
{
	index->file_count = unique(index->files, index->file_count);
	for (int i = 0; i < index->count; i++) {
		const char *file = json_string_value(json_object_get(map, index->names[i].tensor));
		char **at = bsearch(
			&file, index->files, index->file_count, sizeof(*index->files), by_text);

		index->names[i].file = (int)(at - index->files);
	}
	qsort(index->names, index->count, sizeof(*index->names), by_tensor);
}

static int read_map(struct shard_index *index, json_t *o)
{
	json_t *map = json_object_get(o, "weight_map"), *metadata = json_object_get(o, "metadata");

	index->total_size = -1;
	if (json_object_get(metadata, "total_size"))
		index->total_size = json_count(json_object_get(metadata, "total_size"));
	if (!json_is_object(map) || !json_object_size(map) || json_object_size(map) > VIEW_MAX)
		return error(STATUS_DATA, "weight_map is missing, empty, or names more than %d",
			VIEW_MAX);
	index->names = memory_new(json_object_size(map), sizeof(*index->names));
	index->files = memory_new(json_object_size(map), sizeof(*index->files));
	if (!index->names || !index->files)
		return STATUS_SYSTEM;
	TRY(collect(index, map));
	resolve(index, map);
	return 0;
}

int shard_index_parse(struct shard_index *index, const unsigned char *text, size_t size)
{
	size_t start = 0, end = 0;
	json_t *o = NULL;
	int status;

	memset(index, 0, sizeof(*index));
	while (start < size && isspace(text[start]))
		start++;
	status = size > SAFETENSORS_HEADER ? error(STATUS_DATA, "too long for an index of shards")
					   : json_read_object(&o, (const char *)text + start,
						     size - start, 4, 10 * VIEW_MAX, &end);
	for (end += start; !status && end < size; end++)
		if (!isspace(text[end]))
			status = error(STATUS_DATA, "something follows the JSON object");
	if (!status)
		status = read_map(index, o);
	json_decref(o);
	if (status)
		shard_index_release(index);
	return error_context(status, "index of shards");
}

void shard_index_release(struct shard_index *index)
{
	for (int i = 0; i < index->count; i++)
		free(index->names[i].tensor);
	for (int i = 0; i < index->file_count; i++)
		free(index->files[i]);
	free(index->names);
	free(index->files);
	memset(index, 0, sizeof(*index));
}
