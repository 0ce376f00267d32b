/*
 * An `images` file as a table of samples.
 *
 * `pixels` (n, h, w, 3) u8, or `encoded` (all bytes one after another, u8) with `offset` (n + 1)
 * u64; `labels` (n) i32, absent for images to predict; `class_names`; optional `names` (n). Pixels
 * are RGB, row-major.
 */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include <pthread.h>
#include <stdint.h>
#include "lib/io/h5.h"

struct dataset {
	struct h5 *file;
	int64_t count, classes; /* classes 0: no labels */
	int64_t height, width;	/* of pixels; 0 when encoded */
	int32_t *labels;	/* count, or NULL */
	char **class_names;	/* classes, or NULL */
	uint64_t *offset;	/* count + 1 when encoded, else NULL */
	uint8_t *cache;		/* all pixels or bytes, when they fit cache_bytes; else NULL */
	char *path;		/* of a resting one, else NULL */
	char **names;		/* count, or NULL; read at the first dataset_name */
	int names_read;
	pthread_mutex_t lock; /* around reads of the file */
};

/*
 * Everything up to cache_bytes is read into memory at once; larger files are read row by row.
 * STATUS_DATA when parts are missing or contradict each other.
 */
int dataset_open(struct dataset **d, const char *path, size_t cache_bytes);
void dataset_close(struct dataset *d);
/*
 * Closes the file and forgets all but where its samples lie; dataset_stored opens it again. For
 * those who hold many.
 */
int dataset_rest(struct dataset *d);
/* Bytes of it that are kept in memory. */
size_t dataset_bytes(const struct dataset *d);

/* One decoded image, (height, width, 3) RGB. */
struct picture {
	int64_t height, width;
	uint8_t *pixels;
	size_t room; /* bytes allocated; grown as needed, release with free() */
};
/* Sample i; decodes where needed. Thread-safe (reads of uncached rows take a lock). */
int dataset_picture(struct dataset *d, int64_t i, struct picture *out);

/*
 * The two halves of dataset_picture, so that one thread reads and others decode. The stored bytes
 * of a sample are in the cache, or in `own`, which is grown as needed; release it with free().
 */
struct stored {
	const uint8_t *data;
	size_t size;
	uint8_t *own;
	size_t room;
};
int dataset_stored(struct dataset *d, int64_t i, struct stored *out);
/*
 * Any thread. When the file holds pixels, *out borrows them from `in` and leaves its own memory
 * alone: out->room is 0 or what it was, `scratch` keeps the memory for decoding.
 */
int dataset_decode(const struct dataset *d, int64_t i, const struct stored *in,
	struct picture *scratch, struct picture *out);

/* The file's name of sample i, "" when it has none; borrowed. */
const char *dataset_full_name(struct dataset *d, int64_t i);
/* The first 63 bytes of it, for messages. */
const char *dataset_name(struct dataset *d, int64_t i, char text[64]);

#endif
