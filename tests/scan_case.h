/* One random problem of the selective scan, for the float and the double tests. */
#ifndef TESTS_SCAN_CASE_H
#define TESTS_SCAN_CASE_H

#include "kernels/selective_scan.h"
#include "tests/tap.h"

enum { SCAN_INPUTS = 8, SCAN_GUARD = 64 };

/* The inputs, and their gradients, in the order of struct scan_inputs. */
struct scan_case {
	struct selective_scan p;
	struct scan_inputs in;
	real *x[SCAN_INPUTS], *d[SCAN_INPUTS];
	int64_t count[SCAN_INPUTS], count_y;
	int32_t *order, *code, *segments;
	real *y, *dy, *work;
	struct scan_grads grads;
};

static uint64_t scan_seed = 1;

static double scan_random(void)
{
	scan_seed = scan_seed * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(scan_seed >> 11) / 4503599627370496.0 - 1;
}

/* count reals between guards of a sentinel */
static real *scan_guarded(int64_t count)
{
	real *x = aligned_alloc(64, ((count + 2 * SCAN_GUARD) * sizeof(real) + 63) / 64 * 64);

	for (int64_t i = 0; i < SCAN_GUARD; i++)
		x[i] = x[SCAN_GUARD + count + i] = 12345;
	return x + SCAN_GUARD;
}

__attribute__((unused)) static int scan_guards_whole(const real *x, int64_t count)
{
	for (int64_t i = 0; i < SCAN_GUARD; i++)
		if (x[i - SCAN_GUARD] != 12345 || x[count + i] != 12345)
			return 0;
	return 1;
}

static void scan_case_open(struct scan_case *c, enum order_family family, int64_t batch,
	int64_t height, int64_t width, int64_t dim, int64_t state, int param_at_scan, int merged,
	int segments)
{
	int64_t L = height * width, K = order_directions(family), most;
	const double scale[SCAN_INPUTS] = {1, 1, 0.5, 0.7, 1, 1, 1, 0.5};

	memset(c, 0, sizeof(*c));
	c->p = (struct selective_scan){
		batch, L, dim, state, K, param_at_scan, merged, family == ORDER_CONTINUOUS ? 2 : 1};
	const int64_t counts[] = {batch * L * dim, batch * L * dim, dim, dim * state,
		batch * L * state, batch * L * state, dim, STEP_CODES * state};

	memcpy(c->count, counts, sizeof(counts));
	c->count_y = batch * (merged ? 1 : K) * L * dim;
	c->order = malloc(K * L * sizeof(*c->order));
	c->code = malloc(K * L * sizeof(*c->code));
	order_fill(family, height, width, c->order, c->code);
	for (int i = 0; i < SCAN_INPUTS; i++) {
		c->x[i] = scan_guarded(counts[i]);
		c->d[i] = scan_guarded(counts[i]);
		for (int64_t j = 0; j < counts[i]; j++)
			c->x[i][j] = scale[i] * scan_random();
	}
	c->y = scan_guarded(c->count_y);
	c->dy = scan_guarded(c->count_y);
	for (int64_t i = 0; i < c->count_y; i++)
		c->dy[i] = scan_random();
	c->in = (struct scan_inputs){c->x[0], c->x[1], c->x[2], c->x[3], c->x[4], c->x[5], c->x[6],
		family == ORDER_CONTINUOUS ? c->x[7] : NULL, c->order, c->code, NULL};
	c->grads = (struct scan_grads){c->d[0], c->d[1], c->d[2], c->d[3], c->d[4], c->d[5],
		c->d[6], family == ORDER_CONTINUOUS ? c->d[7] : NULL, 0, 0, 0, 0};
	if (segments) {
		c->segments = malloc(batch * L * sizeof(*c->segments));
		for (int64_t b = 0; b < batch; b++)
			for (int64_t i = 0; i < L; i++)
				c->segments[b * L + i] = (int32_t)(i - i % (2 + b));
		c->in.segments = c->segments;
	}
	most = selective_scan_work(&c->p, 1);
	if (most < selective_scan_work_fast(&c->p, 1))
		most = selective_scan_work_fast(&c->p, 1);
	c->work = scan_guarded(most);
}

static void scan_case_close(struct scan_case *c)
{
	for (int i = 0; i < SCAN_INPUTS; i++) {
		free(c->x[i] - SCAN_GUARD);
		free(c->d[i] - SCAN_GUARD);
	}
	free(c->y - SCAN_GUARD);
	free(c->dy - SCAN_GUARD);
	free(c->work - SCAN_GUARD);
	free(c->order);
	free(c->code);
	free(c->segments);
}

/* Outputs poisoned (gradients of parameters cleared: they add), forward and backward. */
static void scan_case_run(struct scan_case *c, int fast)
{
	for (int64_t i = 0; i < c->count_y; i++)
		c->y[i] = NAN;
	for (int i = 0; i < SCAN_INPUTS; i++)
		for (int64_t j = 0; j < c->count[i]; j++)
			c->d[i][j] = i == 0 || i == 1 || i == 4 || i == 5 ? NAN : 0;
	if (fast) {
		selective_scan_forward_fast(&c->p, c->y, &c->in, c->work);
		selective_scan_backward_fast(&c->p, &c->grads, c->dy, &c->in, c->work);
	} else {
		selective_scan_forward(&c->p, c->y, &c->in);
		selective_scan_backward(&c->p, &c->grads, c->dy, &c->in, c->work);
	}
}

#endif
