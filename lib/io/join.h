/*
 * Files that hold one part of what a single process would write, and putting parts together.
 *
 * A part has the root attributes `part` ("2/4") and `part_of`, text that is equal for all parts of
 * one whole and for no others: hashes of the inputs, how many rows there are and in which units
 * they were dealt. h5_open with a kind refuses it, so that no reader takes it for the whole.
 *
 * Kinds features, predictions and images are joined: rows follow each other in the order of the
 * parts, `class_names` is kept once, `offset` goes on. The whole has the content hash, attributes
 * and layout of the file that a single process writes. Images and predictions have its bytes too,
 * provenance apart; features of more than about 1 MiB have not, for that process writes tensors in
 * turns, batch by batch, and HDF5 places their rows as they come.
 */
#ifndef IO_JOIN_H
#define IO_JOIN_H

#include "lib/base/part.h"
#include "lib/io/h5.h"

/* Notes that f is part p of what `of` describes; nothing for the whole (count 0). */
int part_mark(struct h5 *f, const struct part *p, const char *of, ...)
	__attribute__((format(printf, 3, 4)));
/* STATUS_DATA when f is no part, or `part` is damaged. */
int part_of_file(struct h5 *f, struct part *p);

struct join {
	struct h5 **parts; /* in order */
	int count;
};

/*
 * Opens the parts, given in any order. STATUS_DATA: not all of 1 to N once; other kinds,
 * attributes, names, types or shapes than the first part has.
 */
int join_open(struct join *j, char *const *paths, int count);
/*
 * Everything into a new file, to be ended by h5_commit, in blocks of a few MiB (texts: a part at a
 * time). on_progress (may be NULL) counts tensors of parts, join_pieces() in all.
 */
int join_write(const struct join *j, struct h5 *out, void (*on_progress)(void *data, int64_t done),
	void *data);
int64_t join_pieces(const struct join *j);
void join_close(struct join *j);

#endif
