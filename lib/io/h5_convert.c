/*
 * Conversion of values between the types of files and memory.
 *
 * Floats are rounded to nearest, ties to even; a finite value beyond the range of the narrower type
 * is refused, as is an integer that does not fit. NaN stays NaN.
 */
#include "lib/io/h5_internal.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* Exponent and mantissa of the two 16-bit formats. */
struct format16 {
	int mantissa, bias;
};
static const struct format16 F16 = {10, 15}, BF16 = {7, 127};

static double widen(uint16_t bits, struct format16 t)
{
	int exponent = (bits & 0x7fff) >> t.mantissa;
	int mantissa = bits & ((1 << t.mantissa) - 1);
	double x;

	if (exponent == 2 * t.bias + 1)
		x = mantissa ? (double)NAN : (double)INFINITY;
	else if (exponent)
		x = ldexp(mantissa + (1 << t.mantissa), exponent - t.bias - t.mantissa);
	else
		x = ldexp(mantissa, 1 - t.bias - t.mantissa);
	return bits & 0x8000 ? -x : x;
}

/* -1: finite, and beyond the format's range. */
static int narrow(double x, struct format16 t, uint16_t *bits)
{
	unsigned sign = signbit(x) ? 0x8000 : 0, limit = (2 * t.bias + 1) << t.mantissa;
	double size = fabs(x);
	int exponent;
	unsigned value;

	if (isnan(x) || isinf(x) || x == 0) {
		*bits = sign | (x == 0 ? 0 : limit | (isnan(x) ? 1u << (t.mantissa - 1) : 0));
		return 0;
	}
	if (size >= ldexp(1, t.bias + 1))
		return -1;
	exponent = ilogb(size);
	if (exponent < 1 - t.bias)
		exponent = 1 - t.bias;
	/* in units of the last place: 2^mantissa .. 2^(mantissa + 1), or less when subnormal */
	value = (unsigned)nearbyint(ldexp(size, t.mantissa - exponent));
	value += (unsigned)(exponent + t.bias - 1) << t.mantissa;
	*bits = sign | value;
	return value >= limit ? -1 : 0;
}

/* The common case: round the lower 16 bits of a float away. */
static int f32_to_bf16(float x, uint16_t *bits)
{
	uint32_t u;

	memcpy(&u, &x, 4);
	if (isnan(x))
		*bits = u >> 16 | 0x40;
	else
		*bits = (u + 0x7fff + (u >> 16 & 1)) >> 16;
	return (*bits & 0x7fff) == 0x7f80 && !isinf(x) ? -1 : 0;
}

static float bf16_to_f32(uint16_t bits)
{
	uint32_t u = (uint32_t)bits << 16;
	float x;

	memcpy(&x, &u, 4);
	return x;
}

static double load_float(const void *p, enum h5_type type, int64_t i)
{
	switch (type) {
	case H5_F32:
		return ((const float *)p)[i];
	case H5_F16:
		return widen(((const uint16_t *)p)[i], F16);
	case H5_BF16:
		return bf16_to_f32(((const uint16_t *)p)[i]);
	default:
		return ((const double *)p)[i];
	}
}

static int store_float(void *p, enum h5_type type, int64_t i, double x)
{
	switch (type) {
	case H5_F32:
		((float *)p)[i] = (float)x;
		return isinf((float)x) && !isinf(x) ? -1 : 0;
	case H5_F16:
		return narrow(x, F16, (uint16_t *)p + i);
	case H5_BF16:
		return narrow(x, BF16, (uint16_t *)p + i);
	default:
		((double *)p)[i] = x;
		return 0;
	}
}

static int convert_float(void *to, enum h5_type to_type, const void *from, enum h5_type from_type,
	int64_t count, int64_t *bad)
{
	int failed = 0;

	if (from_type == H5_F32 && to_type == H5_BF16) {
		for (int64_t i = 0; i < count && !failed; i++)
			if (f32_to_bf16(((const float *)from)[i], (uint16_t *)to + i))
				failed = -1, *bad = i;
	} else if (from_type == H5_BF16 && to_type == H5_F32) {
		for (int64_t i = 0; i < count; i++)
			((float *)to)[i] = bf16_to_f32(((const uint16_t *)from)[i]);
	} else {
		for (int64_t i = 0; i < count && !failed; i++)
			if (store_float(to, to_type, i, load_float(from, from_type, i)))
				failed = -1, *bad = i;
	}
	return failed;
}

/* An integer as sign and size. */
static uint64_t load_int(const void *p, enum h5_type type, int64_t i, int *negative)
{
	int64_t v;

	*negative = 0;
	if (type == H5_U8)
		return ((const uint8_t *)p)[i];
	if (type == H5_U64)
		return ((const uint64_t *)p)[i];
	v = type == H5_I32 ? ((const int32_t *)p)[i] : ((const int64_t *)p)[i];
	*negative = v < 0;
	return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

static int store_int(void *p, enum h5_type type, int64_t i, uint64_t size, int negative)
{
	uint64_t limit = type == H5_U8	  ? UINT8_MAX
			 : type == H5_U64 ? UINT64_MAX
			 : type == H5_I32 ? INT32_MAX
					  : INT64_MAX;
	uint64_t v = negative ? -size : size;

	if (negative && (type == H5_U8 || type == H5_U64 || size > limit + 1))
		return -1;
	if (!negative && size > limit)
		return -1;
	if (type == H5_U8)
		((uint8_t *)p)[i] = (uint8_t)v;
	else if (type == H5_I32)
		((int32_t *)p)[i] = (int32_t)v;
	else
		((uint64_t *)p)[i] = v;
	return 0;
}

static int convert_int(void *to, enum h5_type to_type, const void *from, enum h5_type from_type,
	int64_t count, int64_t *bad)
{
	for (int64_t i = 0; i < count; i++) {
		int negative;
		uint64_t size = load_int(from, from_type, i, &negative);

		if (store_int(to, to_type, i, size, negative)) {
			*bad = i;
			return -1;
		}
	}
	return 0;
}

static int is_float(enum h5_type t)
{
	return t == H5_F32 || t == H5_F64 || t == H5_F16 || t == H5_BF16;
}

int h5_convert(void *to, enum h5_type to_type, const void *from, enum h5_type from_type,
	int64_t count, int64_t *bad)
{
	if (to_type == from_type) {
		memcpy(to, from, (size_t)count * h5_type_size(to_type));
		return 0;
	}
	if (to_type == H5_TEXT || from_type == H5_TEXT || is_float(to_type) != is_float(from_type))
		return -2;
	if (is_float(to_type))
		return convert_float(to, to_type, from, from_type, count, bad);
	return convert_int(to, to_type, from, from_type, count, bad);
}
