/* What tests of networks' first values share: one network, and how its parameters are spread. */
#ifndef TESTS_FIRST_VALUES_H
#define TESTS_FIRST_VALUES_H

#include "lib/base/error.h"
#include "lib/models/network.h"
#include "tests/tap.h"

static struct network *n;

static const struct param *find(const char *name)
{
	const struct param *p = model_find(n->model, name);

	if (!p)
		diag("%s is not there", name);
	return p;
}

/* Largest absolute value, and the root of the mean square. */
static double most(const char *name)
{
	const struct param *p = find(name);
	double m = 0;

	for (int64_t i = 0; p && i < p->count; i++)
		m = fmax(m, fabs(p->data[i]));
	return m;
}

static double size(const char *name)
{
	const struct param *p = find(name);
	double sum = 0;

	for (int64_t i = 0; p && i < p->count; i++)
		sum += (double)p->data[i] * p->data[i] / p->count;
	return sqrt(sum);
}

/* Uniform in +-bound: the largest comes near it, and the deviation is its root third. */
static int uniform(const char *name, double bound)
{
	double m = most(name);

	return m <= bound * (1 + 1e-6) && m > 0.97 * bound &&
	       fabs(size(name) / bound - 1 / sqrt(3)) < 0.03;
}

/* Normal: one in three hundred lies beyond three deviations, which a truncation would cut off. */
static int normal(const char *name, double deviation)
{
	return fabs(size(name) / deviation - 1) < 0.05 && most(name) > 3 * deviation;
}

__attribute__((unused)) static int steps_in_range(const char *name)
{
	const struct param *p = find(name);

	for (int64_t i = 0; p && i < p->count; i++) {
		double step = log1p(exp(p->data[i]));

		if (!(step >= 0.00099 && step <= 0.101))
			return 0;
	}
	return p != NULL;
}

#endif
