/*
 * The selective scan in float: fast against plain, guards, threads, two runs, batch splits; and the
 * orders against small vectors worked out by hand and closed forms.
 */
#include <omp.h>
#include "tests/scan_case.h"

static double distance(const real *a, const real *b, int64_t n)
{
	double num = 0, den = 0;

	for (int64_t i = 0; i < n; i++) {
		num += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
		den += (double)b[i] * b[i];
	}
	return sqrt(num) / (sqrt(den) + 1e-12);
}

/* Output and gradients one after another. */
static real *collect(const struct scan_case *c, int64_t *count)
{
	int64_t n = c->count_y;
	real *all;

	for (int i = 0; i < SCAN_INPUTS; i++)
		n += c->count[i];
	all = malloc(n * sizeof(*all));
	memcpy(all, c->y, c->count_y * sizeof(*all));
	n = c->count_y;
	for (int i = 0; i < SCAN_INPUTS; n += c->count[i++])
		memcpy(all + n, c->d[i], c->count[i] * sizeof(*all));
	*count = n;
	return all;
}

static int whole(const struct scan_case *c)
{
	int good = scan_guards_whole(c->y, c->count_y);

	for (int i = 0; i < SCAN_INPUTS; i++)
		good &= scan_guards_whole(c->d[i], c->count[i]) &&
			scan_guards_whole(c->x[i], c->count[i]);
	return good;
}

static void check(enum order_family family, int64_t batch, int64_t height, int64_t width,
	int64_t dim, int64_t state, int scan, int merged)
{
	struct scan_case c;
	real *plain, *fast, *other;
	int64_t n;
	int same = 1, good;
	double e;

	scan_case_open(&c, family, batch, height, width, dim, state, scan, merged, 0);
	scan_case_run(&c, 0);
	plain = collect(&c, &n);
	good = whole(&c);
	omp_set_num_threads(1);
	scan_case_run(&c, 1);
	fast = collect(&c, &n);
	good &= whole(&c);
	e = distance(fast, plain, n);
	for (int threads = 1; threads <= 3; threads++) {
		omp_set_num_threads(threads);
		scan_case_run(&c, 1);
		other = collect(&c, &n);
		same &= !memcmp(fast, other, n * sizeof(*fast));
		free(other);
	}
	ok(e <= 1e-5 && good && same,
		"%d directions, %lld of %lldx%lldx%lld, %lld states, %s%s: fast equals plain, "
		"inside its bounds, same bits for any threads",
		(int)c.p.directions, (long long)batch, (long long)height, (long long)width,
		(long long)dim, (long long)state, scan ? "by token" : "by step",
		merged ? ", merged" : "");
	if (!(e <= 1e-5) || !good || !same)
		diag("distance %g, bounds %d, same %d", e, good, same);
	free(plain);
	free(fast);
	scan_case_close(&c);
}

/* Each sample alone gives the bits it has in a batch. */
static void check_split(void)
{
	struct scan_case c;
	real *all, *one;
	int64_t n, y, tokens, states;
	int same = 1;

	scan_case_open(&c, ORDER_CONTINUOUS, 3, 5, 7, 70, 8, 0, 0, 0);
	scan_case_run(&c, 1);
	all = collect(&c, &n);
	y = c.count_y / 3;
	tokens = c.count[0] / 3;
	states = c.count[4] / 3;
	for (int b = 0; b < 3; b++) {
		struct selective_scan p = c.p;
		struct scan_inputs in = c.in;
		int64_t at = c.count_y;

		p.batch = 1;
		in.u += b * tokens;
		in.r += b * tokens;
		in.B += b * states;
		in.C += b * states;
		selective_scan_forward_fast(&p, c.y, &in, c.work);
		selective_scan_backward_fast(&p, &c.grads, c.dy + b * y, &in, c.work);
		one = collect(&c, &n);
		same &= !memcmp(one, all + b * y, y * sizeof(*one));
		for (int i = 0; i < 6; at += c.count[i++])
			if (i < 2 || i > 3)
				same &= !memcmp(one + at, all + at + b * (i < 2 ? tokens : states),
					(i < 2 ? tokens : states) * sizeof(*one));
		free(one);
	}
	ok(same, "each sample alone: the bits of the batch");
	free(all);
	scan_case_close(&c);
}

/* acc adds to what is there; a gradient that is not wanted changes no other. */
static void check_accumulate(void)
{
	struct scan_case c;
	real *once, *twice;
	int64_t n;
	double worst = 0;
	int same;

	scan_case_open(&c, ORDER_CROSS, 2, 4, 4, 40, 4, 1, 1, 0);
	scan_case_run(&c, 1);
	once = collect(&c, &n);
	c.grads.acc_u = c.grads.acc_r = c.grads.acc_B = c.grads.acc_C = 1;
	selective_scan_backward_fast(&c.p, &c.grads, c.dy, &c.in, c.work);
	twice = collect(&c, &n);
	for (int64_t i = c.count_y; i < n - c.count[7]; i++)
		worst = fmax(worst, fabs(twice[i] - 2.0 * once[i]) / (1 + fabs(once[i])));
	ok(worst <= 1e-6, "gradients add when asked to");
	free(twice);
	c.grads = (struct scan_grads){.u = c.d[0]};
	selective_scan_backward_fast(&c.p, &c.grads, c.dy, &c.in, c.work);
	same = !memcmp(c.d[0], once + c.count_y, c.count[0] * sizeof(*once));
	c.grads = (struct scan_grads){.B = c.d[4]};
	selective_scan_backward_fast(&c.p, &c.grads, c.dy, &c.in, c.work);
	same &= !memcmp(c.d[4],
		once + c.count_y + c.count[0] + c.count[1] + c.count[2] + c.count[3],
		c.count[4] * sizeof(*once));
	ok(same, "gradients nobody wants are left out");
	free(once);
	scan_case_close(&c);
}

static void check_flag(void)
{
	struct scan_case c;
	real *by_step;
	int64_t n;

	scan_case_open(&c, ORDER_CONTINUOUS, 1, 3, 3, 8, 4, 0, 0, 0);
	scan_case_run(&c, 1);
	by_step = collect(&c, &n);
	c.p.param_at_scan = 1;
	scan_case_run(&c, 1);
	ok(distance(c.y, by_step, c.count_y) > 0.01, "by step and by token differ");
	free(by_step);
	scan_case_close(&c);
}

static void check_v9(void)
{
	const int32_t order[4][6] = {
		{0, 1, 2, 5, 4, 3}, {3, 4, 5, 2, 1, 0}, {0, 3, 4, 1, 2, 5}, {5, 2, 1, 4, 3, 0}};
	const int32_t code[4][6] = {
		{0, 1, 1, 4, 2, 2}, {0, 1, 1, 3, 2, 2}, {0, 4, 1, 3, 1, 4}, {0, 3, 2, 4, 2, 3}};
	int32_t o[24], d[24];

	order_fill(ORDER_CONTINUOUS, 2, 3, o, d);
	ok(!memcmp(o, order, sizeof(o)) && !memcmp(d, code, sizeof(d)),
		"orders of a 2 x 3 grid: positions and codes");
}

/* Position and code of step t of direction 1 to 4 in closed form (PlainMamba's snake). */
static int closed_position(int k, int h, int w, int t, int *code)
{
	int L = h * w, s = k % 2 ? t : L - 1 - t, i, j, first;

	if (k <= 2) {
		i = s / w;
		j = i % 2 ? w - 1 - s % w : s % w;
		first = t % w == 0;
		*code = first ? (k == 1 ? 4 : 3) : i % 2 == (k == 2) ? 1 : 2;
	} else {
		j = s / h;
		i = j % 2 ? h - 1 - s % h : s % h;
		first = t % h == 0;
		*code = first ? (k == 3 ? 1 : 2) : j % 2 == (k == 4) ? 4 : 3;
	}
	if (t == 0)
		*code = 0;
	return i * w + j;
}

static void check_orders(void)
{
	const int grids[9][2] = {
		{14, 14}, {2, 3}, {3, 4}, {4, 3}, {5, 5}, {1, 7}, {7, 1}, {1, 1}, {6, 5}};
	static int32_t order[4 * 196], code[4 * 196];

	for (int g = 0; g < 9; g++) {
		int h = grids[g][0], w = grids[g][1], L = h * w, good = 1;

		order_fill(ORDER_CONTINUOUS, h, w, order, code);
		for (int k = 0; k < 4; k++)
			for (int t = 0; t < L; t++) {
				int c, p = closed_position(k + 1, h, w, t, &c);

				good &= order[k * L + t] == p && code[k * L + t] == c;
			}
		ok(good, "continuous orders of %d x %d", h, w);
		order_fill(ORDER_CROSS, h, w, order, NULL);
		for (int t = 0; t < L; t++)
			good &= order[t] == t && order[L + t] == t % h * w + t / h &&
				order[2 * L + t] == L - 1 - t &&
				order[3 * L + t] == order[L + L - 1 - t];
		order_fill(ORDER_BOTH, h, w, order, NULL);
		for (int t = 0; t < L; t++)
			good &= order[t] == t && order[L + t] == L - 1 - t;
		ok(good, "cross and both orders of %d x %d", h, w);
	}
}

int main(void)
{
	/* of grids; of frames with a class token (VideoMamba); of 56 x 56 (VMamba) */
	const int64_t lens[] = {1, 4, 5, 49, 64, 196, 197, 730, 784, 1569, 2353, 3136};

	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		check(ORDER_BOTH, 2, 1, lens[i], 33, 16, 1, 0);
		check(ORDER_CAUSAL, 1, lens[i], 1, 31, 5, 0, 0);
	}
	check(ORDER_BOTH, 1, 1, 2353, 65, 16, 1, 1);
	check(ORDER_CROSS, 1, 56, 56, 35, 16, 1, 1);
	check(ORDER_CROSS, 2, 49, 16, 33, 1, 1, 0);
	check(ORDER_CONTINUOUS, 1, 49, 64, 33, 16, 0, 1);
	check(ORDER_CONTINUOUS, 2, 14, 14, 65, 16, 0, 0);
	check(ORDER_CONTINUOUS, 3, 7, 7, 96, 8, 0, 1);
	check(ORDER_CONTINUOUS, 2, 2, 2, 1, 1, 0, 0);
	check(ORDER_CONTINUOUS, 2, 1, 33, 40, 7, 0, 0);
	check(ORDER_CONTINUOUS, 2, 257, 1, 12, 3, 1, 0);
	check(ORDER_CROSS, 2, 5, 9, 64, 16, 1, 1);
	check_split();
	check_accumulate();
	check_flag();
	check_v9();
	check_orders();
	return done();
}
