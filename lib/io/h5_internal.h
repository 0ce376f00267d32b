/*
 * What the files of lib/io share about an open HDF5 file. Not for others.
 */
#ifndef IO_H5_INTERNAL_H
#define IO_H5_INTERNAL_H

#include <hdf5.h>
#include <openssl/evp.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/h5.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are read without swapping bytes");

#define H5_BLOCK ((int64_t)1 << 20) /* bytes converted or copied at a time */
#define H5_OPEN 16		    /* datasets kept open, each with its cache of chunks */
#define H5_STRINGS 4096		    /* texts read and written at a time */
#define SHA256_BYTES 32

/* A dataset of the root. Readers make these on first use, writers when it is declared. */
struct h5_set {
	char *name;
	enum h5_type type;
	int dims, growing;
	int64_t shape[H5_DIMS];
	int64_t chunk[H5_DIMS]; /* reader: shape of a chunk; chunk[0] 0 when there are none */
	hid_t id;		/* < 0: closed for now */
	uint64_t used;		/* when last used, to close the one longest unused */
	char *axes;		/* writer: names of the axes, or NULL */
	int64_t next;		/* writer: the row that continues the digest */
	int64_t filled;		/* writer: rows written */
	int64_t part;		/* writer: values written by blocks, beyond whole rows */
	/* writer: running digest of rows 0 .. next - 1; NULL when rows came out of order */
	EVP_MD_CTX *sha;
};

struct h5 {
	char *path; /* for messages */
	char *kind;
	hid_t file;
	int writer;
	int failed;	       /* writer: first error; nothing is committed after it */
	char *temp, *target;   /* writer: temporary and where it goes; NULL when spooled */
	int spool;	       /* writer: descriptor of the unlinked temporary, or -1 */
	int out;	       /* writer: where a spooled file is copied to, or -1 */
	struct h5_guard guard; /* writer: allowed is NULL when none was set */
	struct h5_set **sets;  /* in order of creation (writer) or first use (reader) */
	int count, room, open; /* sets, allocated, those with an id */
	void *tree;	       /* the same by name, for tfind() */
	uint64_t clock;
	int64_t size; /* reader: bytes of the file */
};

/* --- h5_error.c --- */
/* Records "path: words" and returns code. */
int h5_error(const struct h5 *f, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same after a failed call of HDF5, with its reason; a writer is failed by it. */
int h5_failed(struct h5 *f, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The innermost words of HDF5's error stack, or the system's error it names (then *code). */
void h5_reason(char *text, size_t size, int *code);
void h5_library_start(void);

/* --- h5_probe.c --- */
/* Walks through a file in a child; STATUS_DATA when that dies of it. */
int h5_probe(struct h5 *f, const char *path);

/* --- h5_type.c --- */
hid_t h5_file_type(enum h5_type type);		    /* borrowed */
int h5_type_of(hid_t datatype, enum h5_type *type); /* 0, or -1 when it is not ours */
int h5_name_valid(const char *name);

/* --- h5_convert.c --- */
/* count values; -1: a value does not fit; -2: there is no such conversion. */
int h5_convert(void *to, enum h5_type to_type, const void *from, enum h5_type from_type,
	int64_t count, int64_t *bad);

/* --- h5_set.c --- */
/* Finds a dataset and opens it; STATUS_DATA when absent or not ours. */
int h5_find(struct h5 *f, const char *name, struct h5_set **set);
struct h5_set *h5_known(const struct h5 *f, const char *name);
int h5_add(struct h5 *f, const char *name, struct h5_set **set);
int h5_set_close(struct h5 *f, struct h5_set *s);
void h5_sets_free(struct h5 *f);
/* Makes room for one more open dataset. */
int h5_make_room(struct h5 *f);
int64_t h5_row_count(const struct h5_set *s); /* values of one row */
/* Property list that caches a few chunks; chunk NULL for a dataset that has none. */
hid_t h5_access(int64_t chunk_bytes);
const char *h5_shape_text(int dims, const int64_t *shape, char text[200]);
int64_t h5_chunk_rows(hid_t dataset); /* 1 when it has no chunks */

/* --- h5_create.c --- */
/* rows of the first axis per chunk; 0: chosen. chunk has an entry for every axis. */
void h5_choose_chunk(const struct h5_set *s, int64_t rows, hsize_t *chunk);

/* --- h5_layout.c --- */
struct h5_kept_layout {
	struct h5_layout layout; /* its texts are those below */
	int growing;
	char *long_name, *units, *axes;
};
/*
 * The layout that the dataset of this name was declared with in files of one kind, of which each
 * holds some rows: chunk_rows is 0 where all have what h5_dataset chooses.
 */
int h5_layout_read(struct h5 **files, int count, const char *name, struct h5_kept_layout *k);
void h5_layout_free(struct h5_kept_layout *k);

/* --- h5_strings.c --- */
/* Rows from `from` of a declared dataset of text, in order; they must be UTF-8. */
int h5_strings_write(
	struct h5 *f, struct h5_set *s, int64_t from, int64_t count, const char *const *strings);

/* --- join.c --- */
/* Not of rows: every part has all of it. */
int join_kept_once(struct h5 *f, const char *name);

/* --- h5_rows.c --- */
int h5_transfer(struct h5 *f, struct h5_set *s, int write, int64_t from, int64_t rows, void *data);

/* --- h5_hash.c --- */
int h5_digest_add(
	struct h5 *f, struct h5_set *s, int64_t from, int64_t rows, const void *data, size_t bytes);

/* --- h5_axes.c --- */
int h5_axes_write(struct h5 *f);
int h5_is_axis(hid_t dataset); /* a dimension scale that holds nothing else */

/* --- h5_attr.c --- */
int h5_attr_put(struct h5 *f, hid_t object, const char *name, const char *text);
int h5_attr_get(struct h5 *f, hid_t object, const char *name, char **text);
int h5_names_of(struct h5 *f, hid_t group, int attributes, char ***names, int *count);

/* --- h5_output.c --- */
int h5_output_begin(struct h5 *f);
int h5_output_end(struct h5 *f);
void h5_output_forget(struct h5 *f);
int h5_create_file(struct h5 *f, const char *path, unsigned flags);
/* Spools standard input; gives a path to open. *temp: to be unlinked after opening, or NULL. */
int h5_spool_input(char **path, char **temp);

#endif
