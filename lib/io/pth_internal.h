/* What both forms of torch.save's files share. */
#ifndef IO_PTH_INTERNAL_H
#define IO_PTH_INTERNAL_H

#include "lib/io/pickle.h"
#include "lib/io/pth.h"
#include "lib/io/zip.h"

#define PTH_PICKLE (64 << 20) /* longest pickle, bytes */

/* A storage of the legacy form: where its bytes lie. */
struct stored {
	const struct value *key;
	const unsigned char *data;
	uint64_t bytes;
};

struct pth {
	struct pickle *pickle;
	struct zip zip;
	const char *root; /* of the zip: "archive/" */
	size_t root_length;
	struct stored *stored; /* legacy: sorted by key */
	int stored_count;
};

struct storage {
	const struct value *key;
	enum number_type type;
	int64_t numel, bytes;	  /* of the whole storage */
	int64_t view, view_numel; /* the part that tensors count in, in elements */
};

/* v is ("storage", type, key, location, numel[, view]); STATUS_DATA when it is not. */
int storage_read(struct storage *s, const struct value *v);

/* Order of struct stored, for qsort and bsearch. */
int stored_order(const void *a, const void *b);
/* Order of texts. */
int value_order(const struct value *a, const struct value *b);

/*
 * Pickles and storages in a row. *keys must outlive the storages: their keys are values in it. Both
 * pickles are set as far as they were read, also after an error.
 */
int pth_open_legacy(struct pth *p, struct pickle **keys, const unsigned char *file, size_t size);

#endif
