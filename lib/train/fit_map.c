#include "lib/train/fit_map.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define JUDGED 10 /* times in the pass */

struct fit {
	struct trainer *t;
	struct batches *batches;
	int64_t steps, held;
	real *best;
	int64_t size;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

static int open_batches(struct fit *f, struct dataset *data, int workers)
{
	struct batches_settings b;
	int64_t n;

	trainer_batches(f->t, workers, &b);
	TRY(batches_open(&f->batches, data, &b));
	n = batches_per_epoch(f->batches);
	f->held = (n + 10) / 20 > 1 ? (n + 10) / 20 : 1;
	f->steps = n - f->held;
	if (f->steps < 1)
		return error(STATUS_DATA,
			"%lld batches are too few to calibrate: take a smaller batch or more data",
			(long long)n);
	return 0;
}

/* Mean and covariance of the teacher's tokens over the pass, for calib_teacher=frozen. */
static int whiten(struct fit *f)
{
	int64_t D = f->t->map->teacher_dim, n = 0;
	tensor tokens = program_find(f->t->train, "teacher tokens");
	double *sum = memory_new(D * (D + 1), sizeof(*sum)), *moment = sum + D, loss;
	real *host = tokens ? memory_new(tokens->count, sizeof(*host)) : NULL;
	int64_t extra = tokens && tokens->shape[1] > 1
				? tokens->shape[1] - f->t->teacher_grid * f->t->teacher_grid
				: 0;
	int status = sum && host ? batches_seek(f->batches, 0, 0) : STATUS_SYSTEM;

	for (int64_t i = 0; i < f->steps && !status; i++) {
		struct batch b;

		status = batches_next(f->batches, &b);
		if (!status)
			status = trainer_loss(f->t, &b, &loss);
		if (status)
			break;
		tensor_get(f->t->train, tokens, host);
		for (int64_t j = 0; j < tokens->count / D; j++) {
			const real *v = host + j * D;

			int64_t place = j % tokens->shape[1] - f->t->teacher_class;

			if (place >= 0 && place < extra)
				continue;
			n++;
			for (int64_t a = 0; a < D; a++) {
				sum[a] += v[a];
				for (int64_t c = 0; c < D; c++)
					moment[a * D + c] += (double)v[a] * v[c];
			}
		}
	}
	if (!status)
		status = calibration_whiten(f->t->map, n, sum, moment);
	free(sum);
	free(host);
	return status;
}

/* Mean loss over the held-back batches. */
static int judge(struct fit *f, double *loss)
{
	*loss = 0;
	TRY(batches_seek(f->batches, 0, f->steps));
	for (int64_t i = 0; i < f->held; i++) {
		struct batch b;
		double one;

		TRY(batches_next(f->batches, &b));
		TRY(trainer_loss(f->t, &b, &one));
		*loss += one / f->held;
	}
	return 0;
}

/* The map's parameters to or from `best`. */
static void copy_map(struct fit *f, int restore)
{
	struct model *m = f->t->model;
	real *at = f->best;

	for (int i = 0; i < m->count; i++) {
		if (m->params[i]->group != GROUP_MAP)
			continue;
		if (restore)
			param_put(m, m->params[i], at);
		else
			param_get(m, m->params[i], at);
		at += m->params[i]->count;
	}
}

static int keep_if_better(struct fit *f, struct fit_report *r)
{
	double loss;

	TRY(judge(f, &loss));
	if (!(loss < r->after))
		return 0;
	r->after = loss;
	copy_map(f, 0);
	return 0;
}

static int pass(struct fit *f, const volatile sig_atomic_t *stop,
	void (*tick)(void *data, const struct loop_tick *t), void *tick_data, struct fit_report *r)
{
	for (int64_t i = 0; i < f->steps; i++) {
		struct step_report step;
		struct batch b;

		if (stop && *stop)
			return error(STATUS_AGAIN, "stopped at step %lld of %lld: run me again",
				(long long)i, (long long)f->steps);
		TRY(batches_seek(f->batches, 0, i));
		TRY(batches_next(f->batches, &b));
		TRY(trainer_step(f->t, &b, &step));
		if (!step.step)
			TRY(trainer_drain(f->t, &step));
		if (tick)
			tick(tick_data,
				&(struct loop_tick){
					.step = i + 1, .total = f->steps, .loss = step.loss});
		if ((i + 1) * JUDGED / f->steps != i * JUDGED / f->steps)
			TRY(keep_if_better(f, r));
	}
	return 0;
}

static int run(struct fit *f, struct dataset *data, int workers, const volatile sig_atomic_t *stop,
	void (*tick)(void *data, const struct loop_tick *t), void *tick_data, struct fit_report *r)
{
	TRY(open_batches(f, data, workers));
	TRY(trainer_start(f->t, f->steps, f->steps));
	f->size = model_parameters(f->t->model, GROUP_MAP);
	f->best = memory_new(f->size, sizeof(*f->best));
	if (!f->best)
		return STATUS_SYSTEM;
	if (f->t->in.settings->distill.calib_teacher == TEACHER_FROZEN)
		TRY(whiten(f));
	TRY(judge(f, &r->before));
	r->after = r->before;
	copy_map(f, 0);
	TRY(pass(f, stop, tick, tick_data, r));
	copy_map(f, 1);
	return 0;
}

int fit_map(struct trainer *t, struct dataset *data, int workers, const volatile sig_atomic_t *stop,
	void (*tick)(void *data, const struct loop_tick *t), void *tick_data, struct fit_report *r)
{
	struct fit f = {.t = t};
	double start = now();
	int status;

	memset(r, 0, sizeof(*r));
	status = run(&f, data, workers, stop, tick, tick_data, r);
	r->steps = f.steps;
	r->held = f.held;
	r->seconds = now() - start;
	batches_close(f.batches);
	free(f.best);
	return status;
}
