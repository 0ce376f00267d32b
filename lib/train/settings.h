/*
 * The settings of a run: one table of keys, read from recipe files and --set options, written as
 * JSON into state and provenance.
 *
 * A recipe is lines `key = value`; '#' begins a comment; later settings win. Unknown keys and
 * values out of range are refused with file and line. settings_help prints the table.
 */
#ifndef TRAIN_SETTINGS_H
#define TRAIN_SETTINGS_H

#include <stdio.h>
#include "lib/data/batches.h"
#include "lib/distill/settings.h"
#include "lib/distill/subclone.h"

enum optimizer { OPTIMIZER_ADAMW, OPTIMIZER_SGD };

enum schedule {
	SCHEDULE_COSINE, /* per step: linear warm-up over a share of all steps, cosine to lr_min */
	SCHEDULE_EPOCH_COSINE, /* per epoch, as timm 0.4.12: the paper's recipe */
	SCHEDULE_CONSTANT,
};

struct train_settings {
	enum optimizer optimizer;
	double lr;		  /* peak */
	double lr_batch;	  /* 0: lr as it is; else lr * batch / lr_batch */
	double lr_min, lr_warmup; /* SCHEDULE_EPOCH_COSINE: 1e-5 and 1e-6 */
	enum schedule schedule;
	double warmup; /* SCHEDULE_COSINE: share of all steps; SCHEDULE_EPOCH_COSINE: epochs */
	double beta1, beta2, adam_eps, momentum, decay;
	int decay_all; /* decay_rule=release */
	double clip;   /* of the gradient's norm; 0: off */
	double smoothing, drop_path;

	int64_t batch, epochs, steps; /* steps 0: epochs of them */
	int64_t shards;
	int64_t limit, first; /* of the data: the samples used */
	int64_t repeat_aug;
	int64_t valid_every; /* epochs; and after the last */
	int64_t eval_batch;
	int64_t views; /* of a features file: augmentations repeat after so many epochs; 0: never */
};

struct settings {
	struct distill_settings distill;
	struct subclone_settings subclone;
	struct train_settings train;
	struct augment augment;
};

void settings_default(struct settings *s);

/* "key=value" or "key = value". STATUS_USAGE with what would be right. */
int settings_set(struct settings *s, const char *assignment);
/* STATUS_NOINPUT, STATUS_DATA with file and line. */
int settings_read(struct settings *s, const char *path);

/* JSON object of every key; malloc'ed. */
char *settings_text(const struct settings *s);
/* 0 when equal; else STATUS_DATA naming the first key that differs, and both values. */
int settings_compare(const char *ours, const char *theirs);

/* Key, default, values and meaning, one line each. */
void settings_help(FILE *f);

/* Learning rate of a step: `step` of `per_epoch * epochs` done before it. */
double settings_lr(const struct train_settings *t, int64_t step, int64_t per_epoch, int64_t total);

#endif
