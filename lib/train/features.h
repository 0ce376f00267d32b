/*
 * Files of kind `features`: what a frozen teacher gives for views of a data set, so that it need
 * not run beside every student.
 *
 * `tokens` (n, views, L, C) f32, class tokens first; `logits` (n, views, classes) f32. Without
 * mixing row i is sample i and view v is the augmentation of epoch v, named by `view_seed` (n,
 * views), the epoch word that keyed it. With mixing row i is position i of an epoch and the views
 * are epochs. The settings that made the views (seed, augmentation, samples, with mixing also batch
 * and shards) are kept: a run with others is refused.
 */
#ifndef TRAIN_FEATURES_H
#define TRAIN_FEATURES_H

#include "lib/io/h5.h"
#include "lib/train/settings.h"

struct features {
	struct h5 *file;
	struct network_config teacher;
	int64_t count, views, tokens, dim, classes;
	int mixing;
};

/* What the rows of a run are: n, and whether they are positions. */
int features_mixing(const struct settings *s);
int64_t features_rows(const struct settings *s, int64_t samples);
/* Views that a run looks at: settings.views, or the epochs that it begins. */
int64_t features_views(const struct settings *s, int64_t samples);
int64_t features_bytes(const struct network_config *teacher, int64_t rows, int64_t views);

/* Opens, and checks that the file's views are those of this run. */
int features_open(struct features **f, const char *path, const struct settings *s, uint64_t seed,
	int64_t samples);
void features_close(struct features *f);

/* Rows of a batch: tokens (count, L, C), logits (count, classes); either may be NULL. */
int features_read(struct features *f, int64_t epoch, int64_t position, const int64_t *index,
	int64_t count, real *tokens, real *logits);

/* A new file of `rows` rows, to be filled by features_write and ended by h5_commit. */
int features_create(struct h5 **out, const char *path, const struct network_config *teacher,
	const struct settings *s, uint64_t seed, int64_t rows, int64_t views);
/* Rows [from, from + count) of a view: tokens (count, L, C), logits (count, classes). */
int features_write(struct h5 *out, const struct network_config *teacher, int64_t view, int64_t from,
	int64_t count, const real *tokens, const real *logits);

#endif
