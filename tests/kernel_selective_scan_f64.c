/*
 * The selective scan in double: gradients, plain and fast, against central differences; the
 * zero-order hold; the two-step CrossMamba state; identities.
 */
#include "tests/scan_case.h"

static const char *const names[] = {"u", "r", "beta", "A_log", "B", "C", "D", "direction_B"};

static double objective(struct scan_case *c, int fast)
{
	double sum = 0;

	if (fast)
		selective_scan_forward_fast(&c->p, c->y, &c->in, c->work);
	else
		selective_scan_forward(&c->p, c->y, &c->in);
	for (int64_t i = 0; i < c->count_y; i++)
		sum += c->y[i] * c->dy[i];
	return sum;
}

/* Largest error of up to 30 elements, relative to the gradient's largest. */
static double gradient_error(struct scan_case *c, int i, int fast)
{
	int64_t stride = c->count[i] > 30 ? c->count[i] / 30 : 1;
	double worst = 0, scale = 1e-3;

	for (int64_t j = 0; j < c->count[i]; j++)
		scale = fmax(scale, fabs(c->d[i][j]));
	for (int64_t j = 0; j < c->count[i]; j += stride) {
		double keep = c->x[i][j], h = 1e-5, up, down, e;

		c->x[i][j] = keep + h;
		up = objective(c, fast);
		c->x[i][j] = keep - h;
		down = objective(c, fast);
		c->x[i][j] = keep;
		e = fabs((up - down) / (2 * h) - c->d[i][j]) / scale;
		if (!(e <= worst))
			worst = e;
	}
	return worst;
}

static void check(enum order_family family, int64_t height, int64_t width, int64_t dim,
	int64_t state, int scan, int merged, int segments)
{
	struct scan_case c;

	for (int fast = 0; fast < 2; fast++) {
		scan_case_open(&c, family, 2, height, width, dim, state, scan, merged, segments);
		scan_case_run(&c, fast);
		for (int i = 0; i < (c.in.direction_B ? 8 : 7); i++) {
			double e = gradient_error(&c, i, fast);

			if (!ok(e <= 1e-6, "%s, %d directions of %lldx%lldx%lld, %s%s%s: d%s",
				    fast ? "fast" : "plain", (int)c.p.directions, (long long)height,
				    (long long)width, (long long)dim, scan ? "by token" : "by step",
				    merged ? ", merged" : "", segments ? ", segments" : "",
				    names[i]))
				diag("error %g", e);
		}
		scan_case_close(&c);
	}
}

/* The hold: its gradients, where steps are long and where they vanish. */
static void check_hold_gradients(enum order_family family, int scan, int merged, double shift)
{
	struct scan_case c;

	scan_case_open(&c, family, 2, 3, 4, 5, 3, scan, merged, 0);
	c.p.zoh = 1;
	for (int64_t i = 0; i < c.count[1]; i++)
		c.x[1][i] += shift;
	scan_case_run(&c, 0);
	for (int i = 0; i < (c.in.direction_B ? 8 : 7); i++) {
		double e = gradient_error(&c, i, 0);

		if (!ok(e <= 1e-6, "hold, %d directions, steps shifted by %g: d%s",
			    (int)c.p.directions, shift, names[i]))
			diag("error %g", e);
	}
	scan_case_close(&c);
}

/*
 * Held inputs make the recurrence the solution of h' = A h + B u, so for constant ones
 * h = B u (1 - e^(A s)) / -A at time s, whatever the steps.
 */
static void check_hold(void)
{
	const double B = 0.7, u = -1.3, D = 0.4;
	double worst = 0, time = 0;
	struct scan_case c;

	scan_case_open(&c, ORDER_CAUSAL, 1, 1, 9, 1, 2, 0, 0, 0);
	c.p.zoh = 1;
	for (int64_t t = 0; t < 9; t++) {
		c.x[0][t] = u;
		for (int n = 0; n < 2; n++) {
			c.x[4][2 * t + n] = B;
			c.x[5][2 * t + n] = 1;
		}
	}
	c.x[6][0] = D;
	selective_scan_forward(&c.p, c.y, &c.in);
	for (int64_t t = 0; t < 9; t++) {
		double want = D * u;

		time += log1p(exp(c.x[1][t] + c.x[2][0]));
		for (int n = 0; n < 2; n++)
			want += B * u * (1 - exp(-exp(c.x[3][n]) * time)) / exp(c.x[3][n]);
		worst = fmax(worst, fabs(c.y[t] - want));
	}
	ok(worst <= 1e-13, "hold: constant inputs follow the exact solution");
	scan_case_close(&c);
}

/* One channel, two states, two steps: y = 0.069522, 0.235892 with h* read by C. */
static void check_crossmamba_state(void)
{
	const double delta[3] = {0.1, 0.2, 0.3};
	double u[3] = {1, -2, 0.5}, r[3], beta = 0, A_log[2] = {log(1), log(2)};
	double B[6] = {1, 0.5, 0, 1, 2, -1}, C[6] = {1, 0, 1, 0, 1, 0}, D = 0, y[3], y2[3],
	       state[2];
	struct selective_scan p = {1, 3, 1, 2, 1, 0, 0, 1};
	struct scan_inputs in = {u, r, &beta, A_log, B, C, &D, NULL, NULL, NULL, NULL};
	const double q[2] = {0.2, -0.4}, Cq[4] = {1, 1, 0.5, -0.5}, want[2] = {0.069522, 0.235892};

	for (int i = 0; i < 3; i++)
		r[i] = log(expm1(delta[i]));
	selective_scan_forward(&p, y, &in);
	near(y[0], 0.1, 1e-6, "V8: h1, state 0");
	near(y[1], 0.081873, 1e-6, "V8: h2, state 0");
	state[0] = y[2];
	for (int i = 0; i < 3; i++) {
		C[2 * i] = 0;
		C[2 * i + 1] = 1;
	}
	selective_scan_forward_fast(&p, y2, &in, NULL);
	near(y2[0], 0.05, 1e-6, "V8: h1, state 1");
	near(y2[1], -0.366484, 1e-6, "V8: h2, state 1");
	state[1] = y2[2];
	near(state[0], 0.360653, 1e-6, "V8: h*, state 0");
	near(state[1], -0.351131, 1e-6, "V8: h*, state 1");
	for (int i = 0; i < 2; i++)
		near(Cq[2 * i] * state[0] + Cq[2 * i + 1] * state[1] + 0.3 * q[i], want[i], 1e-6,
			"V8: read out");
}

/* Without an injected term only the skip remains, once for each direction. */
static void check_skip(void)
{
	struct scan_case c;
	double worst = 0;

	for (int variant = 0; variant < 2; variant++) {
		scan_case_open(&c, ORDER_CONTINUOUS, 2, 3, 5, 33, 4, 0, 1, 0);
		for (int64_t i = 0; i < c.count[1] && variant; i++)
			c.x[1][i] = -100; /* delta -> 0 */
		for (int64_t i = 0; i < c.count[4] && !variant; i++)
			c.x[4][i] = 0; /* B = 0 */
		for (int64_t i = 0; i < c.count[7] && !variant; i++)
			c.x[7][i] = 0;
		scan_case_run(&c, 1);
		for (int64_t i = 0; i < c.count_y; i++)
			worst = fmax(worst, fabs(c.y[i] - 4 * c.x[6][i % 33] * c.x[0][i]));
		ok(worst <= 1e-14, variant ? "no step: y = 4 D u" : "B = 0: y = 4 D u");
		scan_case_close(&c);
	}
}

/* A steep A forgets at once: y = sum over k of C (B + direction_B) delta u + D u. */
static void check_forgetful(void)
{
	struct scan_case c;
	double worst = 0;
	int64_t L, E = 7, N = 3;

	scan_case_open(&c, ORDER_CONTINUOUS, 1, 4, 3, E, N, 0, 0, 0);
	L = c.p.len;
	for (int64_t i = 0; i < c.count[3]; i++)
		c.x[3][i] = 12;
	scan_case_run(&c, 1);
	for (int64_t k = 0; k < 4; k++)
		for (int64_t t = 0; t < L; t++)
			for (int64_t e = 0; e < E; e++) {
				int64_t i = c.order[k * L + t];
				double x = c.x[1][t * E + e] + 2 * c.x[2][e];
				double u = c.x[0][i * E + e], want = c.x[6][e] * u;

				for (int64_t n = 0; n < N; n++)
					want += c.x[5][t * N + n] * log1p(exp(x)) * u *
						(c.x[4][t * N + n] +
							c.x[7][c.code[k * L + t] * N + n]);
				worst = fmax(worst, fabs(c.y[(k * L + i) * E + e] - want));
			}
	ok(worst <= 1e-13, "steep A: no memory");
	scan_case_close(&c);
}

int main(void)
{
	check(ORDER_CONTINUOUS, 3, 4, 5, 3, 0, 0, 0);
	check(ORDER_CONTINUOUS, 3, 4, 5, 3, 0, 1, 0);
	check(ORDER_CONTINUOUS, 1, 5, 33, 2, 0, 0, 0);
	check(ORDER_CONTINUOUS, 7, 1, 3, 4, 1, 0, 0);
	check(ORDER_CONTINUOUS, 6, 6, 3, 2, 0, 0, 0); /* several stretches */
	check(ORDER_CONTINUOUS, 6, 6, 3, 2, 1, 1, 0);
	check(ORDER_CONTINUOUS, 1, 1, 2, 2, 0, 0, 0);
	check(ORDER_CROSS, 3, 4, 5, 2, 1, 1, 0);
	check(ORDER_BOTH, 1, 37, 4, 3, 1, 0, 0);
	check(ORDER_BOTH, 1, 19, 4, 3, 0, 1, 0);
	check(ORDER_CAUSAL, 1, 21, 4, 3, 0, 0, 1);
	check(ORDER_BOTH, 1, 23, 4, 3, 1, 1, 1);
	check_hold_gradients(ORDER_CONTINUOUS, 0, 0, 0);
	check_hold_gradients(ORDER_CONTINUOUS, 0, 1, -6);
	check_hold_gradients(ORDER_BOTH, 1, 0, 2);
	check_hold();
	check_crossmamba_state();
	check_skip();
	check_forgetful();
	return done();
}
