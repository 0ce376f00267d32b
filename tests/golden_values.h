/*
 * Values of public implementations, tensors of a safetensors file below tests/golden, and what
 * differs from them.
 */
#ifndef TESTS_GOLDEN_VALUES_H
#define TESTS_GOLDEN_VALUES_H

#include "kernels/real.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/checkpoint.h"
#include "tests/tap.h"

#define GOLDEN "tests/golden/"
#ifdef REAL_DOUBLE
static const double golden_bound = 1e-10;
#elif defined(ON_GPU)
static const double golden_bound = 1e-4; /* exponentials within 2^-22 */
#else
static const double golden_bound = 1e-5;
#endif

/* prefix and name together, malloc'ed, *n of them; NULL: not there. */
static double *golden_values(struct checkpoint *c, const char *prefix, const char *name, int64_t *n)
{
	char full[256];
	const struct tensor_view *v;
	double *x;

	*n = 0;
	snprintf(full, sizeof(full), "%s%s", prefix, name);
	v = checkpoint_find(c, full);
	if (!v)
		return NULL;
	x = memory_new(v->count, sizeof(*x));
	*n = v->count;
	if (x && checkpoint_double(c, v, x)) {
		free(x);
		return NULL;
	}
	return x;
}

/* Largest difference over the largest golden value. */
static double golden_difference(const real *got, const double *want, int64_t n, int64_t stride)
{
	double worst = 0, scale = 0;

	for (int64_t i = 0; i < n; i++) {
		double d = fabs(got[i * stride] - want[i]);

		worst = d <= worst ? worst : d;
		scale = fmax(scale, fabs(want[i]));
	}
	return worst / (scale > 1e-30 ? scale : 1);
}

static void golden_compare(
	struct checkpoint *c, const char *network, const char *name, const real *got, int64_t count)
{
	int64_t n;
	double *want = golden_values(c, "", name, &n), d;

	if (!want || n != count) {
		ok(0, "%s: golden %s is there, %lld values", network, name, (long long)count);
		free(want);
		return;
	}
	d = golden_difference(got, want, n, 1);
	if (!ok(d <= golden_bound, "%s: %s", network, name))
		diag("off by %g of the largest value, %g allowed", d, golden_bound);
	free(want);
}

#endif
