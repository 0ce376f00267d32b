/*
 * What the two halves of the fast scan share: a task is one sample and one block of channels.
 *
 * Arrays of a block hold BLOCK lanes for each row; lanes beyond the last channel are zero. Sets of
 * 4, 2 or 1 directions walk together and share exponentials (param_at_scan 0), so the inner loops
 * see a constant number of them.
 */
#ifndef KERNELS_SELECTIVE_SCAN_FAST_H
#define KERNELS_SELECTIVE_SCAN_FAST_H

#include <string.h>
#include "kernels/selective_scan.h"
#include "kernels/vmath.h"

#define BLOCK 32 /* channels */
#define SET 4	 /* directions that walk together at most */
#define LANES __attribute__((aligned(64)))

struct task {
	const struct selective_scan *p;
	const struct scan_inputs *in;
	int64_t b, e0, width; /* sample, first channel, channels that exist */
};

static inline int64_t scan_blocks(const struct selective_scan *p)
{
	return (p->dim + BLOCK - 1) / BLOCK;
}

/* How many of the directions from k on walk together. */
static inline int set_size(const struct selective_scan *p, int64_t k)
{
	int64_t left = p->directions - k;

	return p->param_at_scan || left < 2 ? 1 : left < 4 ? 2 : 4;
}

static inline int64_t task_token(const struct task *s, int64_t k, int64_t t)
{
	return s->in->order ? s->in->order[k * s->p->len + t] : t;
}

/* Where step t of direction k reads its step size, B and C. */
static inline int64_t task_source(const struct task *s, int64_t k, int64_t t)
{
	return s->p->param_at_scan ? task_token(s, k, t) : t;
}

static inline int task_starts(const struct task *s, int64_t k, int64_t t)
{
	const int32_t *g = s->in->segments + s->b * s->p->len;

	return g[task_token(s, k, t)] != g[task_token(s, k, t - 1)];
}

/* Row i of an activation (b, L, E), at the block's first channel. */
static inline int64_t task_row(const struct task *s, int64_t i)
{
	return (s->b * s->p->len + i) * s->p->dim + s->e0;
}

/*
 * Long rows: a step's values lie a page or more from the last step's, which the processor does not
 * foresee. A block's row is asked for AHEAD steps before. What asks is inlined by order: gcc takes
 * a function that does nothing else for one without effect, and drops its calls.
 */
#define AHEAD 8

static inline __attribute__((always_inline)) void ask_row(const real *row)
{
	for (size_t at = 0; at < BLOCK; at += 64 / sizeof(real))
		__builtin_prefetch(row + at);
}

static inline int64_t task_y(const struct task *s, int64_t k, int64_t i)
{
	int64_t row = s->p->merged ? s->b : s->b * s->p->directions + k;

	return (row * s->p->len + i) * s->p->dim + s->e0;
}

/* A (N, BLOCK) = -e^A_log * scale: log2(e) as scale makes the exponentials powers of two. */
static inline void load_A(const struct task *s, real *A, real scale)
{
	int64_t N = s->p->state;

	memset(A, 0, N * BLOCK * sizeof(*A));
	for (int64_t e = 0; e < s->width; e++)
		for (int64_t n = 0; n < N; n++)
			A[n * BLOCK + e] = -vexp(s->in->A_log[(s->e0 + e) * N + n]) * scale;
}

static inline void load_delta(const struct task *s, int64_t q, real *delta)
{
	const real *r = s->in->r + task_row(s, q), *beta = s->in->beta + s->e0;
	real kappa = s->p->kappa;

#pragma omp simd
	for (int64_t e = 0; e < s->width; e++)
		delta[e] = vsoftplus(r[e] + kappa * beta[e]);
}

/* B of one step for each of the set's directions, (G, N), the direction's part included. */
static inline void load_B(const struct task *s, int64_t k0, int G, int64_t t, real *B)
{
	int64_t N = s->p->state;
	const real *row = s->in->B + (s->b * s->p->len + task_source(s, k0, t)) * N;

	for (int g = 0; g < G; g++) {
		memcpy(B + g * N, row, N * sizeof(*B));
		if (s->in->direction_B) {
			const real *part =
				s->in->direction_B + s->in->code[(k0 + g) * s->p->len + t] * N;

			for (int64_t n = 0; n < N; n++)
				B[g * N + n] += part[n];
		}
	}
}

#endif
