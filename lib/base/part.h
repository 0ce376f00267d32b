/*
 * One of N parts of a piece of work that several processes share, as a job array does: "2/4".
 */
#ifndef BASE_PART_H
#define BASE_PART_H

#include <stdint.h>

#define PARTS_MAX 1000

struct part {
	int64_t index, count; /* index from 1 to count; count 0: the whole */
};

/* "I/N" in digits, I from 1 to N, N at most PARTS_MAX; else STATUS_USAGE. */
int part_parse(struct part *p, const char *text);

/*
 * Which of `total` rows are its own: [*first, *first + *count). Rows are dealt in units (the last
 * may be short), as equally as can be and in order, so that batches are those of one process.
 * STATUS_USAGE when there are fewer units than parts: one would be empty.
 */
int part_range(const struct part *p, int64_t total, int64_t unit, int64_t *first, int64_t *count);

#endif
