/*
 * Files of kind `predictions` of a classifier: `logits` (n, classes) f32, one row per image in the
 * data's order; written by eval-cls, or by anything else that is to be scored. A part of them
 * (lib/io/join.h) has the rows of its images alone.
 */
#ifndef TRAIN_PREDICTIONS_H
#define TRAIN_PREDICTIONS_H

#include <stdio.h>
#include "lib/base/part.h"
#include "lib/io/provenance.h"
#include "lib/train/evaluate.h"

struct predictions {
	int64_t count, classes;
	real *logits;
	char *seen;	   /* which rows are filled */
	int64_t first;	   /* image of the first row */
	struct part part;  /* whose rows these are; count 0: all */
	char part_of[200]; /* what they are a part of */
};

int predictions_begin(struct predictions *p, int64_t count, int64_t classes);
/* For evaluate(): data is the predictions. */
int predictions_add(void *data, const struct batch *b, const real *logits);
void predictions_release(struct predictions *p);

int predictions_save(const struct predictions *p, const struct dataset *d, const char *path,
	const struct provenance *provenance);
/* Reads and scores against the labels of d. hash gets the file's content hash. */
int predictions_load(struct predictions *p, const struct dataset *d, const char *path,
	struct scores *s, char hash[80]);

/* TSV: class, name, n, top1, top5. */
int predictions_per_class(const struct predictions *p, const struct dataset *d, const char *path);
/* TSV: image, then the five largest classes with their probabilities. */
int predictions_print(const struct predictions *p, struct dataset *d, FILE *f);

#endif
