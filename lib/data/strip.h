/*
 * A picture of views to look at: a row for each of a few images, the evaluation's view first, then
 * training views of the first epochs, erased boxes filled with noise. Mixing is not shown.
 */
#ifndef DATA_STRIP_H
#define DATA_STRIP_H

#include "lib/data/batches.h"

/* Writes a PNG of rows x columns views, the images taken evenly over the file. */
int strip_write(const char *path, struct dataset *d, const struct augment *a, uint64_t seed,
	int64_t rows, int64_t columns);

#endif
