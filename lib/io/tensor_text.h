/*
 * Tensors, attributes and texts as people and diff read them. Used by the tools that look at
 * files.
 */
#ifndef IO_TENSOR_TEXT_H
#define IO_TENSOR_TEXT_H

#include <stdio.h>
#include "lib/io/h5.h"

/* "384,16"; "" for a scalar. */
const char *tensor_shape_text(int dims, const int64_t *shape, char text[200]);

/* Of all values; min, max and mean leave NaN and Inf out and are NaN when nothing is left. */
struct tensor_statistics {
	enum h5_type type;
	int dims;
	int64_t shape[H5_DIMS];
	double min, max, mean;
	int64_t zero, nan, inf;
};
int tensor_statistics(struct h5 *f, const char *name, struct tensor_statistics *s);

/*
 * One value a line, "name[3,0] = 0.5", floats with the digits that give back the same bits. Stops
 * early, with 0, when `out` cannot be written.
 */
int tensor_print_values(struct h5 *f, const char *name, FILE *out);

/* An attribute of the root that is text, whole or real, as text. Malloc'ed. */
int tensor_attribute_text(struct h5 *f, const char *name, char **text);

/* "@kind = weights": an attribute of the root that is text, whole or real. */
int tensor_print_attribute(struct h5 *f, const char *name, FILE *out);

/* "prefix" "name: text", further lines of the text indented below it. Controls become '?'. */
void tensor_print_text(const char *prefix, const char *name, const char *text, FILE *out);

/* Text of one value of memory of that type. */
void tensor_value_text(enum h5_type type, const void *values, int64_t i, char text[40]);

/*
 * Calls visit on all rows in blocks of about 1 MiB, in memory of type mem; STATUS_NO from it ends
 * the walk with 0.
 */
int tensor_walk(struct h5 *f, const char *name, enum h5_type mem,
	int (*visit)(void *with, int64_t first, int64_t count, const void *values), void *with);

#endif
