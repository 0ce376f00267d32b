#include "kernels/conv_tile.h"

#include <string.h>

typedef real vec __attribute__((vector_size(CONV_VECTOR)));
typedef real vec_any __attribute__((vector_size(CONV_VECTOR), aligned(sizeof(real)), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const real *p)
{
	return *(const vec_any *)p;
}

/* The tile's first values for item p, vector v. */
INLINE vec first(const struct conv_tile *t, int64_t p, int64_t v)
{
	int64_t at = v * CONV_LANES, left = t->columns - at;
	vec x = {0};

	if (t->add && left >= CONV_LANES)
		return load(t->y + p * t->y_item + at);
	if (t->add)
		for (int64_t l = 0; l < left; l++)
			x[l] = t->y[p * t->y_item + at + l];
	else if (t->start)
		x = load(t->start + at);
	return x;
}

INLINE void last(const struct conv_tile *t, int64_t p, int64_t v, vec x)
{
	int64_t at = v * CONV_LANES, left = t->columns - at;
	real *y = t->y + p * t->y_item + at;

	if (left >= CONV_LANES)
		*(vec_any *)y = x;
	else
		memcpy(y, &x, left * sizeof(*y));
}

/* `count` items from `from` on, `vectors` vectors: both constants where this is inlined. */
INLINE void sum_items(
	const struct conv_tile *t, const int64_t from, const int count, const int vectors)
{
	const real *a = t->a + from * t->a_item, *w = t->w;
	int64_t item = t->a_item, a_step = t->a_step, w_step = t->w_step;
	vec s[12][CONV_MOST];

#pragma GCC unroll 12
	for (int p = 0; p < count; p++)
#pragma GCC unroll 4
		for (int v = 0; v < vectors; v++)
			s[p][v] = first(t, from + p, v);
	for (int64_t r = 0; r < t->runs; r++) {
		const real *ar = a + r * t->a_run, *wr = w + r * t->w_run;

		for (int64_t n = 0; n < t->len; n++, ar += a_step, wr += w_step) {
			vec column[CONV_MOST];

#pragma GCC unroll 4
			for (int v = 0; v < vectors; v++)
				column[v] = load(wr + v * CONV_LANES);
#pragma GCC unroll 12
			for (int p = 0; p < count; p++)
#pragma GCC unroll 4
				for (int v = 0; v < vectors; v++)
					s[p][v] += ar[p * item] * column[v];
		}
	}
#pragma GCC unroll 12
	for (int p = 0; p < count; p++)
#pragma GCC unroll 4
		for (int v = 0; v < vectors; v++)
			last(t, from + p, v, s[p][v]);
}

INLINE void sum_all(const struct conv_tile *t, const int most, const int vectors)
{
	int64_t p = 0;

	for (; p + most <= t->items; p += most)
		sum_items(t, p, most, vectors);
	for (; p + 4 <= t->items; p += 4)
		sum_items(t, p, 4, vectors);
	for (; p + 2 <= t->items; p += 2)
		sum_items(t, p, 2, vectors);
	for (; p < t->items; p++)
		sum_items(t, p, 1, vectors);
}

/* Items whose sums fit the registers: 32 with AVX-512, else 16. */
#if CONV_MOST == 4
void conv_tile_sum(const struct conv_tile *t, int64_t vectors)
{
	if (vectors == 4)
		sum_all(t, 6, 4);
	else if (vectors == 2)
		sum_all(t, 12, 2);
	else
		sum_all(t, 12, 1);
}
#else
void conv_tile_sum(const struct conv_tile *t, int64_t vectors)
{
	if (vectors == 2)
		sum_all(t, 6, 2);
	else
		sum_all(t, 6, 1);
}
#endif
