#include "lib/base/error.h"
#include "lib/train/trainer.h"

#include <math.h>
#include <string.h>

/* --- what comes back from a shard --- */

static int64_t report_size(const struct trainer *t)
{
	return 3 + 2 * (int64_t)t->objective.layers * t->objective.directions;
}

/* loss, task, distill, cosines, weights of the walk that just ended */
static void read_report(struct trainer *t, real *r)
{
	const struct objective *o = &t->objective;
	int64_t n = (int64_t)o->layers * o->directions;

	memset(r, 0, report_size(t) * sizeof(*r));
	tensor_get(t->train, o->loss, r);
	if (o->task)
		tensor_get(t->train, o->task, r + 1);
	if (o->distill)
		tensor_get(t->train, o->distill, r + 2);
	if (n) {
		tensor_get(t->train, o->cosines, r + 3);
		tensor_get(t->train, o->weights, r + 3 + n);
	}
}

/* The same tree as the gradients': level i holds the sum of 2^i shards. */
static void add_report(struct trainer *t, int64_t shard)
{
	int64_t n = report_size(t);
	real *from = t->report;

	for (int level = 0;; level++) {
		real *sum = t->report_tree + level * n;
		int second = shard >> level & 1;

		for (int64_t i = 0; i < n; i++)
			sum[i] = second ? sum[i] + from[i] : from[i];
		if (!second)
			return;
		from = sum;
	}
}

/* --- a shard --- */

static int fill(struct trainer *t, const struct batch *b, int64_t shard)
{
	int64_t n = t->labels->count, at = shard * n;
	struct program *p = t->train;

	tensor_put(p, t->pixels, b->pixels + shard * t->pixels->count);
	tensor_put(p, t->labels, b->labels + at);
	if (t->erase)
		tensor_put(p, t->erase, b->erase + shard * t->erase->count);
	if (t->mix) {
		real row[6];

		for (int i = 0; i < 6; i++)
			row[i] = b->mix[shard * 6 + i];
		tensor_put(p, t->mix, row);
	}
	if (!t->in.features)
		return 0;
	TRY(features_read(t->in.features, b->epoch, b->position + at, b->index + at, n,
		t->host_tokens, t->host_logits));
	if (t->tokens)
		tensor_put(p, t->tokens, t->host_tokens);
	if (t->logits)
		tensor_put(p, t->logits, t->host_logits);
	return 0;
}

static struct step step_of(const struct trainer *t, const struct batch *b, int64_t shard)
{
	const struct train_settings *s = &t->in.settings->train;

	return (struct step){.seed = t->in.seed,
		.epoch = b->epoch,
		.step = t->step,
		.first_sample = shard * t->labels->count,
		.lr = (real)settings_lr(s, t->step, t->per_epoch, t->total),
		.divisor = (real)b->count,
		.scale = (real)1 / s->shards};
}

static void clear(struct trainer *t)
{
	const struct device *d = t->in.device;

	d->zero(t->model->grad, t->model->size * sizeof(real));
	if (t->model->buffer_size)
		d->zero(t->model->stat, t->model->buffer_size * sizeof(real));
}

/* Adds the shard's gradients to the tree. */
static void add_gradients(struct trainer *t, int64_t shard, const struct step *step)
{
	size_t bytes = (t->model->size + t->model->buffer_size) * sizeof(real);

	for (int level = 0;; level++) {
		int second = shard >> level & 1;

		if (!second)
			t->in.device->zero(t->tree[level], bytes);
		program_forward(t->sums[level], step);
		if (!second)
			return;
	}
}

static int run_shards(struct trainer *t, const struct batch *b)
{
	int64_t shards = t->in.settings->train.shards;

	for (int64_t i = 0; i < shards; i++) {
		struct step step = step_of(t, b, i);

		TRY(fill(t, b, i));
		clear(t);
		program_forward(t->train, &step);
		program_backward(t->train, &step);
		if (shards == 1)
			return 0;
		read_report(t, t->report);
		add_report(t, i);
		add_gradients(t, i, &step);
	}
	clear(t);
	program_forward(t->sums[trainer_levels(t) + 1], &(struct step){0});
	t->in.device->put(
		t->loss, t->report_tree + trainer_levels(t) * report_size(t), sizeof(real));
	return 0;
}

/* --- numbers that are not finite --- */

int trainer_blame(struct trainer *t, const struct batch *b)
{
	for (int64_t i = 0; i < t->in.settings->train.shards; i++) {
		struct step step = step_of(t, b, i);

		TRY(fill(t, b, i));
		clear(t);
		TRY(error_context(program_check(t->train, &step), "step %lld (epoch %lld)",
			(long long)t->step + 1, (long long)b->epoch + 1));
	}
	return error(STATUS_NUMBERS,
		"step %lld: the gradient's norm overflows though each part is finite: lower lr, or "
		"set clip",
		(long long)t->step + 1);
}

static void report(struct trainer *t, int64_t step, real norm2, struct step_report *r)
{
	const struct train_settings *s = &t->in.settings->train;
	int64_t n = (int64_t)t->objective.layers * t->objective.directions;
	real *sum = t->report_tree + trainer_levels(t) * report_size(t);
	real scale = (real)1 / s->shards;

	for (int64_t i = 3; i < 3 + 2 * n; i++)
		sum[i] *= scale;
	*r = (struct step_report){.step = step,
		.loss = sum[0],
		.task = sum[1],
		.distill = sum[2],
		.lr = (real)settings_lr(s, step - 1, t->per_epoch, t->total),
		.norm = sqrt(norm2),
		.layers = t->objective.layers,
		.directions = t->objective.directions,
		.cosines = sum + 3,
		.weights = sum + 3 + n};
}

int trainer_enqueue(struct trainer *t, const struct batch *b)
{
	struct step step = step_of(t, b, 0);

	TRY(run_shards(t, b));
	program_forward(t->update, &step);
	return 0;
}

/* --- reports that come later: one shard, on a device that fetches --- */

static int comes_later(const struct trainer *t)
{
	return t->in.device->fetch && t->in.settings->train.shards == 1;
}

/* norm2, gate, then the report, in the order of read_report. */
static void send_report(struct trainer *t)
{
	const struct device *d = t->in.device;
	const struct objective *o = &t->objective;
	const tensor parts[] = {
		t->norm2, t->gate, o->loss, o->task, o->distill, o->cosines, o->weights};
	int slot = (int)(t->step & 1);
	size_t at = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t bytes = (parts[i] ? parts[i]->count : i < 5) * sizeof(real);

		if (parts[i])
			d->fetch(slot, at, parts[i]->data, bytes);
		at += bytes;
	}
	t->pending[slot] = t->step + 1;
}

static int receive_report(struct trainer *t, int slot, struct step_report *r)
{
	int64_t step = t->pending[slot];
	const real *host;

	r->step = 0;
	if (!step)
		return 0;
	t->pending[slot] = 0;
	host = t->in.device->fetched(slot);
	if (!(host[2] > 0)) {
		t->failed = step - 1;
		return error(STATUS_NUMBERS, "step %lld: loss or gradient is not finite",
			(long long)step);
	}
	memcpy(t->report, host + 3, report_size(t) * sizeof(*host));
	if (!t->objective.task)
		t->report[1] = 0;
	if (!t->objective.distill)
		t->report[2] = 0;
	add_report(t, 0);
	report(t, step, host[0], r);
	return 0;
}

int trainer_drain(struct trainer *t, struct step_report *r)
{
	r->step = 0;
	if (!comes_later(t))
		return 0;
	TRY(receive_report(t, (int)(t->step & 1) ^ 1, r));
	return t->in.device->finish();
}

/* What the update just made of this step, at once. */
static int read_update(struct trainer *t, const struct batch *b, struct step_report *r)
{
	real norm2, gate[2];

	if (t->in.settings->train.shards == 1) {
		read_report(t, t->report);
		add_report(t, 0);
	}
	tensor_get(t->update, t->norm2, &norm2);
	tensor_get(t->update, t->gate, gate);
	if (t->in.device->finish)
		TRY(t->in.device->finish());
	if (!(gate[1] > 0)) {
		t->failed = t->step;
		return trainer_blame(t, b);
	}
	report(t, t->step + 1, norm2, r);
	t->step++;
	return 0;
}

int trainer_step(struct trainer *t, const struct batch *b, struct step_report *r)
{
	TRY(trainer_enqueue(t, b));
	if (!comes_later(t))
		return read_update(t, b, r);
	send_report(t);
	t->step++;
	return receive_report(t, (int)(t->step & 1), r);
}

int trainer_loss(struct trainer *t, const struct batch *b, double *loss)
{
	int64_t shards = t->in.settings->train.shards;

	*loss = 0;
	for (int64_t i = 0; i < shards; i++) {
		struct step step = step_of(t, b, i);

		TRY(fill(t, b, i));
		program_forward(t->train, &step);
		read_report(t, t->report);
		*loss += t->report[0];
	}
	if (!isfinite(*loss))
		return trainer_blame(t, b);
	return 0;
}
