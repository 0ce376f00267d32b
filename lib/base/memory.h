/*
 * Memory that cannot be had is reported with what was asked for (STATUS_SYSTEM); sizes are
 * multiplied with an overflow check.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* count * size zeroed bytes, aligned to 64; NULL with the error recorded. Release with free(). */
void *memory_new(size_t count, size_t size);

/* Grows a plain malloc'ed array to count * size bytes; NULL with the error recorded (old kept). */
void *memory_grow(void *old, size_t count, size_t size);

/* Copies of strings; NULL with the error recorded. */
char *memory_string(const char *text);
char *memory_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What a run will need, by category: a plan for --dry-run and reports. */
struct memory_part {
	const char *what;
	size_t bytes;
};
size_t memory_sum(const struct memory_part *parts, int count);

#endif
