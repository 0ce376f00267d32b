/*
 * First values of parameters. Every number is a function of (seed, the parameter's name, element):
 * it depends neither on other parameters nor on their order. The elementary functions are series of
 * plain double operations, so that the bits are the same on every machine.
 */
#include "lib/program/model.h"
#include "kernels/philox.h"

/* Kept out of line: the product is rounded by itself wherever the compiler could fuse it. */
static __attribute__((noinline)) double product(double a, double b)
{
	return a * b;
}

/* e^x - 1 for 0 <= x <= 8: all terms are positive */
static double series_expm1(double x)
{
	double term = x, sum = x;

	for (int n = 2; n < 60; n++) {
		term = product(term, x) / n;
		sum += term;
	}
	return sum;
}

/* ln x for x > 0, to 1e-15 */
static double series_log(double x)
{
	int exponent;
	double m = frexp(x, &exponent), s, power, sum = 0;

	if (m < 0.70710678) {
		m *= 2;
		exponent--;
	}
	s = (m - 1) / (m + 1);
	power = s;
	for (int n = 1; n < 40; n += 2) {
		sum += power / n;
		power = product(power, product(s, s));
	}
	return 2 * sum + product(exponent, 0.69314718055994530942);
}

/* The bias whose softplus is a step drawn log-uniformly from [0.001, 0.1], u in [0, 1) */
static double step_bias(double u)
{
	double low = series_log(0.001), span = series_log(0.1) - low, step, grown;

	step = 1 / (1 + series_expm1(-(product(u, span) + low)));
	step = step > 1e-4 ? step : 1e-4;
	grown = series_expm1(step);
	return step + series_log(grown / (1 + grown)); /* the fraction is 1 - e^-step */
}

/* FNV-1a */
static uint32_t name_hash(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash;
}

struct draw {
	uint64_t seed;
	uint32_t name;
};

/* A block of Philox words serves four elements. */
static struct philox draw_words(const struct draw *d, int64_t i)
{
	return philox(d->seed, PURPOSE_INIT, d->name, (uint64_t)i >> 34, (uint32_t)(i / 4));
}

static double draw_uniform(const struct draw *d, int64_t i)
{
	return philox_uniform(draw_words(d, i).v[i % 4]);
}

static double draw_normal(const struct draw *d, int64_t i)
{
	struct philox words = draw_words(d, i);
	float pair[2];

	philox_normal(words.v[i % 4 & 2], words.v[(i % 4 & 2) + 1], pair);
	return pair[i % 2];
}

static double element(const struct param *p, const struct draw *d, int64_t i)
{
	int64_t last = p->dims ? p->shape[p->dims - 1] : 1, column = i % last;
	int64_t rows = p->dims > 1 ? p->shape[p->dims - 2] : 1;

	switch (p->init) {
	case INIT_ZERO:
		return 0;
	case INIT_ONE:
		return 1;
	case INIT_NORMAL:
		return p->a * draw_normal(d, i);
	case INIT_UNIFORM:
		return p->a * (2 * draw_uniform(d, i) - 1);
	case INIT_A_LOG:
		return series_log((double)(column + 1));
	case INIT_DT_BIAS:
		return step_bias(draw_uniform(d, i));
	case INIT_EYE:
		return i / last % rows == column ? 1 : p->a * draw_normal(d, i);
	}
	return 0;
}

void param_init(const struct param *param, uint64_t seed, real *host)
{
	struct draw d = {seed, name_hash(param->name)};

	for (int64_t i = 0; i < param->count; i++)
		host[i] = (real)element(param, &d, i);
}
