/*
 * metrics.tsv: one line per step and per epoch.
 *
 * Columns: event (step, epoch), step, epoch, lr, loss, task, distill, norm, images_per_s, seconds,
 * valid_loss, valid_top1, valid_top5 (percent), then cos.LAYER.DIRECTION and w.LAYER.DIRECTION of
 * the adaptive loss. `nan` where there is nothing. An epoch's line holds means over its steps. On
 * resuming the file is cut back to where the state was saved.
 */
#ifndef TRAIN_METRICS_H
#define TRAIN_METRICS_H

#include <stdio.h>
#include "lib/train/evaluate.h"
#include "lib/train/trainer.h"

struct metrics {
	FILE *f; /* NULL: nothing is written */
	int layers, directions;
	int64_t lines;	 /* written or pending, the heading among them */
	int64_t pending; /* bytes of steps that are not in the file yet */
	double *sums;	 /* loss, task, distill, norm, steps, then cosines and weights */
	int64_t n_sums;
};

int64_t metrics_sums(int layers, int directions);
/* keep: lines of an existing file to go on after; 0 begins a new one. path may be NULL. */
int metrics_open(struct metrics *m, const char *path, int64_t keep, int layers, int directions);
/*
 * Lines are kept back until they are flushed: a process that has lost the run to another is not to
 * write. METRICS_PENDING bytes at most may be pending before a line is added.
 */
#define METRICS_PENDING 65536
int metrics_flush(struct metrics *m);
/* Flushes, unless what is pending is to be forgotten. */
int metrics_close(struct metrics *m, int forget);

int metrics_step(struct metrics *m, const struct step_report *r, int64_t step, double epoch,
	double images_per_s, double seconds);
/* Means of the epoch; scores NULL: not validated. Starts the next epoch's sums. */
int metrics_epoch(struct metrics *m, const struct scores *scores, double lr, int64_t step,
	double epoch, double images_per_s, double seconds);

#endif
