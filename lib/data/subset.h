/*
 * Class-balanced parts of a collection.
 *
 * Within a class images are ranked by Philox (seed, PURPOSE_SUBSET) of a hash of their name, so one
 * draw serves every share: a smaller one lies inside a larger one, and a share of a packed share is
 * what the same seed would have taken from the whole. Order and classes stay as they are.
 */
#ifndef DATA_SUBSET_H
#define DATA_SUBSET_H

#include "lib/data/collection.h"

/*
 * A share, either exactly part / whole, or 1 / divisor with the divisor as a double: of n images
 * the largest k with k part-wise or k * divisor <= n exactly.
 */
struct share {
	int64_t part, whole;
	double divisor; /* 0: part / whole */
};

/* "0.25", "25%", "3/4" or "1/1.3"; above 0, at most 1. STATUS_USAGE. */
int share_parse(struct share *s, const char *text);
int64_t share_count(const struct share *s, int64_t n);

/* Keeps the share of each class. STATUS_DATA when a class is left without images. */
int collection_share(struct collection *c, const struct share *s, uint64_t seed);
/*
 * Moves n images, as equally many of each class as can be (the first classes have one more), to
 * `rest`, which borrows the sources of c: release it first. STATUS_DATA when a class would be left
 * without images.
 */
int collection_holdout(struct collection *c, int64_t n, uint64_t seed, struct collection *rest);
/*
 * Keeps the images of one part, and notes in c->part_of what they are a part of: how many there
 * were, and a hash of their names and classes in order. STATUS_USAGE when there are fewer images
 * than parts.
 */
int collection_part(struct collection *c, const struct part *p);
/* Frees what collection_holdout made. */
void collection_release_rest(struct collection *rest);

#endif
