/* Position tables of another grid, and of another place of the class tokens. */
#ifndef MODELS_POSITIONS_H
#define MODELS_POSITIONS_H

#include "lib/models/network.h"

/* A square grid's rows, row-major, and among them `extra` rows of class tokens from `at` on. */
struct position_table {
	int64_t grid, extra, at;
};

/* A network's table, were its grid `side` wide. */
struct position_table positions_of(const struct network_config *c, int64_t side);
int64_t positions_rows(const struct position_table *t);

/*
 * in (rows of from, dim) -> out (rows of to, dim). The grid: where its side is a multiple of the
 * other's and pool is set, the mean over blocks; otherwise bicubic as torch's interpolate has it
 * (a = -0.75, align_corners false, no antialiasing). Class tokens' rows stay as they are, as many
 * as both have.
 */
void positions_resize(const real *in, const struct position_table *from, real *out,
	const struct position_table *to, int64_t dim, int pool);

/*
 * Rows over time, in (from, dim) -> out (to, dim): linear as torch's interpolate has it
 * (align_corners false).
 */
void positions_stretch(const real *in, int64_t from, real *out, int64_t to, int64_t dim);

#endif
