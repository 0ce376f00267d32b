/*
 * Scans of one u in one call: the bits of one call of selective_scan for each, whose outputs are
 * added in pairs and whose gradients of u gather from the last scan to the first.
 */
#include "kernels/selective_scans.h"
#include "tests/tap.h"

enum { BATCH = 2, HEIGHT = 3, WIDTH = 5, LEN = HEIGHT * WIDTH, DIM = 37, SCANS = 4 };

static uint64_t seed = 1;

static real *drawn(int64_t count)
{
	real *x = malloc(count * sizeof(*x));

	for (int64_t i = 0; i < count; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		x[i] = (real)((double)(seed >> 11) / 4503599627370496.0 - 1);
	}
	return x;
}

static real *zeros(int64_t count)
{
	return calloc(count, sizeof(real));
}

/* Inputs of all scans; gradients of one way of computing them, y and dy. */
struct problem {
	struct selective_scans p;
	struct scans_inputs in;
	int32_t order[SCANS * LEN];
	real *dy[SCANS];
};

struct outcome {
	real *y[SCANS];
	struct scans_grads d;
};

static void problem_open(struct problem *c, int64_t state, int64_t count, int merged)
{
	int64_t tokens = BATCH * LEN;

	c->p = (struct selective_scans){
		{BATCH, LEN, DIM, state, 1, 1, 1, (real)1.5}, count, merged};
	order_fill(ORDER_CROSS, HEIGHT, WIDTH, c->order, NULL);
	c->in = (struct scans_inputs){drawn(tokens * DIM), drawn(SCANS * DIM),
		drawn(SCANS * DIM * state), drawn(SCANS * DIM), .order = c->order};
	for (int k = 0; k < SCANS; k++) {
		c->in.r[k] = drawn(tokens * DIM);
		c->in.B[k] = drawn(tokens * state);
		c->in.C[k] = drawn(tokens * state);
		c->dy[k] = drawn(tokens * DIM);
	}
}

static void outcome_open(struct outcome *o, int64_t state)
{
	int64_t tokens = BATCH * LEN;

	o->d = (struct scans_grads){zeros(tokens * DIM), zeros(SCANS * DIM),
		zeros(SCANS * DIM * state), zeros(SCANS * DIM)};
	for (int k = 0; k < SCANS; k++) {
		o->y[k] = zeros(tokens * DIM);
		o->d.r[k] = zeros(tokens * DIM);
		o->d.B[k] = zeros(tokens * state);
		o->d.C[k] = zeros(tokens * state);
	}
}

static void problem_close(struct problem *c)
{
	const real *of[] = {c->in.u, c->in.beta, c->in.A_log, c->in.D};

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		free((void *)of[i]);
	for (int k = 0; k < SCANS; k++) {
		free((void *)c->in.r[k]);
		free((void *)c->in.B[k]);
		free((void *)c->in.C[k]);
		free(c->dy[k]);
	}
}

static void outcome_close(struct outcome *o)
{
	free(o->d.u);
	free(o->d.beta);
	free(o->d.A_log);
	free(o->d.D);
	for (int k = 0; k < SCANS; k++) {
		free(o->y[k]);
		free(o->d.r[k]);
		free(o->d.B[k]);
		free(o->d.C[k]);
	}
}

/* Scan k alone by selective_scan.h, forward and, if back, backward. */
static void one_scan(
	const struct problem *c, struct outcome *o, int k, int fast, int back, real *work)
{
	int64_t N = c->p.one.state;
	struct scan_inputs in = {.u = c->in.u,
		.r = c->in.r[k],
		.beta = c->in.beta + k * DIM,
		.A_log = c->in.A_log + k * DIM * N,
		.B = c->in.B[k],
		.C = c->in.C[k],
		.D = c->in.D + k * DIM,
		.order = c->order + k * LEN};
	struct scan_grads d = {.u = o->d.u,
		.r = o->d.r[k],
		.beta = o->d.beta + k * DIM,
		.A_log = o->d.A_log + k * DIM * N,
		.B = o->d.B[k],
		.C = o->d.C[k],
		.D = o->d.D + k * DIM,
		.acc_u = 1};
	const real *dy = c->dy[c->p.merged ? 0 : k];

	if (!back && fast)
		selective_scan_forward_fast(&c->p.one, o->y[k], &in, work);
	else if (!back)
		selective_scan_forward(&c->p.one, o->y[k], &in);
	else if (fast)
		selective_scan_backward_fast(&c->p.one, &d, dy, &in, work);
	else
		selective_scan_backward(&c->p.one, &d, dy, &in, work);
}

static void by_ones(const struct problem *c, struct outcome *o, int fast, real *work)
{
	for (int k = 0; k < c->p.count; k++)
		one_scan(c, o, k, fast, 0, work);
	for (int64_t i = 0; i < BATCH * LEN * DIM && c->p.merged; i++) {
		real even = o->y[0][i], odd = o->y[1][i];

		if (c->p.count > 2)
			even += o->y[2][i];
		if (c->p.count > 3)
			odd += o->y[3][i];
		o->y[0][i] = c->p.count > 1 ? even + odd : even;
	}
	for (int k = (int)c->p.count - 1; k >= 0; k--)
		one_scan(c, o, k, fast, 1, work);
}

static void together(const struct problem *c, struct outcome *o, int fast, real *work)
{
	const real *const *dy = (const real *const *)c->dy;

	if (fast) {
		selective_scans_forward_fast(&c->p, o->y, &c->in, work);
		selective_scans_backward_fast(&c->p, &o->d, dy, &c->in, work);
	} else {
		selective_scans_forward(&c->p, o->y, &c->in, work);
		selective_scans_backward(&c->p, &o->d, dy, &c->in, work);
	}
}

static int same(const real *a, const real *b, int64_t count)
{
	return !memcmp(a, b, count * sizeof(*a));
}

static int all_same(const struct outcome *a, const struct outcome *b, const struct problem *c)
{
	int64_t tokens = BATCH * LEN, N = c->p.one.state, K = c->p.count;
	int good = same(a->d.u, b->d.u, tokens * DIM) && same(a->d.beta, b->d.beta, K * DIM) &&
		   same(a->d.A_log, b->d.A_log, K * DIM * N) && same(a->d.D, b->d.D, K * DIM);

	for (int k = 0; k < K; k++)
		good = good && (k && c->p.merged ? 1 : same(a->y[k], b->y[k], tokens * DIM)) &&
		       same(a->d.r[k], b->d.r[k], tokens * DIM) &&
		       same(a->d.B[k], b->d.B[k], tokens * N) &&
		       same(a->d.C[k], b->d.C[k], tokens * N);
	return good;
}

static void check(int64_t state, int64_t count, int merged)
{
	struct problem c;
	int64_t most = 0;
	real *work;

	problem_open(&c, state, count, merged);
	for (int back = 0; back < 2; back++) {
		int64_t plain = selective_scans_work(&c.p, back);
		int64_t fast = selective_scans_work_fast(&c.p, back);

		most = plain > most ? plain : most;
		most = fast > most ? fast : most;
	}
	work = aligned_alloc(64, (most * sizeof(*work) + 63) / 64 * 64);
	for (int fast = 0; fast < 2; fast++) {
		struct outcome a, b;

		outcome_open(&a, state);
		outcome_open(&b, state);
		by_ones(&c, &a, fast, work);
		together(&c, &b, fast, work);
		ok(all_same(&a, &b, &c), "%d scans of %d states, %s, %s: the bits of single calls",
			(int)count, (int)state, merged ? "summed" : "apart",
			fast ? "fast" : "plain");
		outcome_close(&a);
		outcome_close(&b);
	}
	free(work);
	problem_close(&c);
}

int main(void)
{
	for (int64_t count = 1; count <= SCANS; count++)
		for (int merged = 0; merged < 2; merged++)
			check(count % 2 ? 16 : 1, count, merged);
	check(16, 4, 0);
	check(16, 4, 1);
	return done();
}
