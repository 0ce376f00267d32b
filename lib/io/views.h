/*
 * Tensors inside a file that lies in memory: where each begins, its type, shape and strides.
 *
 * The readers of checkpoint formats (safetensors.h, pth.h) fill a list of views and check
 * everything on the way: every element of every view lies inside the file. Nothing is copied.
 */
#ifndef IO_VIEWS_H
#define IO_VIEWS_H

#include <stddef.h>
#include <stdint.h>
#include "lib/io/numbers.h"

#define VIEW_DIMS 8
#define VIEW_NAME 1024	/* longest name, bytes */
#define VIEW_MAX 100000 /* tensors in a file */

struct tensor_view {
	char *name;
	enum number_type type;
	int dims;
	int64_t shape[VIEW_DIMS], stride[VIEW_DIMS]; /* in elements; a tensor of dims 0 has one */
	int64_t count;
	int packed;		   /* row-major without gaps */
	const unsigned char *data; /* first element; need not be aligned */
};

struct tensor_views {
	struct tensor_view *items;
	int count, room;
};

/* Appends a copy of v (its name too). */
int views_add(struct tensor_views *list, const struct tensor_view *v);
void views_release(struct tensor_views *list);
/* Sorts by name; STATUS_DATA when a name comes twice. */
int views_sort(struct tensor_views *list);
/* In a sorted list; NULL when absent. */
const struct tensor_view *views_find(const struct tensor_views *list, const char *name);

/* count and row-major strides from dims and shape; STATUS_DATA when the product overflows. */
int view_pack(struct tensor_view *v);
/* 1 to VIEW_NAME bytes of UTF-8 without control bytes. */
int view_check_name(const char *name, size_t length);

/*
 * Text from outside for a message: bytes that a terminal could take for a command become '?'. The
 * first 200 bytes, in a buffer of its own, four of which rotate per thread.
 */
const char *printable(const char *text, size_t length);

/* A regular file mapped for reading. size 0 has data NULL. Messages begin with the path. */
struct file_map {
	const unsigned char *data;
	size_t size;
};
int file_map_open(struct file_map *m, const char *path);
void file_map_close(struct file_map *m);
/* The pages of these bytes of a mapped file need not stay in memory; they come back when read. */
void file_map_forget(const unsigned char *data, size_t size);

#endif
