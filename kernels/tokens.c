#include "kernels/tokens.h"
#include "kernels/rows.h"

static int is_large(const struct tokens *p)
{
	return p->batch * p->len * p->dim > ROWS_SMALL;
}

void insert_token_forward(const struct tokens *p, real *y, const real *x, const real *token)
{
	int64_t C = p->dim, before = p->from * C, size = p->len * C;

#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t b = 0; b < p->batch; b++) {
		const real *from = x + b * size;
		real *to = y + b * (size + C);

		row_pass(before, to, 0, from);
		row_pass(C, to + before, 0, token);
		row_pass(size - before, to + before + C, 0, from + before);
	}
}

void insert_token_backward(const struct tokens *p, real *dx, int acc, real *dtoken, const real *dy)
{
	int64_t C = p->dim, before = p->from * C, size = p->len * C;

	for (int64_t b = 0; dtoken && b < p->batch; b++)
		row_pass(C, dtoken, 1, dy + b * (size + C) + before);
	if (!dx)
		return;
#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t b = 0; b < p->batch; b++) {
		const real *from = dy + b * (size + C);
		real *to = dx + b * size;

		row_pass(before, to, acc, from);
		row_pass(size - before, to + before, acc, from + before + C);
	}
}

void add_rows_forward(const struct tokens *p, real *y, const real *x, const real *rows)
{
	int64_t C = p->dim;

#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t i = 0; i < p->batch * p->len; i++) {
		const real *from = x + i * C, *row = rows + i % p->len * C;
		real *to = y + i * C;

#pragma omp simd
		for (int64_t c = 0; c < C; c++)
			to[c] = from[c] + row[c];
	}
}

void add_rows_backward(const struct tokens *p, real *dx, int acc, real *drows, const real *dy)
{
	int64_t C = p->dim;

#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t i = 0; i < p->len; i++)
		for (int64_t b = 0; b < p->batch; b++) {
			int64_t at = (b * p->len + i) * C;

			if (dx)
				row_pass(C, dx + at, acc, dy + at);
			if (drows)
				row_pass(C, drows + i * C, 1, dy + at);
		}
}

void slice_tokens_forward(const struct tokens *p, real *y, const real *x)
{
	int64_t C = p->dim;

#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t b = 0; b < p->batch; b++)
		row_pass(p->n * C, y + b * p->n * C, 0, x + (b * p->len + p->from) * C);
}

void slice_tokens_backward(const struct tokens *p, real *dx, int acc, const real *dy)
{
	int64_t C = p->dim, before = p->from * C, part = p->n * C, size = p->len * C;

	if (!dx)
		return;
#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t b = 0; b < p->batch; b++) {
		real *to = dx + b * size;

		if (!acc) {
			row_clear(before, to);
			row_clear(size - before - part, to + before + part);
		}
		row_pass(part, to + before, acc, dy + b * part);
	}
}

void permute_tokens_forward(const struct tokens *p, real *y, const real *x, const int32_t *order)
{
	int64_t C = p->dim;

#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t i = 0; i < p->batch * p->len; i++)
		row_pass(C, y + i * C, 0, x + (i / p->len * p->len + order[i % p->len]) * C);
}

void permute_tokens_backward(
	const struct tokens *p, real *dx, int acc, const real *dy, const int32_t *order)
{
	int64_t C = p->dim;

	if (!dx)
		return;
#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t i = 0; i < p->batch * p->len; i++)
		row_pass(C, dx + (i / p->len * p->len + order[i % p->len]) * C, acc, dy + i * C);
}

void mean_tokens_forward(const struct tokens *p, real *y, const real *x)
{
	int64_t C = p->dim;

#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t b = 0; b < p->batch; b++) {
		real *to = y + b * C;

		for (int64_t i = 0; i < p->len; i++)
			row_pass(C, to, i > 0, x + (b * p->len + i) * C);
		for (int64_t c = 0; c < C; c++)
			to[c] /= p->len;
	}
}

void mean_tokens_backward(const struct tokens *p, real *dx, int acc, const real *dy)
{
	int64_t C = p->dim;

	if (!dx)
		return;
#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t i = 0; i < p->batch * p->len; i++)
		row_scaled(C, dx + i * C, acc, dy + i / p->len * C, (real)1 / p->len);
}

/* Offset in x of the first token of the block of output token i. */
static int64_t block_start(const struct tokens *p, int64_t i)
{
	int64_t columns = p->width / p->block, rows = p->height / p->block;
	int64_t b = i / (rows * columns), row = i / columns % rows, column = i % columns;

	return (b * p->len + row * p->block * p->width + column * p->block) * p->dim;
}

void pool_tokens_forward(const struct tokens *p, real *y, const real *x)
{
	int64_t C = p->dim, f = p->block;

#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t i = 0; i < p->batch * p->len / (f * f); i++) {
		const real *from = x + block_start(p, i);
		real *to = y + i * C;

		for (int64_t t = 0; t < f * f; t++)
			row_pass(C, to, t > 0, from + (t / f * p->width + t % f) * C);
		for (int64_t c = 0; c < C; c++)
			to[c] /= f * f;
	}
}

void pool_tokens_backward(const struct tokens *p, real *dx, int acc, const real *dy)
{
	int64_t C = p->dim, f = p->block;

	if (!dx)
		return;
#pragma omp parallel for schedule(static) if (is_large(p))
	for (int64_t i = 0; i < p->batch * p->len / (f * f); i++)
		for (int64_t t = 0; t < f * f; t++)
			row_scaled(C, dx + block_start(p, i) + (t / f * p->width + t % f) * C, acc,
				dy + i * C, (real)1 / (f * f));
}
