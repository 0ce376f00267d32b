/*
 * A ring of slots. The caller's thread fills in which samples a slot holds (and reads their bytes
 * where the dataset is not in memory, for all reading of files is one thread's); workers make the
 * views, a few samples at a time, oldest slot first.
 */
#include "lib/data/batches.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/philox.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

#define MESSAGE 512
#define CHUNK_MAX 16

struct slot {
	int64_t epoch, step, count;
	int64_t next, done; /* samples handed to workers, samples finished */
	uint8_t *pixels;
	int32_t *labels, *erase;
	int64_t *index;
	uint32_t *word; /* epoch word of each sample */
	float *mix;
	struct stored *stored;
	int status;
	char message[MESSAGE];
};

struct worker {
	struct batches *b;
	struct view_work *work;
	struct picture scratch;
	pthread_t thread;
};

struct batches {
	struct dataset *data;
	struct batches_settings s;
	int64_t samples, per_epoch;
	int64_t epoch, step; /* of the next slot to fill in */
	uint32_t *order;
	int64_t order_epoch; /* -1: none yet */
	struct slot *slots;
	int64_t slot_count;
	int64_t head, tail; /* slots in flight are head .. tail - 1, modulo slot_count */
	int lent;	    /* the slot at head is in the caller's hands */
	int busy, stop;
	pthread_mutex_t lock;
	pthread_cond_t work, ready;
	struct worker *workers;
	int started;
};

static struct slot *slot_at(struct batches *b, int64_t i)
{
	return &b->slots[i % b->slot_count];
}

static void slot_free(struct slot *s, int64_t batch)
{
	for (int64_t i = 0; s->stored && i < batch; i++)
		free(s->stored[i].own);
	free(s->stored);
	free(s->pixels);
	free(s->labels);
	free(s->erase);
	free(s->index);
	free(s->word);
	free(s->mix);
}

static int slot_init(struct slot *s, const struct batches_settings *b)
{
	size_t n = (size_t)b->batch, side = (size_t)b->augment.size;

	s->pixels = memory_new(n, side * side * 3);
	s->labels = memory_new(n, sizeof(*s->labels));
	s->erase = memory_new(n, 6 * sizeof(*s->erase));
	s->index = memory_new(n, sizeof(*s->index));
	s->word = memory_new(n, sizeof(*s->word));
	s->mix = memory_new((size_t)b->shards, 6 * sizeof(*s->mix));
	s->stored = memory_new(n, sizeof(*s->stored));
	return s->pixels && s->labels && s->erase && s->index && s->word && s->mix && s->stored
		       ? 0
		       : STATUS_SYSTEM;
}

/* --- which samples --- */

static void order_epoch(struct batches *b, int64_t epoch)
{
	if (b->order_epoch == epoch || (b->order_epoch >= 0 && !b->s.shuffle))
		return;
	for (int64_t i = 0; i < b->samples; i++)
		b->order[i] = (uint32_t)i;
	for (uint32_t n = (uint32_t)b->samples; n > 1 && b->s.shuffle; n--) {
		uint32_t j = philox_below(b->s.seed, PURPOSE_SHUFFLE, (uint32_t)epoch, 0, n - 1, n);
		uint32_t swap = b->order[n - 1];

		b->order[n - 1] = b->order[j];
		b->order[j] = swap;
	}
	b->order_epoch = epoch;
}

/* Position in the epoch's order of views of a row: views of one sample go to different shards. */
static int64_t view_position(const struct batches *b, int64_t step, int64_t row)
{
	int64_t per_shard = b->s.batch / b->s.shards;

	if (b->s.repeats > 1)
		row = row % per_shard * b->s.shards + row / per_shard;
	return step * b->s.batch + row;
}

static int slot_fill(struct batches *b, struct slot *s)
{
	int64_t left = b->samples - b->step * b->s.batch;
	int64_t views_epoch = b->s.views ? b->epoch % b->s.views : b->epoch;
	int mixes = b->s.train && (b->s.augment.mixup > 0 || b->s.augment.cutmix > 0);

	s->epoch = b->epoch;
	s->step = b->step;
	s->count = left < b->s.batch ? left : b->s.batch;
	s->next = s->done = 0;
	s->status = 0;
	order_epoch(b, mixes ? views_epoch : b->epoch);
	for (int64_t i = 0; i < s->count; i++) {
		int64_t position = view_position(b, s->step, i);
		int64_t sample = b->s.first + b->order[position / b->s.repeats];

		s->index[i] = sample;
		s->word[i] = (uint32_t)(views_epoch * b->s.repeats + position % b->s.repeats);
		s->labels[i] = b->data->labels ? b->data->labels[sample] : -1;
		TRY(dataset_stored(b->data, sample, &s->stored[i]));
	}
	for (int64_t i = 0; i < b->s.shards; i++)
		if (b->s.train)
			augment_mix(
				&b->s.augment, b->s.seed, views_epoch, s->step, i, s->mix + 6 * i);
		else
			s->mix[6 * i + 1] = 1;
	return 0;
}

/* --- making the views --- */

static int view_make(struct batches *b, struct slot *s, int64_t i, struct worker *w)
{
	int64_t side = b->s.augment.size;
	struct picture picture;

	TRY(dataset_decode(b->data, s->index[i], &s->stored[i], &w->scratch, &picture));
	return error_context(
		augment_view(&b->s.augment, b->s.train, &picture, b->s.seed, s->word[i],
			s->index[i], s->pixels + i * side * side * 3, s->erase + 6 * i, w->work),
		"%s: image %lld", h5_path(b->data->file), (long long)s->index[i]);
}

/* Takes a few samples of the oldest slot that has any; 0 when there is nothing to do. Locked. */
static int work_some(struct batches *b, struct worker *w)
{
	for (int64_t k = b->head + b->lent; k < b->tail; k++) {
		struct slot *s = slot_at(b, k);
		int64_t from = s->next, n = s->count / (4 * (b->started + 1)) + 1;
		int status = 0;

		if (from == s->count)
			continue;
		n = n > CHUNK_MAX ? CHUNK_MAX : n;
		n = n > s->count - from ? s->count - from : n;
		s->next += n;
		b->busy++;
		pthread_mutex_unlock(&b->lock);
		for (int64_t i = from; i < from + n && !status; i++)
			status = view_make(b, s, i, w);
		pthread_mutex_lock(&b->lock);
		b->busy--;
		s->done += n;
		if (status && !s->status) {
			s->status = status;
			snprintf(s->message, sizeof(s->message), "%s", error_message());
		}
		pthread_cond_broadcast(&b->ready);
		return 1;
	}
	return 0;
}

static void *worker_main(void *argument)
{
	struct worker *w = argument;
	struct batches *b = w->b;

	pthread_mutex_lock(&b->lock);
	while (!b->stop)
		if (!work_some(b, w))
			pthread_cond_wait(&b->work, &b->lock);
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

/* Workers leave signals to the main thread. */
static int workers_start(struct batches *b)
{
	int count = b->s.workers ? b->s.workers : 1, failed = 0;
	sigset_t all, before;

	b->workers = memory_new((size_t)count, sizeof(*b->workers));
	if (!b->workers)
		return STATUS_SYSTEM;
	for (int i = 0; i < count; i++) {
		b->workers[i].b = b;
		b->workers[i].work = view_work_new();
		if (!b->workers[i].work)
			return STATUS_SYSTEM;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (int i = 0; i < b->s.workers && !failed; i++) {
		failed = pthread_create(&b->workers[i].thread, NULL, worker_main, &b->workers[i]);
		b->started += !failed;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed ? error(STATUS_SYSTEM, "cannot start %d reading threads: use fewer",
				b->s.workers)
		      : 0;
}

/* --- the interface --- */

static int prepare(struct batches *b)
{
	int64_t n = batches_samples(&b->s, b->data->count);

	b->samples = n;
	b->per_epoch = b->s.shuffle ? n / b->s.batch : (n + b->s.batch - 1) / b->s.batch;
	if (b->per_epoch < 1)
		return error(STATUS_DATA, "%s: %lld images are less than a batch of %lld",
			h5_path(b->data->file), (long long)n, (long long)b->s.batch);
	b->order = memory_new((size_t)n, sizeof(*b->order));
	b->slot_count = (b->s.ahead ? b->s.ahead : 4) + 1;
	if (!b->s.workers)
		b->slot_count = 1;
	b->slots = memory_new((size_t)b->slot_count, sizeof(*b->slots));
	if (!b->order || !b->slots)
		return STATUS_SYSTEM;
	for (int64_t i = 0; i < b->slot_count; i++)
		TRY(slot_init(&b->slots[i], &b->s));
	return workers_start(b);
}

int batches_open(struct batches **out, struct dataset *d, const struct batches_settings *s)
{
	struct batches_settings settings = *s;
	struct batches *b;
	int status;

	*out = NULL;
	batches_defaults(&settings);
	TRY(batches_check(d, &settings));
	b = memory_new(1, sizeof(*b));
	if (!b)
		return STATUS_SYSTEM;
	b->data = d;
	b->s = settings;
	b->order_epoch = -1;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->work, NULL);
	pthread_cond_init(&b->ready, NULL);
	status = prepare(b);
	if (status) {
		batches_close(b);
		return status;
	}
	*out = b;
	return 0;
}

/* Forgets what is in flight; returns when no worker touches it. */
static void drain(struct batches *b)
{
	pthread_mutex_lock(&b->lock);
	for (int64_t k = b->head; k < b->tail; k++)
		slot_at(b, k)->next = slot_at(b, k)->count;
	while (b->busy)
		pthread_cond_wait(&b->ready, &b->lock);
	b->head = b->tail = 0;
	b->lent = 0;
	pthread_mutex_unlock(&b->lock);
}

void batches_close(struct batches *b)
{
	int count;

	if (!b)
		return;
	drain(b);
	pthread_mutex_lock(&b->lock);
	b->stop = 1;
	pthread_cond_broadcast(&b->work);
	pthread_mutex_unlock(&b->lock);
	for (int i = 0; i < b->started; i++)
		pthread_join(b->workers[i].thread, NULL);
	count = b->workers ? b->s.workers ? b->s.workers : 1 : 0;
	for (int i = 0; i < count; i++) {
		view_work_free(b->workers[i].work);
		free(b->workers[i].scratch.pixels);
	}
	for (int64_t i = 0; b->slots && i < b->slot_count; i++)
		slot_free(&b->slots[i], b->s.batch);
	free(b->workers);
	free(b->slots);
	free(b->order);
	pthread_cond_destroy(&b->ready);
	pthread_cond_destroy(&b->work);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

int64_t batches_per_epoch(const struct batches *b)
{
	return b->per_epoch;
}

int batches_seek(struct batches *b, int64_t epoch, int64_t i)
{
	if (epoch < 0 || i < 0 || i > b->per_epoch ||
		(uint64_t)epoch > UINT32_MAX / (uint64_t)b->s.repeats)
		return error(STATUS_USAGE, "batch %lld of epoch %lld: an epoch has %lld",
			(long long)i, (long long)epoch, (long long)b->per_epoch);
	drain(b);
	b->epoch = epoch;
	b->step = i;
	if (b->s.train && i == b->per_epoch) {
		b->epoch++;
		b->step = 0;
	}
	return 0;
}

/* Fills in slots while there are free ones; a slot whose bytes cannot be read carries the error. */
static void schedule(struct batches *b)
{
	while (b->tail - b->head < b->slot_count && b->step < b->per_epoch) {
		struct slot *s = slot_at(b, b->tail);
		int status = slot_fill(b, s);

		if (status) {
			s->status = status;
			s->next = s->done = s->count;
			snprintf(s->message, sizeof(s->message), "%s", error_message());
		}
		if (++b->step == b->per_epoch && b->s.train) {
			b->step = 0;
			b->epoch++;
		}
		pthread_mutex_lock(&b->lock);
		b->tail++;
		pthread_cond_broadcast(&b->work);
		pthread_mutex_unlock(&b->lock);
	}
}

int batches_next(struct batches *b, struct batch *out)
{
	struct slot *s;

	pthread_mutex_lock(&b->lock);
	b->head += b->lent;
	b->lent = 0;
	pthread_mutex_unlock(&b->lock);
	schedule(b);
	if (b->head == b->tail)
		return STATUS_NO;
	s = slot_at(b, b->head);
	pthread_mutex_lock(&b->lock);
	while (s->done < s->count)
		if (b->started)
			pthread_cond_wait(&b->ready, &b->lock);
		else
			work_some(b, &b->workers[0]);
	b->lent = 1;
	pthread_mutex_unlock(&b->lock);
	if (s->status)
		return error(s->status, "%s", s->message);
	*out = (struct batch){.epoch = s->epoch,
		.position = s->step * b->s.batch,
		.count = s->count,
		.pixels = s->pixels,
		.labels = s->labels,
		.index = s->index,
		.erase = s->erase,
		.mix = s->mix};
	return 0;
}
