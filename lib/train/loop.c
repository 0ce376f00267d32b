#include "lib/train/loop.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/weights.h"
#include "lib/train/owner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct loop {
	const struct loop_inputs *in;
	struct trainer *t;
	struct batches *batches;
	struct metrics metrics;
	struct run_state state;
	struct owner *owner; /* NULL: no state, nothing to own */
	struct h5_guard guard;
	double start, saved, save_cost, flushed, epoch_start;
	double lr;
	int64_t epoch_images; /* of this epoch, in this process */
	int64_t steps;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

int loop_resumes(const struct loop_inputs *in)
{
	return in->state && access(in->state, F_OK) == 0;
}

#define SAVE_SHARE 20 /* a twentieth of the time at most */

/* What the metrics hold goes to their file, if this process may still write. */
static int flush(struct loop *l)
{
	l->flushed = now();
	TRY(owner_holds(l->owner));
	l->state.metrics_lines = l->metrics.lines;
	return metrics_flush(&l->metrics);
}

static int save_state(struct loop *l)
{
	double began = now();
	int status = flush(l);

	l->in->provenance->seconds = began - l->start;
	if (!status && l->in->state)
		status = state_save(l->t, &l->state, l->in->state, l->in->provenance, &l->guard);
	l->saved = now();
	l->save_cost = l->saved - began;
	return status;
}

static int open_batches(struct loop *l)
{
	struct batches_settings b;

	trainer_batches(l->t, l->in->workers, &b);
	return batches_open(&l->batches, l->in->data, &b);
}

/* Claimed only by a run that it fits, read only when it is ours. */
static int take_state(struct loop *l)
{
	if (!l->in->state)
		return 0;
	if (loop_resumes(l->in))
		TRY(state_check(l->t, l->in->state));
	TRY(owner_claim(&l->owner, l->in->state));
	l->guard = (struct h5_guard){owner_holds, l->owner};
	if (!loop_resumes(l->in))
		return 0;
	return state_load(l->t, &l->state, l->in->state, l->in->provenance);
}

/* State taken up or begun, metrics at the right place, batches at the next step's. */
static int begin(struct loop *l)
{
	const struct train_settings *s = &l->t->in.settings->train;
	int64_t per_epoch;

	TRY(open_batches(l));
	per_epoch = batches_per_epoch(l->batches);
	TRY(trainer_start(l->t, per_epoch, s->steps > 0 ? s->steps : per_epoch * s->epochs));
	l->state.best_step = -1;
	l->state.n_sums = metrics_sums(l->t->objective.layers, l->t->objective.directions);
	l->state.sums = l->metrics.sums = memory_new(l->state.n_sums, sizeof(double));
	if (!l->state.sums)
		return STATUS_SYSTEM;
	TRY(take_state(l));
	TRY(metrics_open(&l->metrics, l->in->metrics, l->state.metrics_lines,
		l->t->objective.layers, l->t->objective.directions));
	l->saved = l->flushed = l->epoch_start = now();
	return batches_seek(l->batches, l->t->step / per_epoch, l->t->step % per_epoch);
}

static double rate(const struct loop *l)
{
	double seconds = now() - l->epoch_start;

	return seconds > 0 ? l->epoch_images / seconds : 0;
}

static void tick(const struct loop *l, double loss, const struct scores *scores)
{
	struct loop_tick t = {.step = l->t->step,
		.total = l->t->total,
		.epoch = (double)l->t->step / l->t->per_epoch,
		.loss = loss,
		.images_per_s = rate(l),
		.scores = scores};

	if (l->in->tick)
		l->in->tick(l->in->tick_data, &t);
}

static int validate(struct loop *l, struct scores *s)
{
	struct run_state *r = &l->state;

	TRY(evaluate(l->t->evaluator, l->in->valid, &l->t->in.settings->augment, l->in->workers, s,
		NULL, NULL));
	tick(l, s->loss, s);
	if (r->best_step >= 0 && s->top1 <= r->best_hits)
		return 0;
	r->best_step = l->t->step;
	r->best_hits = s->top1;
	r->valid_count = s->count;
	l->in->provenance->seconds = now() - l->start;
	if (!l->in->best)
		return 0;
	return weights_write(l->t->student, l->in->best, l->in->provenance, &l->guard);
}

static int end_epoch(struct loop *l, double lr)
{
	const struct train_settings *s = &l->t->in.settings->train;
	int64_t step = l->t->step, epoch = (step + l->t->per_epoch - 1) / l->t->per_epoch;
	double images_per_s = rate(l);
	struct scores scores;
	int valid = l->in->valid && (epoch % s->valid_every == 0 || step == l->t->total);

	if (valid)
		TRY(validate(l, &scores));
	TRY(metrics_epoch(&l->metrics, valid ? &scores : NULL, lr, step,
		(double)step / l->t->per_epoch, images_per_s, now() - l->start));
	l->epoch_start = now();
	l->epoch_images = 0;
	/* Short epochs of a large network would spend their time on states. */
	if (step < l->t->total && now() - l->saved < SAVE_SHARE * l->save_cost)
		return flush(l);
	return save_state(l);
}

static int record(struct loop *l, const struct step_report *r)
{
	if (!r->step)
		return 0;
	l->lr = r->lr;
	TRY(metrics_step(&l->metrics, r, r->step, (double)r->step / l->t->per_epoch, rate(l),
		now() - l->start));
	tick(l, r->loss, NULL);
	if (l->metrics.pending < METRICS_PENDING && now() - l->flushed < 1)
		return 0;
	return flush(l);
}

/* The failed step's batch is made again, and the step replayed op by op. */
static int find_cause(struct loop *l)
{
	char message[256];
	struct batch b;

	snprintf(message, sizeof(message), "%s", error_message());
	if (!l->t->in.device->fetch)
		return STATUS_NUMBERS;
	l->t->step = l->t->failed;
	if (batches_seek(
		    l->batches, l->t->failed / l->t->per_epoch, l->t->failed % l->t->per_epoch) ||
		batches_next(l->batches, &b))
		return error(STATUS_NUMBERS, "%s", message);
	return trainer_blame(l->t, &b);
}

/* Everything that was begun is done and reported. */
static int drain(struct loop *l)
{
	struct step_report r;
	int status = trainer_drain(l->t, &r);

	if (status)
		return status == STATUS_NUMBERS ? find_cause(l) : status;
	return record(l, &r);
}

static int one_step(struct loop *l)
{
	struct step_report r;
	struct batch b;
	int status;

	TRY(batches_next(l->batches, &b));
	status = trainer_step(l->t, &b, &r);
	if (status)
		return status == STATUS_NUMBERS ? find_cause(l) : status;
	l->steps++;
	l->epoch_images += b.count;
	TRY(record(l, &r));
	if (l->t->step % l->t->per_epoch == 0 || l->t->step == l->t->total) {
		TRY(drain(l));
		return end_epoch(l, l->lr);
	}
	if (now() - l->saved > l->in->save_every) {
		TRY(drain(l));
		return save_state(l);
	}
	return 0;
}

static int stopped(const struct loop *l)
{
	return (l->in->stop && *l->in->stop) ||
	       (l->in->stop_after && l->steps >= l->in->stop_after) ||
	       (l->in->stop_at > 0 && (double)time(NULL) >= l->in->stop_at);
}

static int run(struct loop *l)
{
	while (l->t->step < l->t->total) {
		if (stopped(l)) {
			TRY(drain(l));
			TRY(save_state(l));
			return error(STATUS_AGAIN,
				"stopped after step %lld of %lld%s: run me again to go on",
				(long long)l->t->step, (long long)l->t->total,
				l->in->state ? ", state saved" : "");
		}
		TRY(one_step(l));
	}
	if (l->in->best && access(l->in->best, F_OK))
		return error(STATUS_DATA,
			"%s: the best weights are gone and cannot be had from the state: remove %s "
			"to train again",
			l->in->best, l->in->state ? l->in->state : "nothing");
	l->in->provenance->seconds = now() - l->start;
	if (!l->in->last)
		return owner_holds(l->owner);
	return weights_write(l->t->student, l->in->last, l->in->provenance, &l->guard);
}

int train_loop(const struct loop_inputs *in, struct loop_report *r)
{
	struct loop l = {.in = in, .t = in->trainer, .start = now()};
	int resumed = loop_resumes(in), status = begin(&l), lost, closed;

	if (!status)
		status = run(&l);
	*r = (struct loop_report){.steps = l.steps,
		.images = l.steps * in->trainer->in.settings->train.batch,
		.seconds = now() - l.start,
		.resumed = resumed,
		.state = l.state};
	r->state.sums = NULL;
	batches_close(l.batches);
	lost = status ? owner_holds(l.owner) : 0;
	closed = metrics_close(&l.metrics, lost);
	owner_release(l.owner);
	return lost ? lost : status ? status : closed;
}
