/* Top-1, top-5 and logits of a network over a data set. */
#ifndef TRAIN_EVALUATE_H
#define TRAIN_EVALUATE_H

#include "lib/data/batches.h"
#include "lib/models/network.h"

struct evaluator {
	struct network *network;
	const struct device *device;
	struct program *program;
	tensor pixels, logits;
	int64_t batch;
	int64_t first, limit; /* which images of the data; 0, 0: all */
	void *block;	      /* own or shared activations */
	int own_block;
};

struct scores {
	int64_t count, top1, top5; /* of labelled samples */
	double loss;		   /* mean cross-entropy; until scores_end() its sum */
};

/* Adds one sample; a label below 0, or of no class, is not counted. */
void scores_add(struct scores *s, const real *logits, int64_t classes, int64_t label);
void scores_end(struct scores *s);

/*
 * The input of a program as the network takes it. *pixels are bytes (batch, S, S, 3), or where the
 * samples are clips (batch * frames, S, S, 3), frame after frame.
 */
tensor input_pixels(struct program *p, const struct network_config *c, int64_t batch, int clips,
	tensor *pixels);

/* Builds and plans; no memory is taken yet. Program of `batch` images, or clips. */
int evaluator_new(struct evaluator **e, struct network *n, int64_t batch, int clips,
	const struct device *device);
size_t evaluator_bytes(const struct evaluator *e);
/* All that evaluate() needs on the host beside the network and the data. */
size_t evaluate_bytes(const struct evaluator *e, const struct dataset *d,
	const struct augment *view, int workers);
/* block NULL: takes one of its own. */
int evaluator_bind(struct evaluator *e, void *block);
void evaluator_free(struct evaluator *e);

/*
 * A sample is right at k if fewer than k classes have a larger logit, or an equal one and a lower
 * index. `each` (may be NULL) sees every batch's logits (count, classes).
 */
int evaluate(struct evaluator *e, struct dataset *d, const struct augment *view, int workers,
	struct scores *scores, int (*each)(void *data, const struct batch *b, const real *logits),
	void *data);

/* Rank of a label among logits by the rule above, from 0. */
int64_t label_rank(const real *logits, int64_t classes, int64_t label);

#endif
