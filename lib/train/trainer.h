/*
 * One training step: programs, optimiser state, shards.
 *
 * A global batch is `shards` equal parts. Each runs forward and backward as if it were the batch;
 * its gradients, statistics and losses are summed over a binary tree, neighbours first, so that
 * the bits do not depend on who computes which shard. Then one update: norm, clipping, finite
 * check, AdamW or SGD, running statistics.
 *
 *	trainer_new        networks declared, programs planned: no memory yet, sizes are known
 *	trainer_allocate   memory; then fill weights (weights_load, state.h, model_init)
 *	trainer_start      the update's program over the allocated arrays
 *	trainer_step       as often as wanted
 */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include "lib/base/memory.h"
#include "lib/data/batches.h"
#include "lib/distill/objective.h"
#include "lib/train/evaluate.h"
#include "lib/train/features.h"

#define TRAINER_LEVELS 13

struct trainer_inputs {
	const struct settings *settings;
	uint64_t seed;
	const struct device *device;
	struct network_config student;
	struct network *teacher;   /* frozen, allocated without gradients; or NULL */
	struct features *features; /* instead of it; or NULL */
	int map_only;		   /* calibration's first stage: the student is frozen */
	int clips;		   /* batches hold clips, all frames of each in turn */
	int evaluates;		   /* a program for validation is planned too */
	const char *files;	   /* JSON, role: content hash; a state keeps it. NULL: not said */
};

/* Means over the global batch. */
struct step_report {
	int64_t step; /* steps done with it, from 1; 0: nothing to report yet */
	double loss, task, distill, lr, norm; /* norm of the gradient before clipping */
	int layers, directions;		      /* of cosines and weights; 0: none */
	const real *cosines, *weights;	      /* (layers, directions) */
};

struct trainer {
	struct trainer_inputs in;
	struct network *student;
	struct model *model;
	struct calibration *map;
	struct program *train, *update, *sums[TRAINER_LEVELS + 1];
	void *small[TRAINER_LEVELS + 2]; /* blocks of the last two */
	int n_small;
	struct objective objective;
	struct evaluator *evaluator;
	void *block;
	size_t block_bytes;

	tensor pixels, labels, erase, mix, tokens, logits; /* inputs of `train` */
	tensor norm2, gate;	    /* of `update`: of the gradient; whether the step counts */
	real *moment1, *moment2;    /* (model->size); SGD has the first alone */
	real *tree[TRAINER_LEVELS]; /* gradients, then statistics: shards > 1 */
	real *loss, *sticky;	    /* device: of the global batch; 1 after a failed step */
	real *report, *report_tree; /* host */
	real *host_tokens, *host_logits;
	int64_t teacher_grid, teacher_class; /* side; index of the first class token */
	int64_t failed;			     /* step whose numbers were not finite; -1: none */
	int64_t pending[2];		/* steps (from 1) whose reports are on their way; 0: none */
	int64_t step, per_epoch, total; /* steps done, in an epoch, in all */
};

/* Parts of the memory of a trainer: parameters, gradients, ... */
#define TRAINER_PARTS 7

int trainer_new(struct trainer **t, const struct trainer_inputs *in);
/* What batches_open wants for this run's training data. */
void trainer_batches(const struct trainer *t, int workers, struct batches_settings *b);
/* Levels of the tree over the shards: its top is their sum. 0: one shard, no tree. */
int trainer_levels(const struct trainer *t);
/* Known from trainer_new on. */
void trainer_memory(const struct trainer *t, struct memory_part parts[TRAINER_PARTS]);
int trainer_allocate(struct trainer *t);
int trainer_start(struct trainer *t, int64_t per_epoch, int64_t total);
void trainer_free(struct trainer *t);

/*
 * A step on batch b. On the CPU r tells of this step; on a device that works on by itself, of the
 * one before (r->step 0: of none yet), so that the device never waits.
 *
 * A loss or gradient that is not finite leaves the weights as they were, for this step and all
 * later ones: STATUS_NUMBERS, t->failed is the step (done before it, from 0). trainer_blame, with
 * that step's batch, records the first op that made it; on the CPU that has been done.
 */
int trainer_step(struct trainer *t, const struct batch *b, struct step_report *r);
/* The report that is still out; r->step 0 when there is none. Before weights are looked at. */
int trainer_drain(struct trainer *t, struct step_report *r);
int trainer_blame(struct trainer *t, const struct batch *b);
/* The same without looking at what came of it, and without counting it: for timing. */
int trainer_enqueue(struct trainer *t, const struct batch *b);
/* The loss alone (forward), for judging a calibration map. */
int trainer_loss(struct trainer *t, const struct batch *b, double *loss);

#endif
