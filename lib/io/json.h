/* JSON from outside, on top of jansson: strict, bounded in depth and in number of values. */
#ifndef IO_JSON_H
#define IO_JSON_H

#include <jansson.h>
#include <stddef.h>

/*
 * Reads one object from text: no key twice in any object, nothing deeper than `depth`, at most
 * `values` values. *end gets the number of bytes used. STATUS_DATA with position and reason.
 */
int json_read_object(
	json_t **object, const char *text, size_t size, int depth, size_t values, size_t *end);

/* A whole number from 0 to 2^53; -1 for anything else. */
json_int_t json_count(const json_t *v);

#endif
