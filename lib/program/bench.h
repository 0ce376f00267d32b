/*
 * Timing of single ops: a table of every op at sizes of use, each checked before it is timed.
 *
 * A case builds one op over random inputs. It is checked at a small batch, fast form against the
 * reference loops, and timed at the full one, forward and backward apart. What an op could take at
 * least follows from its products and its bytes and from what the machine does at best
 * (bench_limits): the share of a time in that is what is left to gain.
 */
#ifndef PROGRAM_BENCH_H
#define PROGRAM_BENCH_H

#include "lib/program/program.h"

#define BENCH_SIZES 6
#define BENCH_SHAPE 64

struct bench_case {
	const char *op; /* as in ops.def */
	/* n[0] is the batch. Returns the output; NULL for ops that have none. */
	tensor (*build)(struct program *p, const int64_t *n);
	/* floating-point operations of forward (a multiply-add is two); NULL: bytes decide */
	double (*flops)(const int64_t *n);
	double backward; /* its operations over forward's */
	int64_t n[BENCH_SIZES];
};

/* The i-th case, or NULL after the last: networks at 224 pixels, then at the tiny scale. */
const struct bench_case *bench_case_at(int i);

/* Its sizes, joined by x: 8x14x384x16. */
void bench_shape(const struct bench_case *c, char *text, size_t size);

struct bench_limits {
	double flops;  /* per second: a product whose operands lie in the second cache */
	double cached; /* bytes per second, read and written: a copy of 1 MiB */
	double bytes;  /* the same of 64 MiB */
	double cache;  /* bytes of the last cache: up to there `cached` counts */
};

struct bench_times {
	char shape[BENCH_SHAPE];
	double error;	   /* relative distance of fast and reference: output and gradients */
	double seconds[2]; /* forward, backward (0: none); the best of all runs */
	double flops[2];   /* operations of each */
	double bytes[2];   /* inputs, outputs and gradients, each once */
};

int bench_limits(struct bench_limits *l, const struct device *device, double seconds);
/* Seconds that the limits allow for a pass at least. */
double bench_least(const struct bench_times *t, const struct bench_limits *l, int pass);
/*
 * Checks and times one case for about `seconds`. STATUS_BUG if the error is too large: 1e-4 on the
 * CPU.
 */
int bench_run(const struct bench_case *c, const struct device *device, double seconds,
	struct bench_times *t);

#endif
