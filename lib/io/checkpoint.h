/*
 * Checkpoints of PyTorch projects, whatever their format: safetensors, an index of safetensors
 * shards, .pth as a zip or in the older form. The content decides, not the name.
 *
 * Files are mapped and checked whole on opening; a tensor is copied only when it is read, so that
 * memory stays at one tensor. Nothing in a file is ever run. Errors: STATUS_NOINPUT (not there),
 * STATUS_DATA (damaged, or against the rules of its format); messages begin with the path.
 */
#ifndef IO_CHECKPOINT_H
#define IO_CHECKPOINT_H

#include "lib/io/views.h"

struct checkpoint;

/*
 * key: which member of a .pth's dict holds the tensors; NULL chooses model, state_dict, module,
 * model_state_dict or student, or else the dict itself.
 */
int checkpoint_open(struct checkpoint **c, const char *path, const char *key);
void checkpoint_close(struct checkpoint **c);

const char *checkpoint_path(const struct checkpoint *c);
/* The files it consists of: an index, then its shards. NULL after the last. */
const char *checkpoint_file(const struct checkpoint *c, int i);
/* "safetensors", "safetensors shards", "pth", "pth (legacy)" */
const char *checkpoint_format(const struct checkpoint *c);
/* What the reader noticed and went on with, a line each; NULL after the last. */
const char *checkpoint_note(const struct checkpoint *c, int i);

/* Tensors, sorted by name. */
int checkpoint_count(const struct checkpoint *c);
const struct tensor_view *checkpoint_at(const struct checkpoint *c, int i);
const struct tensor_view *checkpoint_find(const struct checkpoint *c, const char *name);

/* v->count values in row-major order, converted. STATUS_DATA for a type that is not read. */
int checkpoint_float(const struct checkpoint *c, const struct tensor_view *v, float *out);
int checkpoint_double(const struct checkpoint *c, const struct tensor_view *v, double *out);
/* The same in the file's own type: v->count * number_bits / 8 bytes. */
int checkpoint_raw(const struct checkpoint *c, const struct tensor_view *v, void *out);

#endif
