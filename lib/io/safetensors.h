/*
 * safetensors: u64 length n, n bytes of JSON, data. Reader over memory, and writer.
 *
 * The reader enforces the format: header within the file, strict UTF-8, no key twice, whole
 * numbers only, spans that fit their shapes exactly and tile the data without hole or overlap.
 * https://github.com/huggingface/safetensors describes the layout.
 */
#ifndef IO_SAFETENSORS_H
#define IO_SAFETENSORS_H

#include "lib/io/views.h"

#define SAFETENSORS_HEADER 100000000 /* longest header, bytes */

/* Adds the file's tensors, in the file's order; the views point into file. STATUS_DATA. */
int safetensors_parse(struct tensor_views *list, const unsigned char *file, size_t size);

/* 1 when the bytes look like a safetensors file (and not like a JSON text or a pickle). */
int safetensors_like(const unsigned char *file, size_t size);

/* --- shards: model.safetensors.index.json --- */

struct shard_name {
	char *tensor;
	int file; /* index into files */
};
struct shard_index {
	struct shard_name *names; /* sorted by tensor */
	char **files;		  /* plain names, sorted */
	int count, file_count;
	int64_t total_size; /* bytes as stated, -1 when absent */
};
/* Reads an index. File names with a slash, a backslash or a leading dot are refused. */
int shard_index_parse(struct shard_index *index, const unsigned char *text, size_t size);
void shard_index_release(struct shard_index *index);

/* --- writer --- */

struct safetensors_item {
	const char *name;
	enum number_type type;
	int dims;
	int64_t shape[VIEW_DIMS];
	int64_t offset, bytes; /* set by safetensors_create: in the data section */
};

struct safetensors_writer;
/*
 * Sorts the items as the reference writer does (wider types first, then by name), and writes the
 * header. metadata: pairs key, value, NULL at the end; or NULL. The file appears whole at
 * safetensors_commit; "-" is standard output, which like a pipe or device is written then.
 */
int safetensors_create(struct safetensors_writer **w, const char *path,
	struct safetensors_item *items, int count, const char *const *metadata);
/* The bytes of the next item, in the order after sorting. */
int safetensors_write(struct safetensors_writer *w, const void *data, int64_t bytes);
/* Frees w and sets it to NULL, also after an error. */
int safetensors_commit(struct safetensors_writer **w);
/* Forgets everything written. NULL is allowed. */
void safetensors_abort(struct safetensors_writer **w);

#endif
