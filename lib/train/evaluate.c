#include "lib/train/evaluate.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t label_rank(const real *logits, int64_t classes, int64_t label)
{
	int64_t rank = 0;

	for (int64_t c = 0; c < classes; c++)
		rank += logits[c] > logits[label] || (logits[c] == logits[label] && c < label);
	return rank;
}

void scores_add(struct scores *s, const real *logits, int64_t classes, int64_t label)
{
	double most = logits[0], sum = 0;
	int64_t rank;

	if (label < 0 || label >= classes)
		return;
	rank = label_rank(logits, classes, label);
	s->count++;
	s->top1 += rank < 1;
	s->top5 += rank < 5;
	for (int64_t c = 1; c < classes; c++)
		most = logits[c] > most ? logits[c] : most;
	for (int64_t c = 0; c < classes; c++)
		sum += exp(logits[c] - most);
	s->loss += log(sum) + most - logits[label];
}

void scores_end(struct scores *s)
{
	if (s->count)
		s->loss /= s->count;
}

tensor input_pixels(
	struct program *p, const struct network_config *c, int64_t batch, int clips, tensor *pixels)
{
	int64_t T = network_frames(c), S = c->image, all = clips ? batch * T : batch;
	tensor image;

	*pixels = program_input(p, "pixels", TYPE_U8, 4, (int64_t[]){all, S, S, 3});
	image = image_input(p, *pixels, all);
	return clips ? program_reshape(p, image, 5, (int64_t[]){batch, T, S, S, 3}) : image;
}

int evaluator_new(struct evaluator **out, struct network *n, int64_t batch, int clips,
	const struct device *device)
{
	struct evaluator *e = memory_new(1, sizeof(*e));
	struct network_want want = {0};
	struct network_out y;
	tensor image;

	*out = NULL;
	if (!e)
		return STATUS_SYSTEM;
	e->network = n;
	e->device = device;
	e->batch = batch;
	e->program = program_new(PROGRAM_EVAL);
	if (!e->program) {
		free(e);
		return STATUS_SYSTEM;
	}
	program_set_half(e->program, device->half);
	image = input_pixels(e->program, &n->config, batch, clips, &e->pixels);
	network_build(n, e->program, image, &want, &y);
	if (y.logits)
		e->logits = program_keep(e->program, y.logits, "logits");
	if (program_plan(e->program, device)) {
		evaluator_free(e);
		return STATUS_DATA;
	}
	*out = e;
	return 0;
}

size_t evaluator_bytes(const struct evaluator *e)
{
	return program_bytes(e->program);
}

int evaluator_bind(struct evaluator *e, void *block)
{
	e->own_block = !block;
	e->block = block ? block : e->device->alloc(program_bytes(e->program));
	return e->block ? program_bind(e->program, e->block) : STATUS_SYSTEM;
}

void evaluator_free(struct evaluator *e)
{
	if (!e)
		return;
	program_free(e->program);
	if (e->own_block)
		e->device->release(e->block);
	free(e);
}

/* A last batch that is not full is filled up with its first image. */
static void put_pixels(struct evaluator *e, const struct batch *b, uint8_t *all)
{
	int64_t size = e->pixels->count / e->batch;

	if (b->count == e->batch) {
		tensor_put(e->program, e->pixels, b->pixels);
		return;
	}
	memcpy(all, b->pixels, b->count * size);
	for (int64_t i = b->count; i < e->batch; i++)
		memcpy(all + i * size, b->pixels, size);
	tensor_put(e->program, e->pixels, all);
}

static void no_mixing(struct evaluator *e)
{
	tensor erase = program_find(e->program, "erase"), mix = program_find(e->program, "mix");

	if (erase)
		e->device->zero(erase->data, erase->count * type_size(erase->type));
	if (mix)
		e->device->zero(mix->data, mix->count * type_size(mix->type));
}

static int walk(struct evaluator *e, struct batches *batches, struct scores *s,
	int (*each)(void *data, const struct batch *b, const real *logits), void *data,
	uint8_t *pixels, real *logits)
{
	struct step step = {.divisor = (real)e->batch, .scale = 1};
	int64_t classes = e->network->config.classes;
	struct batch b;

	for (;;) {
		int status = batches_next(batches, &b);

		if (status)
			return status == STATUS_NO ? 0 : status;
		put_pixels(e, &b, pixels);
		program_forward(e->program, &step);
		tensor_get(e->program, e->logits, logits);
		for (int64_t i = 0; i < b.count * classes; i++)
			if (!isfinite(logits[i]))
				return error(STATUS_NUMBERS,
					"the logits of image %lld are not finite: weights or image "
					"are damaged",
					(long long)b.index[i / classes]);
		for (int64_t i = 0; i < b.count; i++)
			scores_add(s, logits + i * classes, classes, b.labels[i]);
		if (each && (status = each(data, &b, logits)))
			return status;
	}
}

static void batches_of(const struct evaluator *e, const struct augment *view, int workers,
	struct batches_settings *s)
{
	*s = (struct batches_settings){.augment = *view,
		.batch = e->batch,
		.shards = 1,
		.repeats = 1,
		.first = e->first,
		.limit = e->limit,
		.workers = workers};
	s->augment.size = e->network->config.image;
	s->augment.geometry = AUGMENT_NONE;
}

size_t evaluate_bytes(
	const struct evaluator *e, const struct dataset *d, const struct augment *view, int workers)
{
	struct batches_settings s;

	batches_of(e, view, workers, &s);
	return evaluator_bytes(e) + e->pixels->count + e->logits->count * sizeof(real) +
	       batches_memory(&s, d->count);
}

int evaluate(struct evaluator *e, struct dataset *d, const struct augment *view, int workers,
	struct scores *scores, int (*each)(void *data, const struct batch *b, const real *logits),
	void *data)
{
	struct batches_settings s;
	uint8_t *pixels = memory_new(e->pixels->count, 1);
	real *logits = memory_new(e->logits->count, sizeof(*logits));
	struct batches *b = NULL;
	int status = pixels && logits ? 0 : STATUS_SYSTEM;

	memset(scores, 0, sizeof(*scores));
	batches_of(e, view, workers, &s);
	if (!status)
		status = batches_open(&b, d, &s);
	no_mixing(e);
	if (!status)
		status = walk(e, b, scores, each, data, pixels, logits);
	scores_end(scores);
	batches_close(b);
	free(pixels);
	free(logits);
	return status;
}
