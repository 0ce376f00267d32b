/*
 * Matrix products against sums in double: every combination of strides, sizes around the tile's
 * edges, the additions to C, memory beyond C untouched; and products whose values are known
 * exactly.
 */
#include "kernels/gemm.h"
#include "kernels/linear.h"
#include "tests/tap.h"

#include <omp.h>

static uint64_t state = 88172645463325252ull;

static float draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (float)((double)(state >> 11) / 4503599627370496.0 - 1);
}

static float *numbers(int64_t n)
{
	float *x = malloc((n + 1) * sizeof(*x));

	for (int64_t i = 0; i <= n; i++)
		x[i] = draw();
	return x;
}

static float *work_of(int64_t n)
{
	float *x = aligned_alloc(64, (n * sizeof(*x) + 64) / 64 * 64);

	memset(x, 0xff, n * sizeof(*x)); /* NaN */
	return x;
}

struct product {
	int64_t m, n, k;
	int a_turned, b_turned, add, bias;
};

/* Largest error over C in units of its sum of absolute products; INFINITY where a guard changed. */
static double product_error(const struct product *s, const float *a, const float *b,
	const float *bias, const float *before, const float *c, int64_t ldc)
{
	double worst = 0;

	for (int64_t i = 0; i < s->m; i++)
		for (int64_t j = 0; j < ldc; j++) {
			double want = s->add ? before[i * ldc + j] : 0, size = fabs(want), e;

			if (j >= s->n) {
				if (c[i * ldc + j] != before[i * ldc + j])
					return INFINITY;
				continue;
			}
			want += s->bias ? 0.5 * bias[j] : 0;
			for (int64_t p = 0; p < s->k; p++) {
				double t =
					(double)(s->a_turned ? a[p * s->m + i] : a[i * s->k + p]) *
					(s->b_turned ? b[j * s->k + p] : b[p * s->n + j]);

				want += t;
				size += fabs(t);
			}
			e = fabs(c[i * ldc + j] - want) / (size + 1);
			if (!(e <= worst))
				worst = e;
		}
	return worst;
}

static double product(const struct product *s)
{
	int64_t ldc = s->n + 3;
	float *a = numbers(s->m * s->k), *b = numbers(s->k * s->n), *bias = numbers(s->n);
	float *before = numbers(s->m * ldc), *c = malloc(s->m * ldc * sizeof(*c));
	float *work = work_of(gemm_packed(s->k, s->n));
	struct gemm_tile t = {.m = s->m,
		.n = s->n,
		.k = s->k,
		.a = a,
		.a_row = s->a_turned ? 1 : s->k,
		.a_col = s->a_turned ? s->m : 1,
		.c = c,
		.ldc = ldc,
		.add = s->add,
		.bias = s->bias ? bias : NULL,
		.bias_scale = 0.5};
	double e;

	memcpy(c, before, s->m * ldc * sizeof(*c));
	gemm_rows(&t, b, s->b_turned ? 1 : s->n, s->b_turned ? s->k : 1, work);
	e = product_error(s, a, b, bias, before, c, ldc);
	free(a);
	free(b);
	free(bias);
	free(before);
	free(c);
	free(work);
	return e;
}

static void products(void)
{
	static const int64_t sizes[][3] = {{1, 1, 1}, {1, 16, 3}, {5, 17, 33}, {12, 32, 16},
		{13, 31, 257}, {97, 33, 64}, {25, 100, 600}, {130, 8, 5}, {7, 4, 2}};
	double worst = 0;

	for (int i = 0; i < 9 * 16; i++) {
		const int64_t *n = sizes[i / 16];
		struct product s = {n[0], n[1], n[2], i & 1, i >> 1 & 1, i >> 2 & 1, i >> 3 & 1};
		double e = product(&s);

		if (!(e <= worst))
			worst = e;
	}
	if (!ok(worst <= 1e-6, "products of every kind and size"))
		diag("error %g", worst);
}

/* Small integers: every sum is exact, in any order. */
static void exact(void)
{
	enum { R = 700, N = 130, K = 70 };
	float *dy = malloc(R * N * sizeof(*dy)), *x = malloc(R * K * sizeof(*x));
	float *dw = malloc(N * K * sizeof(*dw)), db[N];
	float *work = work_of(gemm_weight_work(R, N, K));
	int good = 1;

	for (int i = 0; i < R * N; i++)
		dy[i] = (float)((i * 7) % 11 - 5);
	for (int i = 0; i < R * K; i++)
		x[i] = (float)((i * 5) % 13 - 6);
	for (int i = 0; i < N * K; i++)
		dw[i] = 3;
	for (int i = 0; i < N; i++)
		db[i] = 2;
	gemm_weight(R, N, K, dw, db, 2, dy, x, work);
	for (int i = 0; i < N; i++) {
		long sum = 0;

		for (int r = 0; r < R; r++)
			sum += (long)dy[r * N + i];
		good &= db[i] == 2 + 2 * sum;
		for (int j = 0; j < K; j++) {
			long product = 3;

			for (int r = 0; r < R; r++)
				product += (long)(dy[r * N + i] * x[r * K + j]);
			good &= dw[i * K + j] == product;
		}
	}
	ok(good, "a weight's gradient of small integers is exact");
	free(dy);
	free(x);
	free(dw);
	free(work);
}

/* A row's result does not depend on the rows beside it. */
static void alone(void)
{
	enum { R = 61, IN = 100, OUT = 45 };
	struct linear many = {R, IN, OUT, 1}, one = {1, IN, OUT, 1};
	float *x = numbers(R * IN), *W = numbers(IN * OUT), *b = numbers(OUT);
	float *y = malloc(R * OUT * sizeof(*y)), single[OUT];
	float *work = work_of(linear_work_fast(&many, 0));
	int good = 1;

	linear_forward_fast(&many, y, x, W, b, work);
	for (int r = 0; r < R; r++) {
		linear_forward_fast(&one, single, x + r * IN, W, b, work);
		good &= !memcmp(single, y + r * OUT, sizeof(single));
	}
	ok(good, "a row gives the same bits alone and among others");
	free(x);
	free(W);
	free(b);
	free(y);
	free(work);
}

int main(void)
{
	omp_set_num_threads(2);
	products();
	exact();
	alone();
	return done();
}
