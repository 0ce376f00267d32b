/*
 * A model: the parameters of one or more networks, their gradients and buffers, in flat arrays.
 *
 * Names are the original PyTorch ones. Trainable parameters and buffers (batch norm's running
 * statistics) lie in two blocks; each parameter starts at a multiple of 16 elements and the
 * padding stays zero, so that optimiser, norm and sums walk flat arrays.
 */
#ifndef PROGRAM_MODEL_H
#define PROGRAM_MODEL_H

#include <stdint.h>
#include "kernels/real.h"
#include "lib/program/device.h"

enum param_flags {
	PARAM_DECAY = 1,   /* weight decay applies */
	PARAM_BUFFER = 2,  /* running statistic: its gradient slot takes the batch's value */
	PARAM_COUNTER = 4, /* a buffer that counts steps; int64 in files */
	PARAM_FROZEN = 8,  /* no gradient */
};

enum init {
	INIT_ZERO,
	INIT_ONE,
	INIT_NORMAL,  /* standard deviation a */
	INIT_UNIFORM, /* in [-a, a] */
	INIT_A_LOG,   /* ln(n + 1) along the last axis */
	INIT_DT_BIAS, /* inverse softplus of a step drawn log-uniformly from [0.001, 0.1] */
	INIT_EYE,     /* identity on the overlapping block plus N(0, a) elsewhere */
};

struct param {
	char *name;
	int dims;
	int64_t shape[TENSOR_DIMS], count;
	unsigned flags;
	int group; /* of which network: 0 the network itself, 1 the calibration map */
	enum init init;
	double a;
	int64_t offset;	   /* elements from the start of its block */
	real *data, *grad; /* set by model_allocate; grad NULL for a model without gradients */
	struct model *model;
};

struct model {
	struct param **params;
	int count, room;
	int group;		   /* of parameters made from now on */
	int64_t size, buffer_size; /* elements of the two blocks, padding included */
	real *data, *grad;	   /* trainable block */
	real *buffer, *stat;	   /* running statistics, and the batch's */
	void *half;		   /* data as bf16, on devices that store halves; else NULL */
	int half_stale;		   /* data was changed from the host since */
	const struct device *device;
	int failed; /* a parameter could not be made: model_allocate returns the error */
};

struct model *model_new(void);
void model_free(struct model *m);

/* A new parameter; dims sizes (int64_t) follow. Names must differ. */
struct param *model_param(
	struct model *m, unsigned flags, enum init init, double a, const char *name, int dims, ...);

struct param *model_find(const struct model *m, const char *name);

/* Numbers that a user calls parameters: buffers not counted. group -1: all. */
int64_t model_parameters(const struct model *m, int group);

/* Bytes that model_allocate will take. */
size_t model_bytes(const struct model *m, const struct device *device, int with_gradients);

int model_allocate(struct model *m, const struct device *device, int with_gradients);

/* Marks a group frozen or not: frozen parameters have no gradient in programs built afterwards. */
void model_freeze(struct model *m, int group, int frozen);

/* Draws every parameter of the group as its init says: Philox, keyed by seed, name and element. */
int model_init(struct model *m, int group, uint64_t seed);
/* One parameter alone: host gets param->count values. */
void param_init(const struct param *param, uint64_t seed, real *host);

void param_get(const struct model *m, const struct param *p, real *host);
void param_put(struct model *m, struct param *p, const real *host);

/*
 * Brings the bf16 copy up to date. Programs do it themselves: of a model with gradients at every
 * forward walk, of others after the host changed them.
 */
void model_halve(struct model *m);

#endif
