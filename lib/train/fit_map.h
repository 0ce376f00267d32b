/*
 * Calibration's first stage: the map alone is trained, the student frozen.
 *
 * One epoch's batches as training draws them, less the last 5 % (at least one), on which the map is
 * judged after each tenth of the pass; the best is kept. Loss without the task's term; AdamW at the
 * peak rate, constant. Batch norm uses the batch's statistics and leaves the running ones alone.
 */
#ifndef TRAIN_FIT_MAP_H
#define TRAIN_FIT_MAP_H

#include <signal.h>
#include "lib/train/loop.h"

struct fit_report {
	double before, after; /* held-back loss of the first map, and of the kept one */
	int64_t steps, held;  /* batches */
	double seconds;
};

/* t: a trainer made with map_only over settings with schedule=constant; allocated and filled. */
int fit_map(struct trainer *t, struct dataset *data, int workers, const volatile sig_atomic_t *stop,
	void (*tick)(void *data, const struct loop_tick *t), void *tick_data, struct fit_report *r);

#endif
