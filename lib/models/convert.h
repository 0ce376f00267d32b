/* Between checkpoints of the public projects and weights files of ours. */
#ifndef MODELS_CONVERT_H
#define MODELS_CONVERT_H

#include "lib/io/checkpoint.h"
#include "lib/io/h5.h"
#include "lib/models/names.h"

/* A line of words for the user, as printf. */
typedef void (*convert_say)(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct import_options {
	/* a head of another number of classes, or that is not there, is drawn anew, not refused */
	int new_classes;
	/* positions of another grid or number of frames are resized, missing ones of frames 0 */
	int new_positions;
	int check_finite;     /* a value that is not finite ends the import (STATUS_NUMBERS) */
	uint64_t seed;	      /* of what is drawn anew */
	convert_say say;      /* what was done: found, resized, drawn anew */
	convert_say complain; /* what does not match, a line each */
};

/*
 * Writes a network's parameters and buffers into an open weights file, with arch and config. The
 * names' spelling is found from the checkpoint. bfloat16 stays as it is, other floats become f32.
 * Every name or shape that does not match is complained of, and nothing is written (STATUS_DATA).
 * Memory: one tensor at a time.
 */
int weights_import(const struct checkpoint *c, const struct network_config *config,
	const struct import_options *o, struct h5 *out);

struct export_options {
	const char *spelling; /* see spelling_find */
	int strict;	      /* tensors that the public code has not are refused instead of said */
	convert_say say;
};

/*
 * The other way, to a safetensors file. STATUS_USAGE when the network has no spelling of that name.
 * Types stay as in the file; metadata holds format "pt", arch, config and the content hash. What is
 * added to the public code's network (an MLP, LayerNorms' biases) keeps the names it has here.
 */
int weights_export(struct h5 *in, const struct export_options *o, const char *path);

#endif
