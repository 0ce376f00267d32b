#include "kernels/selective_scan_fast.h"

#define LOG2E ((real)1.4426950408889634)

/*
 * One step of G directions: h (N, G, BLOCK) <- a h + du B, y (G, BLOCK) += C h, with the
 * exponentials shared.
 */
static inline __attribute__((always_inline)) void step(const int G, int64_t N, real *restrict h,
	real *restrict y, const real *restrict delta, const real *restrict A,
	const real *restrict du, const real *restrict B, const real *restrict C)
{
	for (int64_t n = 0; n < N; n++) {
		real *hn = h + n * G * BLOCK;
		const real *An = A + n * BLOCK;

#pragma omp simd
		for (int e = 0; e < BLOCK; e++) {
			real a = vexp2_minus(delta[e] * An[e]);

#pragma GCC unroll 4
			for (int g = 0; g < G; g++) {
				real v = a * hn[g * BLOCK + e] + du[g * BLOCK + e] * B[g * N + n];

				hn[g * BLOCK + e] = v;
				y[g * BLOCK + e] += C[n] * v;
			}
		}
	}
}

/* The block's states of a walk in pieces: into h (N, BLOCK), or back. */
static void load_state(const struct task *s, real *h)
{
	int64_t N = s->p->state;
	const real *from = s->in->state + (s->b * s->p->dim + s->e0) * N;

	for (int64_t e = 0; e < s->width; e++)
		for (int64_t n = 0; n < N; n++)
			h[n * BLOCK + e] = from[e * N + n];
}

static void store_state(const struct task *s, const real *h)
{
	int64_t N = s->p->state;
	real *to = s->in->state + (s->b * s->p->dim + s->e0) * N;

	for (int64_t e = 0; e < s->width; e++)
		for (int64_t n = 0; n < N; n++)
			to[e * N + n] = h[n * BLOCK + e];
}

/* What step t reads, and where it writes. */
static inline __attribute__((always_inline)) void ask_rows(
	const struct task *s, int64_t k0, int G, int64_t t, const real *out)
{
	if (t >= s->p->len)
		return;
	ask_row(s->in->r + task_row(s, task_source(s, k0, t)));
	for (int g = 0; g < G; g++) {
		int64_t token = task_token(s, k0 + g, t);

		ask_row(s->in->u + task_row(s, token));
		ask_row(out + task_y(s, k0 + g, token));
	}
}

static inline __attribute__((always_inline)) void walk_set(
	const int G, const struct task *s, int64_t k0, real *out, const real *A)
{
	int64_t N = s->p->state;
	const real *D = s->in->D + s->e0;
	real h[N * G * BLOCK] LANES, B[G * N];
	real delta[BLOCK] LANES = {0}, du[SET * BLOCK] LANES = {0}, y[SET * BLOCK] LANES = {0};

	memset(h, 0, sizeof(h));
	if (s->in->state)
		load_state(s, h);
	for (int64_t t = 0; t < s->p->len; t++) {
		int64_t q = task_source(s, k0, t);

		ask_rows(s, k0, G, t + AHEAD, out);
		load_delta(s, q, delta);
		load_B(s, k0, G, t, B);
		for (int g = 0; g < G; g++) {
			const real *u = s->in->u + task_row(s, task_token(s, k0 + g, t));

#pragma omp simd
			for (int64_t e = 0; e < s->width; e++) {
				du[g * BLOCK + e] = delta[e] * u[e];
				y[g * BLOCK + e] = D[e] * u[e];
			}
			if (s->in->segments && t && task_starts(s, k0 + g, t))
				for (int64_t n = 0; n < N; n++)
					memset(h + (n * G + g) * BLOCK, 0, BLOCK * sizeof(*h));
		}
		step(G, N, h, y, delta, A, du, B, s->in->C + (s->b * s->p->len + q) * N);
		for (int g = 0; g < G; g++) {
			real *to = out + task_y(s, k0 + g, task_token(s, k0 + g, t));

			if (s->p->merged) {
#pragma omp simd
				for (int64_t e = 0; e < s->width; e++)
					to[e] += y[g * BLOCK + e];
			} else {
				memcpy(to, y + g * BLOCK, s->width * sizeof(*to));
			}
		}
	}
	if (s->in->state)
		store_state(s, h);
}

static void walk_task(const struct task *s, real *y)
{
	const struct selective_scan *p = s->p;
	real A[p->state * BLOCK] LANES;

	load_A(s, A, LOG2E);
	if (p->merged)
		for (int64_t i = 0; i < p->len; i++)
			memset(y + task_row(s, i), 0, s->width * sizeof(*y));
	for (int64_t k = 0; k < p->directions; k += set_size(p, k))
		switch (set_size(p, k)) {
		case 4:
			walk_set(4, s, k, y, A);
			break;
		case 2:
			walk_set(2, s, k, y, A);
			break;
		default:
			walk_set(1, s, k, y, A);
		}
}

void selective_scan_forward_fast(
	const struct selective_scan *p, real *y, const struct scan_inputs *in, real *work)
{
	int64_t blocks = scan_blocks(p);

#pragma omp parallel for schedule(dynamic)
	for (int64_t i = 0; i < p->batch * blocks; i++) {
		struct task s = {p, in, i / blocks, i % blocks * BLOCK, BLOCK};

		if (s.width > p->dim - s.e0)
			s.width = p->dim - s.e0;
		walk_task(&s, y);
	}
}
