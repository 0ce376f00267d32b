/*
 * The training loop: batches, steps, validation, rolling state, outputs.
 *
 * A run that is interrupted and started again with the same arguments takes up its state file and
 * ends with the same bytes as one that was not.
 */
#ifndef TRAIN_LOOP_H
#define TRAIN_LOOP_H

#include <signal.h>
#include "lib/train/metrics.h"
#include "lib/train/state.h"

/* For progress displays; once a step, and after a validation (scores not NULL). */
struct loop_tick {
	int64_t step, total;
	double epoch, loss, images_per_s;
	const struct scores *scores;
};

struct loop_inputs {
	struct trainer *trainer;      /* allocated; weights filled unless the state exists */
	struct dataset *data, *valid; /* valid may be NULL */
	const char *state, *last, *best, *metrics; /* paths; NULL: not written */
	/*
	 * Seconds between rolling states. One is saved at an epoch's end too, unless states would
	 * then take more than a twentieth of the time, and at the last.
	 */
	double save_every;
	int workers;
	struct provenance *provenance;
	const volatile sig_atomic_t *stop; /* set: finish the step, save, STATUS_AGAIN */
	int64_t stop_after;		   /* steps of this process, then as if stopped; 0: none */
	double stop_at;			   /* Unix time, then as if stopped; 0: none */
	void (*tick)(void *data, const struct loop_tick *t);
	void *tick_data;
};

/* Whether a state file is there to be taken up. */
int loop_resumes(const struct loop_inputs *in);

struct loop_report {
	int64_t steps, images; /* of this process */
	double seconds;
	int resumed;
	struct run_state state;
};

int train_loop(const struct loop_inputs *in, struct loop_report *r);

#endif
