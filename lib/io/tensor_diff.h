/*
 * Comparing two tensors.
 *
 * Without tolerances values are equal when their bits are, or when both are NaN. With tolerances
 * they are equal when |a - b| <= atol + rtol |b|, when both are NaN, or the same infinity; then the
 * types may differ too, as long as both are floats or both integers.
 */
#ifndef IO_TENSOR_DIFF_H
#define IO_TENSOR_DIFF_H

#include "lib/io/h5.h"

struct tensor_diff {
	double rtol, atol; /* in; both 0: bits */

	const char *what; /* NULL: equal; "values", "shape", "type" */
	int64_t count;	  /* values that differ */
	double max_abs,
		max_rel; /* of |a - b| and |a - b| / |b|; inf where one of them is no number */
	int dims;
	int64_t where[H5_DIMS]; /* of max_abs */
};

/* STATUS_DATA when one cannot be read; differences are not an error. */
int tensor_compare(struct tensor_diff *d, struct h5 *a, struct h5 *b, const char *name);

#endif
