/*
 * The exchange files: HDF5 with a kind, a content hash and a chain of provenance.
 *
 * A file holds datasets at its root and, for each, its bytes in a fixed little-endian type. Root
 * attributes: `kind`, `format_version`, `arch`, `config` (JSON), `content_hash`. Written files have
 * no time stamps, so that equal content gives equal bytes. Chunks carry Fletcher32, checked
 * whenever they are read; scalars and texts cannot, the content hash guards them.
 *
 * A file is written to a temporary beside the target and appears there whole at h5_commit. The path
 * "-" is standard input or output, spooled through an unlinked temporary. All calls come from one
 * thread. Errors: STATUS_NOINPUT (not there), STATUS_DATA (damaged, another kind or shape),
 * STATUS_CANTCREATE, STATUS_IO; their messages begin with the path.
 */
#ifndef IO_H5_H
#define IO_H5_H

#include <stddef.h>
#include <stdint.h>

#define H5_DIMS 8
#define H5_FORMAT_VERSION 1

enum h5_type { H5_F32, H5_F64, H5_F16, H5_BF16, H5_I32, H5_I64, H5_U8, H5_U64, H5_TEXT };

struct h5;

/*
 * kind: what the file must be, alternatives separated by '|', and no part of one (join.h); NULL for
 * anything of ours.
 */
int h5_open(struct h5 **f, const char *path, const char *kind);
int h5_create(struct h5 **f, const char *path, const char *kind);
/* Writer: hash, flush, fsync, rename; frees f and sets it to NULL, also after an error. */
int h5_commit(struct h5 **f);
/*
 * Asked before the whole file is put in place: allowed(data) other than 0 is h5_commit's status,
 * and nothing appears.
 */
struct h5_guard {
	int (*allowed)(const void *data);
	const void *data;
};
void h5_set_guard(struct h5 *f, const struct h5_guard *g);
/* Reader: closes. Writer: forgets everything written. NULL is allowed. */
void h5_close(struct h5 **f);

const char *h5_path(const struct h5 *f);
const char *h5_kind(const struct h5 *f);
/* "sha256:..." over names, types, shapes and bytes of all datasets; provenance is left out. */
int h5_content_hash(struct h5 *f, char hash[80]);
/*
 * The same computed from the values, which reads every chunk and so checks it. A reader's
 * h5_content_hash only returns the stored attribute, where there is one.
 */
int h5_hash_tensors(struct h5 *f, char hash[80]);

/* HDF5's own stack of errors on stderr, from the next open or create on (--verbose). */
void h5_show_errors(int on);

/* --- attributes of the root --- */
int h5_put_text(struct h5 *f, const char *name, const char *text);
int h5_put_int(struct h5 *f, const char *name, int64_t value);
int h5_put_real(struct h5 *f, const char *name, double value);
int h5_has_attribute(struct h5 *f, const char *name);
/* STATUS_DATA when absent. *text is malloc'ed. */
int h5_get_text(struct h5 *f, const char *name, char **text);
int h5_get_int(struct h5 *f, const char *name, int64_t *value);
int h5_get_real(struct h5 *f, const char *name, double *value);
/* Names of the root's attributes; one malloc'ed block. */
int h5_attributes(struct h5 *f, char ***names, int *count);

/* --- datasets --- */

/* What the file stores. Attributes `long_name` and `units` are set where not NULL. */
struct h5_layout {
	int64_t chunk_rows; /* rows of the first axis per chunk; 0: chosen (about 1 MiB) */
	int deflate;	    /* 0: none; 1..9: shuffle and deflate */
	const char *long_name, *units;
	const char *axes; /* names of the axes, "sample token channel"; NULL: none */
};

/*
 * A dataset of the given type and shape, to be filled by h5_write. shape[0] may be -1: it grows as
 * rows are written. layout NULL: defaults. A scalar has dims 0.
 */
int h5_dataset(struct h5 *f, const char *name, enum h5_type type, int dims, const int64_t *shape,
	const struct h5_layout *layout);
/*
 * Rows [from, from + rows) of the first axis (a scalar: row 0). Memory is of type mem and
 * converted: floats among each other, rounded to nearest even, integers among each other.
 * STATUS_DATA for a value that does not fit, and for other pairs of types.
 */
int h5_write(struct h5 *f, const char *name, enum h5_type mem, int64_t from, int64_t rows,
	const void *data);
int h5_read(
	struct h5 *f, const char *name, enum h5_type mem, int64_t from, int64_t rows, void *data);
/* A block of any axes: count values from start along each. */
int h5_write_part(struct h5 *f, const char *name, enum h5_type mem, int dims, const int64_t *start,
	const int64_t *count, const void *data);
int h5_read_part(struct h5 *f, const char *name, enum h5_type mem, int dims, const int64_t *start,
	const int64_t *count, void *data);
/* Whole datasets in one call. */
int h5_put(struct h5 *f, const char *name, enum h5_type type, int dims, const int64_t *shape,
	const void *data);
int h5_get(struct h5 *f, const char *name, enum h5_type mem, int dims, const int64_t *shape,
	void *data); /* the shape is checked; -1 in it: anything */

int h5_has(struct h5 *f, const char *name);
/* Type, dims and shape (H5_DIMS entries). STATUS_DATA when absent or of a type not ours. */
int h5_shape(struct h5 *f, const char *name, enum h5_type *type, int *dims, int64_t *shape);
/* Names of the root's datasets in order of creation; one malloc'ed block, release with free(). */
int h5_names(struct h5 *f, char ***names, int *count);

/* 1-D datasets of variable-length UTF-8 strings. Reading gives one malloc'ed block. */
int h5_put_strings(struct h5 *f, const char *name, int64_t count, const char *const *strings);
int h5_get_strings(struct h5 *f, const char *name, int64_t *count, char ***strings);

size_t h5_type_size(enum h5_type type);
const char *h5_type_name(enum h5_type type); /* "f32", ... */

/* --- provenance (see provenance.h) --- */
struct provenance;

#endif
