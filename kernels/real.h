/*
 * The type of every floating-point number that a kernel touches on the CPU.
 *
 * float in the product. The same sources are compiled a second time with -DREAL_DOUBLE for the
 * tests, where gradients are checked against central differences in double.
 */
#ifndef KERNELS_REAL_H
#define KERNELS_REAL_H

#include <stdint.h>

#ifdef REAL_DOUBLE
typedef double real;
#define REAL_M(name) name
#else
typedef float real;
#define REAL_M(name) name##f
#endif

#endif
