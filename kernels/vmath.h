/*
 * Elementary functions that the compiler vectorises inside `#pragma omp simd` loops.
 *
 * In float they are branch-free polynomials (minimax, fitted in 40 digits), so that every lane does
 * the same; in the double build they are libm's. Errors of the float forms against double, over all
 * finite arguments unless said (tests/kernel_vmath.c):
 *
 *	vexp		2 ulp; 0 below -87.33 (no denormal results), infinite above 88.72
 *	vexp_minus	2 ulp, for x <= 0 alone; 0 below -87.33
 *	vexp2_minus	3e-7 relative, for x <= 0 alone: 2^x, 0 below -126
 *	vlog		2 ulp for normal x; -inf at 0, NaN below
 *	vsoftplus	3e-7 relative; log(1 + e^x), exactly x above 20
 *	vsigmoid	3e-7 relative
 *	vsilu		3e-7 relative; x * sigmoid(x)
 *	vtanh		3e-7 relative
 *	verf		3e-7 relative
 *
 * NaN in, NaN out.
 */
#ifndef KERNELS_VMATH_H
#define KERNELS_VMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#include "kernels/real.h"

#define VMATH static inline __attribute__((always_inline, unused))

#ifdef REAL_DOUBLE

VMATH real vexp(real x)
{
	return exp(x);
}

VMATH real vexp_minus(real x)
{
	return exp(x);
}

VMATH real vexp2_minus(real x)
{
	return exp2(x);
}

VMATH real vlog(real x)
{
	return log(x);
}

VMATH real vsoftplus(real x)
{
	return x > 20 ? x : log1p(exp(x));
}

VMATH real vsigmoid(real x)
{
	return 1 / (1 + exp(-x));
}

VMATH real vtanh(real x)
{
	return tanh(x);
}

VMATH real verf(real x)
{
	return erf(x);
}

#else

VMATH int32_t vmath_bits(float x)
{
	int32_t i;

	memcpy(&i, &x, sizeof(i));
	return i;
}

VMATH float vmath_float(int32_t i)
{
	float x;

	memcpy(&x, &i, sizeof(x));
	return x;
}

/* e^x for x in [-87.33, 88.02]: no care for the ends. x = n ln 2 + r, |r| <= ln(2)/2. */
VMATH float vmath_exp_core(float x)
{
	const float round = 12582912.0f; /* 1.5 * 2^23: its last bit is worth 1 */
	float shifted = x * 1.44269504f + round;
	float n = shifted - round;
	float r = (x - n * 0.693145752f) - n * 1.42860677e-6f;
	float p = 0.001394121843f;

	p = p * r + 0.008363234939f;
	p = p * r + 0.04166637408f;
	p = p * r + 0.1666657665f;
	p = p * r + 0.5000000027f;
	p = p * (r * r) + r + 1;
	return p * vmath_float((int32_t)((uint32_t)(vmath_bits(shifted) + 127) << 23));
}

VMATH float vexp(float x)
{
	/* the core's scale reaches 2^127 alone */
	float y = vmath_exp_core(x > 80 ? x / 2 : x);

	y = x > 80 ? y * y : y;
	y = x < -87.33f ? 0 : y;
	return x > 88.7228394f ? INFINITY : y;
}

VMATH float vexp_minus(float x)
{
	float y = vmath_exp_core(x);

	return x < -87.33f ? 0 : y;
}

/* e^-|x|, no overflow possible */
VMATH float vmath_exp_minus(float x)
{
	float a = -fabsf(x);
	float y = vmath_exp_core(a);

	return a < -87.33f ? 0 : y;
}

/* The cheapest exponential, for the scan: x = n + f, |f| <= 1/2. */
VMATH float vexp2_minus(float x)
{
	const float round = 12582912.0f;
	float shifted = x + round;
	float f = x - (shifted - round);
	float p = 0.001333354357f;

	p = p * f + 0.00966634164f;
	p = p * f + 0.05550500558f;
	p = p * f + 0.2402235015f;
	p = p * f + 0.6931471433f;
	p = p * f + 1;
	p *= vmath_float((int32_t)((uint32_t)(vmath_bits(shifted) + 127) << 23));
	return x < -126 ? 0 : p;
}

/* log(1 + m) of s = m / (2 + m): 2 atanh(s), for s^2 <= 1/9 */
VMATH float vmath_atanh2(float s)
{
	float z = s * s;
	float p = 0.1161678208f;

	p = p * z + 0.1085226654f;
	p = p * z + 0.1429624947f;
	p = p * z + 0.1999985161f;
	p = p * z + 0.3333333367f;
	return 2 * s + 2 * s * z * p;
}

VMATH float vlog(float x)
{
	float scaled = x < 1.17549435e-38f ? x * 8388608 : x;
	int32_t i = vmath_bits(scaled) - 0x3f3504f3; /* sqrt(1/2) */
	int32_t n = i >> 23;
	float m = vmath_float((i & 0x7fffff) + 0x3f3504f3) - 1;
	float e = (float)n - (x < 1.17549435e-38f ? 23 : 0);
	float y = e * 0.693145752f + (vmath_atanh2(m / (2 + m)) + e * 1.42860677e-6f);

	y = x == 0 ? -INFINITY : y;
	y = x < 0 ? NAN : y;
	return x > 3.4e38f ? x + y - y : x != x ? x : y;
}

VMATH float vsoftplus(float x)
{
	float y = vmath_exp_minus(x);
	float l = vmath_atanh2(y / (2 + y));

	return x > 20 ? x : x > 0 ? x + l : x != x ? x : l;
}

VMATH float vsigmoid(float x)
{
	float y = vmath_exp_minus(x);

	return (x >= 0 ? 1.0f : y) / (1 + y) + (x - x);
}

VMATH float vtanh(float x)
{
	float a = fabsf(x), z = x * x;
	float y = vmath_exp_minus(2 * a);
	float far = copysignf((1 - y) / (1 + y), x);
	float p = -0.006096941558f;

	p = p * z + 0.02099735755f;
	p = p * z - 0.05385095348f;
	p = p * z + 0.1333277008f;
	p = p * z - 0.3333332895f;
	return a < 0.625f ? x + x * z * p : far;
}

VMATH float verf(float x)
{
	float a = fabsf(x), z = x * x;
	float t = a < 4 ? a : 4;
	float q = -1.602484782e-6f, p = -0.0005862071423f, far;

	/* erf = 1 - e^-q beyond 0.95, q = -log(erfc) */
	q = q * t + 4.535446747e-5f;
	q = q * t - 0.0005907141754f;
	q = q * t + 0.004730276513f;
	q = q * t - 0.02633552314f;
	q = q * t + 0.1099251523f;
	q = q * t + 0.6319953629f;
	q = q * t + 1.130131475f;
	q = q * t - 0.0002942698416f;
	far = copysignf(1 - vmath_exp_core(-q), x);
	p = p * z + 0.00496750447f;
	p = p * z - 0.02674886249f;
	p = p * z + 0.1128132063f;
	p = p * z - 0.3761244593f;
	p = p * z + 1.128379142f;
	return a < 0.94f ? x * p : x != x ? x : far;
}

#endif

VMATH real vsilu(real x)
{
	return x * vsigmoid(x);
}

#endif
