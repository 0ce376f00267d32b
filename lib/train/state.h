/*
 * Files of kind `state`: all that a run needs to go on as if it had never stopped.
 *
 * Datasets "weight:NAME", "exp_avg:NAME", "exp_avg_sq:NAME" of every parameter (map included), and
 * "epoch_sums" (f64), the running epoch's sums of metrics. Attributes: config of the network,
 * settings, seed, content hashes of the run's files, steps done, best validation so far, lines of
 * the metrics file.
 */
#ifndef TRAIN_STATE_H
#define TRAIN_STATE_H

#include "lib/io/provenance.h"
#include "lib/train/trainer.h"

struct run_state {
	int64_t best_step; /* steps done at the best validation; -1: none yet */
	int64_t best_hits; /* of valid_count */
	int64_t valid_count;
	int64_t metrics_lines;
	int64_t n_sums;
	double *sums; /* n_sums, the caller's */
};

/* guard: may it be put in place? NULL: yes. */
int state_save(const struct trainer *t, const struct run_state *r, const char *path,
	const struct provenance *provenance, const struct h5_guard *guard);

/* Is it a state of this run? STATUS_DATA with what differs. */
int state_check(const struct trainer *t, const char *path);
/*
 * Into an allocated trainer; sets t->step. A state of other settings, seed or network is refused
 * (STATUS_DATA) with what differs. The file's chain of provenance is continued.
 */
int state_load(
	struct trainer *t, struct run_state *r, const char *path, struct provenance *provenance);

#endif
