/*
 * The fast scan's way back. A task keeps the state before every segment of S steps (here a stretch
 * of steps between two checkpoints, not a sample), recomputes one stretch at a time with its
 * exponentials, and walks it in reverse.
 */
#include <omp.h>
#include "kernels/selective_scan_fast.h"

#define LOG2E ((real)1.4426950408889634)
#define THREADS 64 /* with scratch of their own */

/* Scratch of one thread. Rows are BLOCK reals; G is SET at most. */
struct scratch {
	real *A, *A2;	  /* (N): -e^A_log, and that times log2(e) */
	real *delta;	  /* (L) */
	real *ddelta;	  /* (L): summed over directions */
	real *checkpoint; /* (L / S + 1, N, G): the state before each stretch */
	real *before;	  /* (S, N, G): the state before each step of a stretch */
	real *a;	  /* (S, N): its exponentials */
	real *ag;	  /* (N, G): a g of the step after */
	real *dA;	  /* (N) */
	real *dcode;	  /* (STEP_CODES, N) */
	real *dD;	  /* 1 */
	real *B;	  /* (G, N), no lanes */
	real *spare;	  /* (G): a gradient nobody reads */
};

/* What a task leaves behind for the sums over blocks and samples, in reals. */
struct leavings {
	int64_t A, D, beta, code, B, size; /* offsets; B holds [dB | dC] (L, 2, N) */
};

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Short for any row: a stretch's states and exponentials are to stay in the nearest cache. */
static int64_t stretch(const struct selective_scan *p)
{
	return least(16, p->len);
}

static int64_t carve(struct scratch *c, const struct selective_scan *p, real *base)
{
	int64_t N = p->state, S = stretch(p), at = 0, G = least(p->directions, SET);
	const struct {
		real **place;
		int64_t count;
	} parts[] = {{&c->A, N * BLOCK}, {&c->A2, N * BLOCK}, {&c->delta, p->len * BLOCK},
		{&c->ddelta, p->len * BLOCK},
		{&c->checkpoint, ((p->len + S - 1) / S + 1) * N * G * BLOCK},
		{&c->before, S * N * G * BLOCK}, {&c->a, S * N * BLOCK}, {&c->ag, N * G * BLOCK},
		{&c->dA, N * BLOCK}, {&c->dcode, STEP_CODES * N * BLOCK}, {&c->dD, BLOCK},
		{&c->B, (G * N + 15) / 16 * 16}, {&c->spare, G * BLOCK}};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		*parts[i].place = base ? base + at : NULL;
		at += parts[i].count;
	}
	return at;
}

static struct leavings leavings_of(const struct selective_scan *p)
{
	int64_t N = p->state;
	struct leavings l = {.A = 0};

	l.D = BLOCK * N;
	l.beta = l.D + BLOCK;
	l.code = l.beta + BLOCK;
	l.B = l.code + STEP_CODES * N;
	l.size = (l.B + p->len * 2 * N + 15) / 16 * 16;
	return l;
}

static int64_t slots(const struct selective_scan *p)
{
	return least(THREADS, p->batch * scan_blocks(p));
}

/* du (G, BLOCK) = delta u of one step. */
static inline void load_du(
	const struct task *s, int64_t k0, int G, int64_t t, real *du, const real *delta)
{
	for (int g = 0; g < G; g++) {
		const real *u = s->in->u + task_row(s, task_token(s, k0 + g, t));

#pragma omp simd
		for (int64_t e = 0; e < s->width; e++)
			du[g * BLOCK + e] = delta[e] * u[e];
	}
}

static inline void clear_starts(const struct task *s, int64_t k0, int G, int64_t t, real *h)
{
	if (!s->in->segments || !t)
		return;
	for (int g = 0; g < G; g++)
		if (task_starts(s, k0 + g, t))
			for (int64_t n = 0; n < s->p->state; n++)
				memset(h + (n * G + g) * BLOCK, 0, BLOCK * sizeof(*h));
}

/* The rows of step t that load_du, and with dout the way back, read. */
static inline __attribute__((always_inline)) void ask_step(const struct task *s, int64_t k0, int G,
	int64_t t, const real *dout, const struct scan_grads *d)
{
	if (t < 0 || t >= s->p->len)
		return;
	for (int g = 0; g < G; g++) {
		int64_t token = task_token(s, k0 + g, t);

		ask_row(s->in->u + task_row(s, token));
		if (dout)
			ask_row(dout + task_y(s, k0 + g, token));
		if (dout && d->u)
			ask_row(d->u + task_row(s, token));
	}
}

/* next (N, G, BLOCK) = a h + du B; a (N, BLOCK) is written. next may be h. */
static inline __attribute__((always_inline)) void advance(const int G, int64_t N, real *next,
	real *restrict a, const real *h, const real *restrict delta, const real *restrict A2,
	const real *restrict du, const real *restrict B)
{
	for (int64_t n = 0; n < N; n++) {
		const real *hn = h + n * G * BLOCK, *An = A2 + n * BLOCK;
		real *to = next + n * G * BLOCK, *an = a + n * BLOCK;

#pragma omp simd
		for (int e = 0; e < BLOCK; e++) {
			real v = vexp2_minus(delta[e] * An[e]);

			an[e] = v;
#pragma GCC unroll 4
			for (int g = 0; g < G; g++)
				to[g * BLOCK + e] =
					v * hn[g * BLOCK + e] + du[g * BLOCK + e] * B[g * N + n];
		}
	}
}

/*
 * One step of the way back for G directions. before (N, G) states before the step, a (N) its
 * exponentials, ag (N, G) in: a g of the step after, out: of this one. m (G) and Aw (1) are
 * added to; dBC gets this block's dB and dC of the step (2, N), added.
 */
static inline __attribute__((always_inline)) void step_back(const int G, int64_t N,
	const struct scratch *c, const real *restrict before, const real *restrict a,
	const real *restrict delta, const real *restrict du, const real *restrict dy,
	const real *restrict C, real *const *dcode, real *restrict m, real *restrict Aw,
	real *restrict dBC)
{
	for (int64_t n = 0; n < N; n++) {
		const real *bn = before + n * G * BLOCK, *an = a + n * BLOCK, *A = c->A + n * BLOCK;
		const real *B = c->B + n;
		real *agn = c->ag + n * G * BLOCK, *dA = c->dA + n * BLOCK;
		real dB = 0, dC = 0, Cn = C[n];

#pragma omp simd reduction(+ : dB, dC)
		for (int e = 0; e < BLOCK; e++) {
			real w = 0, v = an[e];

#pragma GCC unroll 4
			for (int g = 0; g < G; g++) {
				int at = g * BLOCK + e;
				real ah = v * bn[at];
				real x = Cn * dy[at] + agn[at];
				real xd = x * du[at];

				w += x * ah;
				m[at] += B[g * N] * x;
				dB += xd;
				dC += dy[at] * (ah + du[at] * B[g * N]);
				agn[at] = v * x;
				dcode[g][n * BLOCK + e] += xd;
			}
			dA[e] += delta[e] * w;
			Aw[e] += A[e] * w;
		}
		dBC[n] += dB;
		dBC[N + n] += dC;
	}
}

/* du and dD of one step from m, and the directions' part of ddelta. */
static inline void spread(const struct task *s, int64_t k0, int G, int64_t t,
	const struct scan_grads *d, struct scratch *c, const real *delta, const real *dy,
	const real *m, const real *Aw, real *ddelta)
{
	const real *D = s->in->D + s->e0;

#pragma omp simd
	for (int64_t e = 0; e < s->width; e++)
		ddelta[e] += Aw[e];
	for (int g = 0; g < G; g++) {
		int64_t row = task_row(s, task_token(s, k0 + g, t));
		const real *u = s->in->u + row;
		real *du = d->u ? d->u + row : c->spare;

#pragma omp simd
		for (int64_t e = 0; e < s->width; e++) {
			int64_t at = g * BLOCK + e;

			du[e] += D[e] * dy[at] + delta[e] * m[at];
			c->dD[e] += dy[at] * u[e];
			ddelta[e] += u[e] * m[at];
		}
	}
}

static inline __attribute__((always_inline)) void stretch_back(const int G, const struct task *s,
	int64_t k0, int64_t from, int64_t to, const struct scan_grads *d, const real *dout,
	struct scratch *c, real *dBC)
{
	int64_t N = s->p->state, size = N * G * BLOCK;
	real du[SET * BLOCK] LANES = {0}, dy[SET * BLOCK] LANES = {0};

	for (int64_t t = from; t < to; t++) { /* the last step's state is not needed */
		real *h = c->before + (t - from) * size, *a = c->a + (t - from) * N * BLOCK;
		const real *delta = c->delta + task_source(s, k0, t) * BLOCK;

		clear_starts(s, k0, G, t, h);
		load_du(s, k0, G, t, du, delta);
		load_B(s, k0, G, t, c->B);
		advance(G, N, t + 1 < to ? h + size : c->checkpoint, a, h, delta, c->A2, du, c->B);
	}
	for (int64_t t = to - 1; t >= from; t--) {
		int64_t q = task_source(s, k0, t);
		const real *delta = c->delta + q * BLOCK;
		real m[SET * BLOCK] LANES = {0}, Aw[BLOCK] LANES = {0}, *dcode[SET];

		ask_step(s, k0, G, t - stretch(s->p), dout, d); /* of the stretch walked next */
		load_du(s, k0, G, t, du, delta);
		load_B(s, k0, G, t, c->B);
		for (int g = 0; g < G; g++) {
			const int32_t *code = s->in->code;

			memcpy(dy + g * BLOCK, dout + task_y(s, k0 + g, task_token(s, k0 + g, t)),
				s->width * sizeof(*dy));
			dcode[g] = c->dcode +
				   (s->in->direction_B ? code[(k0 + g) * s->p->len + t] : 0) * N *
					   BLOCK;
		}
		step_back(G, N, c, c->before + (t - from) * size, c->a + (t - from) * N * BLOCK,
			delta, du, dy, s->in->C + (s->b * s->p->len + q) * N, dcode, m, Aw,
			dBC + q * 2 * N);
		clear_starts(s, k0, G, t, c->ag);
		spread(s, k0, G, t, d, c, delta, dy, m, Aw, c->ddelta + q * BLOCK);
	}
}

/* Up to the last stretch, leaving a checkpoint before each; then the stretches from the last. */
static inline __attribute__((always_inline)) void set_back(const int G, const struct task *s,
	int64_t k0, const struct scan_grads *d, const real *dout, struct scratch *c, real *dBC)
{
	int64_t L = s->p->len, N = s->p->state, S = stretch(s->p), last = (L - 1) / S;
	int64_t size = N * G * BLOCK;
	real du[SET * BLOCK] LANES = {0}, *h = c->checkpoint + size; /* the first is spare */

	memset(h, 0, size * sizeof(*h));
	memset(c->ag, 0, size * sizeof(*h));
	for (int64_t t = 0; t < last * S; t++) {
		const real *delta = c->delta + task_source(s, k0, t) * BLOCK;

		if (t % S == 0 && t) {
			memcpy(h + size, h, size * sizeof(*h));
			h += size;
		}
		clear_starts(s, k0, G, t, h);
		ask_step(s, k0, G, t + AHEAD, NULL, d);
		load_du(s, k0, G, t, du, delta);
		load_B(s, k0, G, t, c->B);
		advance(G, N, h, c->a, h, delta, c->A2, du, c->B);
	}
	for (int64_t i = last; i >= 0; i--) {
		int64_t to = least((i + 1) * S, L);

		if (i)
			memcpy(c->before, c->checkpoint + i * size, size * sizeof(*h));
		else
			memset(c->before, 0, size * sizeof(*h));
		stretch_back(G, s, k0, i * S, to, d, dout, c, dBC);
	}
}

/* From ddelta to dr and dbeta. */
static void step_size_back(
	const struct task *s, const struct scan_grads *d, const struct scratch *c, real *dbeta)
{
	const real *beta = s->in->beta + s->e0;
	real kappa = s->p->kappa;

	for (int64_t q = 0; q < s->p->len; q++) {
		const real *r = s->in->r + task_row(s, q), *dd = c->ddelta + q * BLOCK;
		real *dr = d->r ? d->r + task_row(s, q) : c->spare;

		if (q + AHEAD < s->p->len)
			ask_row(s->in->r + task_row(s, q + AHEAD));
		if (d->r && q + AHEAD < s->p->len)
			ask_row(d->r + task_row(s, q + AHEAD));

		if (!d->r || !d->acc_r)
			memset(dr, 0, s->width * sizeof(*dr));
#pragma omp simd
		for (int64_t e = 0; e < s->width; e++) {
			real x = r[e] + kappa * beta[e];
			real v = dd[e] * (x > 20 ? 1 : vsigmoid(x));

			dr[e] += v;
			dbeta[e] += kappa * v;
		}
	}
}

static void leave(const struct task *s, const struct scratch *c, const struct leavings *l, real *to)
{
	int64_t N = s->p->state;

	for (int64_t i = 0; i < N * BLOCK; i++)
		to[l->A + i] = c->dA[i] * c->A[i];
	memcpy(to + l->D, c->dD, BLOCK * sizeof(*to));
	for (int64_t i = 0; i < STEP_CODES * N; i++) {
		real sum = 0;

#pragma omp simd reduction(+ : sum)
		for (int e = 0; e < BLOCK; e++)
			sum += c->dcode[i * BLOCK + e];
		to[l->code + i] = sum;
	}
}

static void task_back(const struct task *s, const struct scan_grads *d, const real *dout,
	struct scratch *c, const struct leavings *l, real *to)
{
	const struct selective_scan *p = s->p;
	int64_t N = p->state;

	load_A(s, c->A, 1);
	for (int64_t i = 0; i < N * BLOCK; i++)
		c->A2[i] = c->A[i] * LOG2E;
	memset(c->delta, 0, p->len * BLOCK * sizeof(real));
	memset(c->ddelta, 0, p->len * BLOCK * sizeof(real));
	memset(c->dA, 0, N * BLOCK * sizeof(real));
	memset(c->dcode, 0, STEP_CODES * N * BLOCK * sizeof(real));
	memset(c->dD, 0, BLOCK * sizeof(real));
	memset(to, 0, l->size * sizeof(real));
	for (int64_t i = 0; i < p->len; i++) {
		if (i + AHEAD < p->len)
			ask_row(s->in->r + task_row(s, i + AHEAD));
		if (i + AHEAD < p->len && d->u)
			ask_row(d->u + task_row(s, i + AHEAD));
		load_delta(s, i, c->delta + i * BLOCK);
		if (d->u && !d->acc_u)
			memset(d->u + task_row(s, i), 0, s->width * sizeof(real));
	}
	for (int64_t k = 0; k < p->directions; k += set_size(p, k))
		switch (set_size(p, k)) {
		case 4:
			set_back(4, s, k, d, dout, c, to + l->B);
			break;
		case 2:
			set_back(2, s, k, d, dout, c, to + l->B);
			break;
		default:
			set_back(1, s, k, d, dout, c, to + l->B);
		}
	step_size_back(s, d, c, to + l->beta);
	leave(s, c, l, to);
}

/* dB or dC of one sample: its blocks in order. */
static void sum_blocks(const struct selective_scan *p, int64_t b, real *dx, int acc, int64_t part,
	const struct leavings *l, const real *left)
{
	int64_t N = p->state, blocks = scan_blocks(p);

	if (!dx)
		return;
	dx += b * p->len * N;
	if (!acc)
		memset(dx, 0, p->len * N * sizeof(*dx));
	for (int64_t j = 0; j < blocks; j++) {
		const real *from = left + (b * blocks + j) * l->size + l->B + part * N;

		for (int64_t i = 0; i < p->len; i++)
			for (int64_t n = 0; n < N; n++)
				dx[i * N + n] += from[2 * i * N + n];
	}
}

/* Gradients of parameters of block j: samples in order. */
static void sum_samples(const struct selective_scan *p, const struct scan_grads *d, int64_t j,
	const struct leavings *l, const real *left)
{
	int64_t N = p->state, blocks = scan_blocks(p), e0 = j * BLOCK;

	for (int64_t b = 0; b < p->batch; b++) {
		const real *from = left + (b * blocks + j) * l->size;

		for (int64_t e = 0; e < least(BLOCK, p->dim - e0); e++) {
			for (int64_t n = 0; d->A_log && n < N; n++)
				d->A_log[(e0 + e) * N + n] += from[l->A + n * BLOCK + e];
			if (d->D)
				d->D[e0 + e] += from[l->D + e];
			if (d->beta)
				d->beta[e0 + e] += from[l->beta + e];
		}
	}
}

static void sum_codes(
	const struct selective_scan *p, real *dcode, const struct leavings *l, const real *left)
{
	for (int64_t task = 0; dcode && task < p->batch * scan_blocks(p); task++)
		for (int64_t i = 0; i < STEP_CODES * p->state; i++)
			dcode[i] += left[task * l->size + l->code + i];
}

void selective_scan_backward_fast(const struct selective_scan *p, const struct scan_grads *d,
	const real *dy, const struct scan_inputs *in, real *work)
{
	int64_t blocks = scan_blocks(p), tasks = p->batch * blocks;
	struct leavings l = leavings_of(p);
	struct scratch sizes;
	int64_t own = carve(&sizes, p, work);
	real *left = work + slots(p) * own;
	int threads = (int)least(slots(p), omp_get_max_threads());

#pragma omp parallel for schedule(dynamic) num_threads(threads)
	for (int64_t i = 0; i < tasks; i++) {
		struct task s = {p, in, i / blocks, i % blocks * BLOCK, BLOCK};
		struct scratch c;

		carve(&c, p, work + omp_get_thread_num() * own);
		s.width = least(BLOCK, p->dim - s.e0);
		task_back(&s, d, dy, &c, &l, left + i * l.size);
	}
#pragma omp parallel for schedule(static)
	for (int64_t b = 0; b < p->batch; b++) {
		sum_blocks(p, b, d->B, d->acc_B, 0, &l, left);
		sum_blocks(p, b, d->C, d->acc_C, 1, &l, left);
	}
#pragma omp parallel for schedule(static)
	for (int64_t j = 0; j < blocks; j++)
		sum_samples(p, d, j, &l, left);
	sum_codes(p, in->direction_B ? d->direction_B : NULL, &l, left);
}

int64_t selective_scan_work_fast(const struct selective_scan *p, int backward)
{
	struct scratch c;

	if (!backward)
		return 0;
	return slots(p) * carve(&c, p, NULL) + p->batch * scan_blocks(p) * leavings_of(p).size;
}
