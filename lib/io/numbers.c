#include "lib/io/numbers.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "checkpoints are little-endian, and read by copying: this machine needs byte swaps"
#endif

static const struct {
	const char *name;
	int bits, readable, h5;
} types[NUMBER_TYPES] = {
	[NUMBER_F64] = {"F64", 64, 1, H5_F32},
	[NUMBER_I64] = {"I64", 64, 1, H5_I64},
	[NUMBER_U64] = {"U64", 64, 1, H5_U64},
	[NUMBER_C64] = {"C64", 64, 0, -1},
	[NUMBER_F32] = {"F32", 32, 1, H5_F32},
	[NUMBER_I32] = {"I32", 32, 1, H5_I32},
	[NUMBER_U32] = {"U32", 32, 0, -1},
	[NUMBER_F16] = {"F16", 16, 1, H5_F32},
	[NUMBER_BF16] = {"BF16", 16, 1, H5_BF16},
	[NUMBER_I16] = {"I16", 16, 0, -1},
	[NUMBER_U16] = {"U16", 16, 0, -1},
	[NUMBER_BOOL] = {"BOOL", 8, 1, H5_U8},
	[NUMBER_U8] = {"U8", 8, 1, H5_U8},
	[NUMBER_I8] = {"I8", 8, 0, -1},
	[NUMBER_F8_E5M2] = {"F8_E5M2", 8, 0, -1},
	[NUMBER_F8_E4M3] = {"F8_E4M3", 8, 0, -1},
	[NUMBER_F8_E8M0] = {"F8_E8M0", 8, 0, -1},
	[NUMBER_F6_E2M3] = {"F6_E2M3", 6, 0, -1},
	[NUMBER_F6_E3M2] = {"F6_E3M2", 6, 0, -1},
	[NUMBER_F4] = {"F4", 4, 0, -1},
};

const char *number_name(enum number_type type)
{
	return types[type].name;
}

int number_find(const char *name)
{
	for (int i = 0; i < NUMBER_TYPES; i++)
		if (!strcmp(types[i].name, name))
			return i;
	return -1;
}

int number_bits(enum number_type type)
{
	return types[type].bits;
}

int number_readable(enum number_type type)
{
	return types[type].readable;
}

enum h5_type number_h5(enum number_type type)
{
	return types[type].h5;
}

int number_of_h5(enum h5_type type)
{
	static const int of[] = {
		[H5_F32] = NUMBER_F32,
		[H5_F64] = NUMBER_F64,
		[H5_F16] = NUMBER_F16,
		[H5_BF16] = NUMBER_BF16,
		[H5_I32] = NUMBER_I32,
		[H5_I64] = NUMBER_I64,
		[H5_U8] = NUMBER_U8,
		[H5_U64] = NUMBER_U64,
		[H5_TEXT] = -1,
	};

	return of[type];
}

static float float_of_bits(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

float half_to_float(uint16_t half)
{
	uint32_t sign = (uint32_t)(half & 0x8000) << 16;
	uint32_t exponent = half >> 10 & 31, mantissa = half & 0x3ff;

	if (exponent == 31)
		return float_of_bits(sign | 0x7f800000 | mantissa << 13);
	if (exponent)
		return float_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
	/* subnormal: mantissa * 2^-24, exact in float */
	return (sign ? -1.0f : 1.0f) * (float)mantissa * 0x1p-24f;
}

float bf16_to_float(uint16_t bf16)
{
	return float_of_bits((uint32_t)bf16 << 16);
}

uint16_t float_to_bf16(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	if ((bits & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(bits >> 16 | 0x40);
	return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#define EACH(source, value)                                                                        \
	for (int64_t i = 0; i < count; i++) {                                                      \
		source x;                                                                          \
		memcpy(&x, at + i * sizeof(x), sizeof(x));                                         \
		to[i] = value;                                                                     \
	}                                                                                          \
	return

#define CONVERT(target)                                                                            \
	const unsigned char *at = from;                                                            \
	switch (type) {                                                                            \
	case NUMBER_F64:                                                                           \
		EACH(double, (target)x);                                                           \
	case NUMBER_F32:                                                                           \
		EACH(float, (target)x);                                                            \
	case NUMBER_F16:                                                                           \
		EACH(uint16_t, (target)half_to_float(x));                                          \
	case NUMBER_BF16:                                                                          \
		EACH(uint16_t, (target)bf16_to_float(x));                                          \
	case NUMBER_I64:                                                                           \
		EACH(int64_t, (target)x);                                                          \
	case NUMBER_U64:                                                                           \
		EACH(uint64_t, (target)x);                                                         \
	case NUMBER_I32:                                                                           \
		EACH(int32_t, (target)x);                                                          \
	case NUMBER_BOOL:                                                                          \
		EACH(uint8_t, (target)(x != 0));                                                   \
	case NUMBER_U8:                                                                            \
		EACH(uint8_t, (target)x);                                                          \
	default:                                                                                   \
		break;                                                                             \
	}

void numbers_to_float(enum number_type type, const void *from, int64_t count, float *to)
{
	CONVERT(float)
}

void numbers_to_double(enum number_type type, const void *from, int64_t count, double *to)
{
	CONVERT(double)
}
