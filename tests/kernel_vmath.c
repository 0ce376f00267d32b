/*
 * The vectorised functions against libm in double: every 997th float, ends and special values, and
 * the vectorised loop against single calls.
 */
#include "kernels/vmath.h"
#include "tests/tap.h"

static double softplus64(double x)
{
	return x > 36 ? x : log1p(exp(x));
}

static double sigmoid64(double x)
{
	return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static double silu64(double x)
{
	return x * sigmoid64(x);
}

#define LOOP(name)                                                                                 \
	static void name##_loop(float *y, const float *x, int64_t n)                               \
	{                                                                                          \
		_Pragma("omp simd") for (int64_t i = 0; i < n; i++) y[i] = v##name(x[i]);          \
	}
LOOP(exp)
LOOP(exp_minus)
LOOP(exp2_minus)
LOOP(log)
LOOP(softplus)
LOOP(sigmoid)
LOOP(silu)
LOOP(tanh)
LOOP(erf)

static const struct function {
	const char *name;
	void (*loop)(float *y, const float *x, int64_t n);
	double (*want)(double x);
	float from, to;
	double bound;	   /* relative */
	float special[12]; /* pairs: argument, exact value */
	int n_special;
} functions[] = {
	{"exp", exp_loop, exp, -87.32f, 88.722f, 2.4e-7,
		{0, 1, -88, 0, -INFINITY, 0, 89, INFINITY, INFINITY, INFINITY}, 5},
	{"exp_minus", exp_minus_loop, exp, -87.32f, 0, 2.4e-7,
		{0, 1, -88, 0, -INFINITY, 0, -1e30f, 0}, 4},
	{"exp2_minus", exp2_minus_loop, exp2, -126, 0, 3e-7,
		{0, 1, -1, 0.5f, -127, 0, -INFINITY, 0}, 4},
	{"log", log_loop, log, 1.2e-38f, 3.4e38f, 2.4e-7,
		{1, 0, 0, -INFINITY, -1, NAN, INFINITY, INFINITY}, 4},
	{"softplus", softplus_loop, softplus64, -87, 1e30f, 3e-7,
		{20.5f, 20.5f, 1e38f, 1e38f, -200, 0, INFINITY, INFINITY}, 4},
	{"sigmoid", sigmoid_loop, sigmoid64, -87, 1e30f, 3e-7, {0, 0.5f, 100, 1, -100, 0}, 3},
	{"silu", silu_loop, silu64, -87, 1e30f, 3e-7, {0, 0, 100, 100, -100, 0}, 3},
	{"tanh", tanh_loop, tanh, -1e30f, 1e30f, 3e-7, {0, 0, 50, 1, -50, -1}, 3},
	{"erf", erf_loop, erf, -1e30f, 1e30f, 3e-7, {0, 0, 50, 1, -50, -1}, 3},
};

enum { MANY = 4096 };

static float bits_float(uint32_t i)
{
	float x;

	memcpy(&x, &i, sizeof(x));
	return x;
}

/* Worst relative error over every 997th float of [from, to]. */
static double worst_error(const struct function *f, double *at)
{
	float x[MANY], y[MANY];
	double worst = 0;
	uint64_t bits = 0;

	while (bits < 1ull << 32) {
		int n = 0;

		for (; n < MANY && bits < 1ull << 32; bits += 997) {
			float v = bits_float((uint32_t)bits);

			if (v >= f->from && v <= f->to)
				x[n++] = v;
		}
		f->loop(y, x, n);
		for (int i = 0; i < n; i++) {
			double want = f->want(x[i]);
			double e = fabs(y[i] - want) / (fabs(want) + 1.2e-38);

			if (!(e <= worst)) {
				worst = e;
				*at = x[i];
			}
		}
	}
	return worst;
}

static int same(float a, float b)
{
	return a == b || (isnan(a) && isnan(b));
}

int main(void)
{
	for (size_t k = 0; k < sizeof(functions) / sizeof(functions[0]); k++) {
		const struct function *f = &functions[k];
		double at = 0, e = worst_error(f, &at);
		float x[1], y[1];
		int good = 1;

		if (!ok(e <= f->bound, "%s: relative error", f->name))
			diag("error %g at %.9g", e, at);
		for (int i = 0; i < f->n_special; i++) {
			x[0] = f->special[2 * i];
			f->loop(y, x, 1);
			if (!same(y[0], f->special[2 * i + 1])) {
				diag("%s(%g) = %g", f->name, x[0], y[0]);
				good = 0;
			}
		}
		x[0] = NAN;
		f->loop(y, x, 1);
		ok(good && isnan(y[0]), "%s: exact values and NaN", f->name);
	}
	return done();
}
