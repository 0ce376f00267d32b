#include "lib/data/draw.h"

#include <math.h>
#include "lib/data/exact.h"

#define LN2 0.69314718055994530942

double exact_log(double x)
{
	int exponent;
	double m = frexp(x, &exponent), s, z, sum = 0;

	if (m < 0.70710678118654752440) {
		m *= 2;
		exponent--;
	}
	s = (m - 1) / (m + 1); /* ln m = 2 atanh s, |s| < 0.172 */
	z = s * s;
	for (int n = 23; n >= 1; n -= 2)
		sum = sum * z + 1.0 / n;
	return exponent * LN2 + 2 * s * sum;
}

double exact_exp(double x)
{
	double k, r, sum = 1;

	x = x > 700 ? 700 : x < -700 ? -700 : x;
	k = floor(x / LN2 + 0.5);
	r = x - k * LN2;
	for (int n = 18; n >= 1; n--)
		sum = 1 + sum * r / n;
	return ldexp(sum, (int)k);
}

double draw_uniform(const struct draw *d, uint32_t element, double low, double high)
{
	struct philox r = philox(d->seed, d->purpose, d->epoch, d->sample, element);

	return low + (high - low) * philox_uniform53(r.v[0], r.v[1]);
}

int draw_chance(const struct draw *d, uint32_t element, double p)
{
	return draw_uniform(d, element, 0, 1) < p;
}

int64_t draw_below(const struct draw *d, uint32_t element, int64_t n)
{
	return philox_below(d->seed, d->purpose, d->epoch, d->sample, element, (uint32_t)n);
}

/* ln of a Gamma(a, 1) variate, from elements element .. element + 255 */
static double log_gamma_variate(const struct draw *d, uint32_t element, double a)
{
	double shape = a < 1 ? a + 1 : a;
	double third = shape - 1.0 / 3, c = 1 / sqrt(9 * third), boost = 0;

	if (a < 1)
		boost = exact_log(1 - draw_uniform(d, element, 0, 1)) / a;
	/* more than 95 of 100 attempts are taken; 255 refusals do not happen */
	for (uint32_t attempt = 1; attempt < 256; attempt++) {
		struct philox r =
			philox(d->seed, d->purpose, d->epoch, d->sample, element + attempt);
		float normal[2];
		double x, v, u = 1 - philox_uniform53(r.v[2], r.v[3]);

		philox_normal(r.v[0], r.v[1], normal);
		x = normal[0];
		v = 1 + c * x;
		if (v <= 0)
			continue;
		v = v * v * v;
		if (exact_log(u) < 0.5 * x * x + third - third * v + third * exact_log(v))
			return exact_log(third * v) + boost;
	}
	return exact_log(third) + boost;
}

double draw_beta(const struct draw *d, uint32_t element, double a)
{
	double x = log_gamma_variate(d, element, a);
	double y = log_gamma_variate(d, element + 256, a);

	return 1 / (1 + exact_exp(y - x));
}
