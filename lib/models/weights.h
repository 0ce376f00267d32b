/*
 * Files of kind `weights`: one dataset per parameter and buffer under its own name, root attributes
 * `arch` and `config`.
 */
#ifndef MODELS_WEIGHTS_H
#define MODELS_WEIGHTS_H

#include "lib/io/provenance.h"
#include "lib/models/network.h"

/* The type of `real` in memory. */
#ifdef REAL_DOUBLE
#define H5_REAL H5_F64
#else
#define H5_REAL H5_F32
#endif

/* The config of an open weights or state file. */
int weights_config(struct h5 *f, struct network_config *c);

/*
 * Reads every parameter and buffer of group 0 into the (allocated) model. All that is missing,
 * superfluous or of another shape is listed in the message, up to eight (STATUS_DATA). prefix goes
 * before each name ("" for weights files); datasets that do not begin with it are not looked at.
 */
int weights_load(struct network *n, struct h5 *f, const char *prefix);

/*
 * Names and shapes of the groups first to last alone, listed as weights_load does; `what` is what
 * the file was to hold. networks_match: those of two networks, which the message calls here and
 * there.
 */
int weights_match(const struct model *m, int first, int last, struct h5 *f, const char *prefix,
	const char *what);
int networks_match(
	const struct network *a, const char *here, const struct network *b, const char *there);
/* STATUS_DATA, with both shapes of the head, when data have another number of classes. */
int weights_check_classes(
	const char *weights, const struct network_config *c, const char *data, int64_t classes);

/* `arch`, `config`, and every parameter and buffer of group 0. */
int weights_save(const struct network *n, struct h5 *f);
int weights_save_config(const struct network_config *c, struct h5 *f);
/* weights_save() to a file of its own, with its provenance. guard may be NULL. */
int weights_write(const struct network *n, const char *path, const struct provenance *p,
	const struct h5_guard *guard);

/*
 * One parameter of any group, under prefix + name. Counters are int64 in files. A value that is not
 * finite is refused (STATUS_NUMBERS) with the tensor's name.
 */
int weights_put(const struct model *m, const struct param *p, struct h5 *f, const char *prefix);
int weights_get(struct model *m, struct param *p, struct h5 *f, const char *prefix);

/*
 * Opens a weights file and makes the network: config read, parameters declared in a model of its
 * own, allocated on the device (with gradients or not) and filled. adjust (may be NULL) changes the
 * config before: settings of a run, such as drop path.
 */
struct weights_source {
	const char *path;
	int with_gradients;
	int tokens; /* 1: a language model is wanted, 0: one of pictures; the other is refused */
	void (*adjust)(struct network_config *c, void *data);
	void *data;
};
int weights_open(struct network **n, struct h5 **f, const struct weights_source *s,
	const struct device *device);

#endif
