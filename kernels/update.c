#include "kernels/update.h"
#include "kernels/rows.h"

#include <math.h>

#define LANES 16
#define PART 4096 /* elements handled by one thread: what is vectorised does not follow threads */

static int64_t parts(int64_t count)
{
	return (count + PART - 1) / PART;
}

static int64_t part_end(int64_t part, int64_t count)
{
	return (part + 1) * PART < count ? (part + 1) * PART : count;
}

/* Neighbours first; s is spoilt. */
static double tree_sum(double *s, int64_t n)
{
	for (int64_t step = 1; step < n; step *= 2)
		for (int64_t i = 0; i + step < n; i += 2 * step)
			s[i] += s[i + step];
	return s[0];
}

static double block_sumsq(const real *x, int64_t n)
{
	double lane[LANES] = {0};
	int64_t i = 0;

	for (; i + LANES <= n; i += LANES)
#pragma omp simd
		for (int l = 0; l < LANES; l++)
			lane[l] += (double)x[i + l] * x[i + l];
	for (int l = 0; i < n; i++, l++)
		lane[l] += (double)x[i] * x[i];
	return tree_sum(lane, LANES);
}

int64_t sumsq_blocks(const struct sumsq *p)
{
	return (p->count + SUMSQ_BLOCK - 1) / SUMSQ_BLOCK;
}

void sumsq_forward(const struct sumsq *p, real *y, const real *x, double *blocks)
{
#pragma omp parallel for schedule(static) if (p->count > SUMSQ_BLOCK)
	for (int64_t i = 0; i < sumsq_blocks(p); i++) {
		int64_t from = i * SUMSQ_BLOCK, n = p->count - from;

		blocks[i] = block_sumsq(x + from, n < SUMSQ_BLOCK ? n : SUMSQ_BLOCK);
	}
	*y = (real)tree_sum(blocks, sumsq_blocks(p));
}

void accumulate_forward(const struct accumulate *p, real *a, const real *b)
{
#pragma omp parallel for simd schedule(static) if (p->count > ROWS_SMALL)
	for (int64_t i = 0; i < p->count; i++)
		a[i] += b[i];
}

void update_gate_forward(
	const struct update_gate *p, real *gate, const real *norm2, const real *loss, real *failed)
{
	int finite = isfinite(*norm2) && isfinite(*loss) && !(failed && *failed > 0);
	double factor = 1;

	if (finite && p->max_norm > 0)
		factor = p->max_norm / (sqrt((double)*norm2) + 1e-6);
	gate[0] = finite ? (real)(factor < 1 ? factor : 1) : 0;
	gate[1] = finite;
	if (failed && !finite)
		*failed = 1;
}

static int is_shut(const real *gate)
{
	return gate && !(gate[1] > 0);
}

/* beta^t by squaring: products alone, the same on every machine */
static double power(double beta, int64_t t)
{
	double y = 1;

	for (; t > 0; t /= 2, beta *= beta)
		if (t & 1)
			y *= beta;
	return y;
}

void adamw_forward(const struct adamw *p, real *w, real *m, real *v, const real *grad,
	const real *gate, double lr, int64_t t)
{
	real factor = gate ? gate[0] : 1, b1 = (real)p->beta1, b2 = (real)p->beta2;
	real c1 = (real)(1 - p->beta1), c2 = (real)(1 - p->beta2), eps = (real)p->eps;
	real keep = (real)(1 - lr * p->lr_scale * p->decay);
	real rate = (real)(lr * p->lr_scale / (1 - power(p->beta1, t)));
	real root = (real)(1 / sqrt(1 - power(p->beta2, t)));

	if (is_shut(gate))
		return;
#pragma omp parallel for schedule(static) if (p->count > ROWS_SMALL)
	for (int64_t part = 0; part < parts(p->count); part++)
#pragma omp simd
		for (int64_t i = part * PART; i < part_end(part, p->count); i++) {
			real g = factor * grad[i];

			m[i] = b1 * m[i] + c1 * g;
			v[i] = b2 * v[i] + c2 * g * g;
			w[i] = keep * w[i] - rate * m[i] / (REAL_M(sqrt)(v[i]) * root + eps);
		}
}

void sgd_forward(
	const struct sgd *p, real *w, real *m, const real *grad, const real *gate, double lr)
{
	real factor = gate ? gate[0] : 1, momentum = (real)p->momentum, decay = (real)p->decay;
	real rate = (real)(lr * p->lr_scale);

	if (is_shut(gate))
		return;
#pragma omp parallel for schedule(static) if (p->count > ROWS_SMALL)
	for (int64_t part = 0; part < parts(p->count); part++)
#pragma omp simd
		for (int64_t i = part * PART; i < part_end(part, p->count); i++) {
			m[i] = momentum * m[i] + (factor * grad[i] + decay * w[i]);
			w[i] -= rate * m[i];
		}
}

void ema_forward(
	const struct ema *p, real *running, const real *stat, const real *gate, double scale)
{
	real keep = (real)(1 - p->momentum), take = (real)(p->momentum * scale);

	if (is_shut(gate))
		return;
	for (int64_t i = 0; i < p->count; i++)
		running[i] = keep * running[i] + take * stat[i];
}
