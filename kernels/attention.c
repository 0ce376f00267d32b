#include "kernels/attention.h"

#include <math.h>
#include <string.h>

/* One sample and head: rows of q, k and v, row_size reals apart. */
struct head {
	const real *q, *k, *v;
	const int32_t *segments;
	int64_t dim, row;
	real scale;
};

static struct head head_of(
	const struct attention *p, const real *qkv, const int32_t *segments, int64_t b, int64_t h)
{
	int64_t C = p->heads * p->dim;
	const real *q = qkv + b * p->len * 3 * C + h * p->dim;

	return (struct head){q, q + C, q + 2 * C, segments ? segments + b * p->len : NULL, p->dim,
		3 * C, 1 / REAL_M(sqrt)((real)p->dim)};
}

static int sees(const struct attention *p, const struct head *a, int64_t i, int64_t j)
{
	return (!p->causal || j <= i) && (!a->segments || a->segments[i] == a->segments[j]);
}

static real dot(const real *a, const real *b, int64_t n)
{
	real sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static real score(const struct head *a, int64_t i, int64_t j)
{
	return a->scale * dot(a->q + i * a->row, a->k + j * a->row, a->dim);
}

static void token_forward(
	const struct attention *p, const struct head *a, int64_t i, real *y, real *stat)
{
	real max = -INFINITY, sum = 0;

	for (int64_t j = 0; j < p->len; j++)
		if (sees(p, a, i, j))
			max = REAL_M(fmax)(max, score(a, i, j));
	for (int64_t j = 0; j < p->len; j++)
		if (sees(p, a, i, j))
			sum += REAL_M(exp)(score(a, i, j) - max);
	memset(y, 0, p->dim * sizeof(*y));
	for (int64_t j = 0; j < p->len; j++)
		for (int64_t d = 0; sees(p, a, i, j) && d < p->dim; d++)
			y[d] += REAL_M(exp)(score(a, i, j) - max) / sum * a->v[j * a->row + d];
	stat[0] = max;
	stat[1] = 1 / sum;
}

void attention_forward(
	const struct attention *p, real *y, real *stat, const real *qkv, const int32_t *segments)
{
	for (int64_t n = 0; n < p->batch * p->heads; n++) {
		int64_t b = n / p->heads, h = n % p->heads;
		struct head a = head_of(p, qkv, segments, b, h);

		for (int64_t i = 0; i < p->len; i++)
			token_forward(p, &a, i, y + ((b * p->len + i) * p->heads + h) * p->dim,
				stat + (n * p->len + i) * 2);
	}
}

/* What query i adds to the gradients; dq is laid out as q. */
static void token_back(const struct attention *p, const struct head *a, int64_t i, real *dq,
	const real *dy, const real *stat)
{
	int64_t C = p->heads * p->dim;
	real mean = 0;

	for (int64_t j = 0; j < p->len; j++)
		if (sees(p, a, i, j))
			mean += REAL_M(exp)(score(a, i, j) - stat[0]) * stat[1] *
				dot(dy, a->v + j * a->row, p->dim);
	for (int64_t j = 0; j < p->len; j++) {
		real pij, ds;

		if (!sees(p, a, i, j))
			continue;
		pij = REAL_M(exp)(score(a, i, j) - stat[0]) * stat[1];
		ds = pij * (dot(dy, a->v + j * a->row, p->dim) - mean) * a->scale;
		for (int64_t d = 0; d < p->dim; d++) {
			dq[i * a->row + d] += ds * a->k[j * a->row + d];
			dq[j * a->row + C + d] += ds * a->q[i * a->row + d];
			dq[j * a->row + 2 * C + d] += pij * dy[d];
		}
	}
}

void attention_backward(const struct attention *p, real *dqkv, int acc, const real *dy,
	const real *stat, const real *qkv, const int32_t *segments)
{
	int64_t C = p->heads * p->dim;

	if (!acc)
		memset(dqkv, 0, p->batch * p->len * 3 * C * sizeof(*dqkv));
	for (int64_t n = 0; n < p->batch * p->heads; n++) {
		int64_t b = n / p->heads, h = n % p->heads;
		struct head a = head_of(p, qkv, segments, b, h);

		for (int64_t i = 0; i < p->len; i++)
			token_back(p, &a, i, dqkv + b * p->len * 3 * C + h * p->dim,
				dy + (b * p->len + i) * C + h * p->dim,
				stat + (n * p->len + i) * 2);
	}
}
