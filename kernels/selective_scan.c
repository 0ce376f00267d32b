#include "kernels/selective_scan.h"

#include <math.h>
#include <string.h>

/* One direction of one channel of one sample: where it stands. */
struct walk {
	const struct selective_scan *p;
	const struct scan_inputs *in;
	int64_t b, k, e;
	real A[SCAN_STATE_MAX];
};

static void walk_start(struct walk *w, const struct selective_scan *p, const struct scan_inputs *in)
{
	w->p = p;
	w->in = in;
	for (int64_t n = 0; n < p->state; n++)
		w->A[n] = -REAL_M(exp)(in->A_log[w->e * p->state + n]);
}

static int64_t token_at(const struct walk *w, int64_t t)
{
	return w->in->order ? w->in->order[w->k * w->p->len + t] : t;
}

/* Of u, r and their gradients: the element of token i. */
static int64_t at(const struct walk *w, int64_t i)
{
	return (w->b * w->p->len + i) * w->p->dim + w->e;
}

static int64_t at_y(const struct walk *w, int64_t i)
{
	int64_t row = w->p->merged ? w->b : w->b * w->p->directions + w->k;

	return (row * w->p->len + i) * w->p->dim + w->e;
}

static real step_argument(const struct walk *w, int64_t q)
{
	return w->in->r[at(w, q)] + w->p->kappa * w->in->beta[w->e];
}

static real softplus(real x)
{
	return x > 20 ? x : REAL_M(log1p)(REAL_M(exp)(x));
}

/* B of step t, token q, state n, the direction's part included. */
static real input_weight(const struct walk *w, int64_t t, int64_t q, int64_t n)
{
	real v = w->in->B[(w->b * w->p->len + q) * w->p->state + n];

	if (w->in->direction_B)
		v += w->in->direction_B[w->in->code[w->k * w->p->len + t] * w->p->state + n];
	return v;
}

static int starts(const struct walk *w, int64_t t)
{
	const int32_t *s = w->in->segments;

	if (t == 0)
		return 1;
	return s &&
	       s[w->b * w->p->len + token_at(w, t)] != s[w->b * w->p->len + token_at(w, t - 1)];
}

/* What a state is multiplied by, a = e^(delta A), and what B u is: delta, or phi of the hold. */
static void factors(const struct walk *w, real delta, int64_t n, real *a, real *phi)
{
	real A = w->A[n], grown;

	if (!w->p->zoh || !(A < 0)) {
		*a = REAL_M(exp)(delta * A);
		*phi = delta;
		return;
	}
	grown = REAL_M(expm1)(delta * A);
	*a = grown + 1;
	*phi = grown / A;
}

/* delta a - phi of x = delta A; near 0 delta times the sum over k of x^k k / (k + 1)! */
static real hold_slope(real delta, real x, real a, real phi)
{
	const real c[] = {(real)1 / 2, (real)1 / 3, (real)1 / 8, (real)1 / 30, (real)1 / 144,
		(real)1 / 840, (real)1 / 5760};
	real sum = 0;

	if (x < (real)-0.5)
		return delta * a - phi;
	for (int k = 6; k >= 0; k--)
		sum = (sum + c[k]) * x;
	return delta * sum;
}

/* h (N) goes from the state before step t to the one after it. */
static void advance(const struct walk *w, int64_t t, real *h)
{
	int64_t i = token_at(w, t), q = w->p->param_at_scan ? i : t, N = w->p->state;
	real delta = softplus(step_argument(w, q)), u = w->in->u[at(w, i)];

	for (int64_t n = 0; n < N; n++) {
		real a, phi;

		factors(w, delta, n, &a, &phi);
		h[n] = a * h[n] + phi * input_weight(w, t, q, n) * u;
	}
}

static void walk_forward(const struct walk *w, real *y)
{
	int64_t N = w->p->state;
	real h[SCAN_STATE_MAX], *state = w->in->state;

	if (state)
		state += (w->b * w->p->dim + w->e) * N;

	for (int64_t t = 0; t < w->p->len; t++) {
		int64_t i = token_at(w, t), q = w->p->param_at_scan ? i : t;
		real sum = w->in->D[w->e] * w->in->u[at(w, i)];

		if (state && !t)
			memcpy(h, state, N * sizeof(*h));
		else if (starts(w, t))
			memset(h, 0, N * sizeof(*h));
		advance(w, t, h);
		for (int64_t n = 0; n < N; n++)
			sum += w->in->C[(w->b * w->p->len + q) * N + n] * h[n];
		if (w->p->merged && w->k)
			y[at_y(w, i)] += sum;
		else
			y[at_y(w, i)] = sum;
	}
	if (state)
		memcpy(state, h, N * sizeof(*h));
}

void selective_scan_forward(const struct selective_scan *p, real *y, const struct scan_inputs *in)
{
	for (int64_t b = 0; b < p->batch; b++)
		for (int64_t k = 0; k < p->directions; k++)
			for (int64_t e = 0; e < p->dim; e++) {
				struct walk w = {.b = b, .k = k, .e = e};

				walk_start(&w, p, in);
				walk_forward(&w, y);
			}
}

/* h (L + 1, N): states before each step, zero where a segment starts, and after the last. */
static void walk_states(const struct walk *w, real *h)
{
	int64_t N = w->p->state;

	for (int64_t t = 0; t < w->p->len; t++) {
		real *next = h + (t + 1) * N;

		if (starts(w, t))
			memset(h + t * N, 0, N * sizeof(*h));
		memcpy(next, h + t * N, N * sizeof(*h));
		advance(w, t, next);
	}
}

static void add(real *sum, int64_t i, real v)
{
	if (sum)
		sum[i] += v;
}

/* The step t of the way back; ag (N) holds a g of the step after, then of this one. */
static void step_back(const struct walk *w, const struct scan_grads *d, const real *dy, int64_t t,
	const real *before, real *ag)
{
	int64_t L = w->p->len, N = w->p->state;
	int64_t i = token_at(w, t), q = w->p->param_at_scan ? i : t;
	real x = step_argument(w, q), delta = softplus(x), u = w->in->u[at(w, i)];
	real dyt = dy[at_y(w, i)], du = 0, ddelta = 0, dr;
	int first = starts(w, t);

	for (int64_t n = 0; n < N; n++) {
		real A = w->A[n], Bn = input_weight(w, t, q, n), a, phi, h;
		real g = w->in->C[(w->b * L + q) * N + n] * dyt + ag[n];
		real wn, dA_log;

		factors(w, delta, n, &a, &phi);
		h = a * before[n] + phi * Bn * u;
		wn = g * a * before[n];
		dA_log = A * delta * wn;
		if (w->p->zoh)
			dA_log += hold_slope(delta, delta * A, a, phi) * Bn * u * g;
		du += phi * Bn * g;
		ddelta += A * wn + (w->p->zoh ? a : 1) * Bn * u * g;
		add(d->A_log, w->e * N + n, dA_log);
		add(d->B, (w->b * L + q) * N + n, g * phi * u);
		add(d->C, (w->b * L + q) * N + n, dyt * h);
		if (d->direction_B)
			d->direction_B[w->in->code[w->k * L + t] * N + n] += g * phi * u;
		ag[n] = first ? 0 : a * g;
	}
	dr = x > 20 ? ddelta : ddelta / (1 + REAL_M(exp)(-x));
	add(d->u, at(w, i), w->in->D[w->e] * dyt + du);
	add(d->r, at(w, q), dr);
	add(d->beta, w->e, w->p->kappa * dr);
	add(d->D, w->e, dyt * u);
}

static void clear_unless(int acc, real *x, int64_t count)
{
	if (x && !acc)
		memset(x, 0, count * sizeof(*x));
}

void selective_scan_backward(const struct selective_scan *p, const struct scan_grads *d,
	const real *dy, const struct scan_inputs *in, real *work)
{
	int64_t tokens = p->batch * p->len;
	real *h = work, *ag = work + (p->len + 1) * p->state;

	clear_unless(d->acc_u, d->u, tokens * p->dim);
	clear_unless(d->acc_r, d->r, tokens * p->dim);
	clear_unless(d->acc_B, d->B, tokens * p->state);
	clear_unless(d->acc_C, d->C, tokens * p->state);
	for (int64_t b = 0; b < p->batch; b++)
		for (int64_t k = 0; k < p->directions; k++)
			for (int64_t e = 0; e < p->dim; e++) {
				struct walk w = {.b = b, .k = k, .e = e};

				walk_start(&w, p, in);
				walk_states(&w, h);
				memset(ag, 0, p->state * sizeof(*ag));
				for (int64_t t = p->len - 1; t >= 0; t--)
					step_back(&w, d, dy, t, h + t * p->state, ag);
			}
}

int64_t selective_scan_work(const struct selective_scan *p, int backward)
{
	return backward ? (p->len + 2) * p->state : 0;
}
