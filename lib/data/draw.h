/*
 * Random numbers of the augmentation, from Philox's words by exact or correctly rounded steps:
 * + - * / and square roots of double, no function of the C library that may differ between
 * machines.
 */
#ifndef DATA_DRAW_H
#define DATA_DRAW_H

#include "kernels/philox.h"

/* Whose numbers: elements then count the numbers of one purpose. */
struct draw {
	uint64_t seed;
	enum purpose purpose;
	uint32_t epoch;
	uint64_t sample;
};

/* [low, high), 53 bits */
double draw_uniform(const struct draw *d, uint32_t element, double low, double high);
/* true with probability p; p 1 always, 0 never */
int draw_chance(const struct draw *d, uint32_t element, double p);
/* 0 .. n-1, n below 2^32 */
int64_t draw_below(const struct draw *d, uint32_t element, int64_t n);

/*
 * Beta(a, a) as X / (X + Y) from two gamma variates (Marsaglia and Tsang 2000: a scaled cube of a
 * normal number, accepted or rejected; shapes below 1 through Gamma(a + 1) U^(1/a)), in logarithms
 * so that small a cannot give 0 / 0. Uses elements element .. element + 511.
 */
double draw_beta(const struct draw *d, uint32_t element, double a);

/* ln x, x > 0 and normal; e^x, cut off at |x| 700, to 1e-15 of the larger of 1 and |x| */
double exact_log(double x);
double exact_exp(double x);

#endif
