/*
 * Is a file whole: every value readable, the content hash right, and what its kind promises there?
 */
#ifndef IO_CHECK_H
#define IO_CHECK_H

#include "lib/io/h5.h"

/*
 * 0 when it is; else STATUS_DATA with the first thing that is not. Reads everything once or twice.
 */
int check_whole(struct h5 *f);

/* Only what its kind promises: names, types, shapes; offsets and labels in their ranges. */
int check_kind(struct h5 *f);

#endif
