/*
 * y = scale (a + b), element by element.
 *
 * Backward: da = db = scale dy; each set or added to as acc says; NULL is not wanted. y may be a or
 * b.
 */
#ifndef KERNELS_ADD_H
#define KERNELS_ADD_H

#include "kernels/real.h"

struct add {
	int64_t count;
	real scale;
};

void add_forward(const struct add *p, real *y, const real *a, const real *b);
void add_backward(const struct add *p, real *da, int acc_a, real *db, int acc_b, const real *dy);

#endif
