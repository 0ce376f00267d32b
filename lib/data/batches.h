/*
 * Batches of augmented views, made by worker threads ahead of the step.
 *
 * The bytes of a batch are a function of (settings, seed, epoch, position): any number of workers
 * and any starting point give the same. An epoch visits a permutation of the samples drawn by
 * Philox (seed, PURPOSE_SHUFFLE, epoch); in training the last incomplete batch is dropped.
 */
#ifndef DATA_BATCHES_H
#define DATA_BATCHES_H

#include "lib/data/dataset.h"
#include "lib/data/randaugment.h"

enum augment_geometry {
	AUGMENT_NONE,  /* evaluation: resize the short side, centre crop, black around */
	AUGMENT_CROP,  /* random resized crop (scale, ratio), bicubic */
	AUGMENT_SHIFT, /* shift by up to +-shift pixels, border repeated; image as large as the view
			*/
};

struct augment {
	int64_t size;	/* side of the view, in pixels */
	int64_t resize; /* evaluation: short side before the centre crop; 0: size, no margin */
	enum augment_geometry geometry;
	double scale_min, scale_max, ratio_min, ratio_max; /* area 0.08..1, aspect 3/4..4/3 */
	int64_t shift;
	double flip;			    /* probability of a horizontal flip */
	struct randaugment rand;	    /* ops 0: off */
	double jitter;			    /* colour jitter; 0: off; RandAugment replaces it */
	double erase;			    /* probability of random erasing */
	double mixup, cutmix;		    /* Beta parameters; 0: off */
	double mix_probability, mix_switch; /* always 1 and 0.5 in the recipes */
	double mean[3];			    /* fill colour of RandAugment, 0..1 */
};

/*
 * "none"; "tiny": shift by 3 and flip; "imagenet": crop, flip, rand-m9-mstd0.5-inc1, erasing 0.25,
 * mixup 0.8, cutmix 1, evaluation at 256 / 224. STATUS_USAGE for another name.
 */
int augment_preset(struct augment *a, const char *name, int64_t size);
/* Every value within its range? STATUS_USAGE with its name. */
int augment_check(const struct augment *a);
/* Two views are equal if their text is: used in settings and features files. JSON, malloc'ed. */
char *augment_text(const struct augment *a);

struct batches_settings {
	struct augment augment;
	int train;	/* augment */
	int shuffle;	/* with train: a new order each epoch, the last incomplete batch dropped */
	int64_t batch;	/* samples a batch (global), a multiple of shards */
	int64_t shards; /* mixing partners are found inside a shard; 0: 1 */
	/*
	 * Views of a sample in an epoch, 1 or 3 (repeated augmentation); 0: 1. An epoch is as long
	 * as with 1 and visits that share of the samples, whose views go to different shards.
	 */
	int64_t repeats;
	int64_t limit; /* use only the first `limit` samples; 0: all */
	int64_t first; /* leave out the samples before this one */
	/*
	 * Augmentation (with mixing also the order) of epoch e is that of e mod views; 0: of e
	 */
	int64_t views;
	uint64_t seed;
	int workers; /* threads; 0: in the caller */
	int ahead;   /* batches in flight; 0: 4 */
};

/*
 * One batch. Memory belongs to the batches and stays valid until the next call. `count` is below
 * settings.batch only for the last batch of an evaluation.
 */
struct batch {
	int64_t epoch, position; /* first sample's position in the epoch */
	int64_t count;
	const uint8_t *pixels; /* (count, size, size, 3), before erasing and mixing */
	const int32_t *labels; /* (count), -1 where unknown */
	const int64_t *index;  /* (count) sample in the file */
	/*
	 * (count, 6): top, left, height, width of the box to erase (height 0: none), sample and
	 * epoch words that key its noise (kernels/image_input.h)
	 */
	const int32_t *erase;
	/*
	 * (shards, 6): kind (0 none, 1 mixup, 2 cutmix), lambda (share of the sample itself), and
	 * top, left, bottom, right of the pasted box
	 */
	const float *mix;
};

/* Fills in what 0 stands for; batches_open does it itself. */
void batches_defaults(struct batches_settings *s);
/* Whether they make sense, for this file: STATUS_USAGE, STATUS_DATA. batches_open asks too. */
int batches_check(const struct dataset *d, const struct batches_settings *s);

struct batches;
int batches_open(struct batches **b, struct dataset *d, const struct batches_settings *s);
void batches_close(struct batches *b);
int64_t batches_per_epoch(const struct batches *b);
/* The next call to batches_next gives batch `i` of `epoch` (both from 0). */
int batches_seek(struct batches *b, int64_t epoch, int64_t i);
/* Walks on over epochs without end; in evaluation returns STATUS_NO after the last batch. */
int batches_next(struct batches *b, struct batch *out);

/* How many of a file's samples are used. */
int64_t batches_samples(const struct batches_settings *s, int64_t samples);
/* Bytes that batches_open will allocate for a file of so many samples, its cache apart. */
int64_t batches_memory(const struct batches_settings *s, int64_t samples);

/* One view, for --show and for tests: out (size, size, 3); erase (6). */
struct view_work;
struct view_work *view_work_new(void);
void view_work_free(struct view_work *w);
/* `epoch` is the epoch word, epoch * repeats + repeat. */
int augment_view(const struct augment *a, int train, const struct picture *in, uint64_t seed,
	int64_t epoch, int64_t sample, uint8_t *out, int32_t *erase, struct view_work *w);
/* The mixing row of a shard of a step. */
void augment_mix(const struct augment *a, uint64_t seed, int64_t epoch, int64_t step, int64_t shard,
	float *mix);

#endif
