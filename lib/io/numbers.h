/*
 * Types of numbers in checkpoints, and their conversion to float and double.
 *
 * Names are those of safetensors. Half, bfloat16, double and whole numbers are read; the other
 * types are known by size, so that a file that holds them can be listed.
 */
#ifndef IO_NUMBERS_H
#define IO_NUMBERS_H

#include <stdint.h>
#include "lib/io/h5.h"

enum number_type {
	NUMBER_F64,
	NUMBER_I64,
	NUMBER_U64,
	NUMBER_C64,
	NUMBER_F32,
	NUMBER_I32,
	NUMBER_U32,
	NUMBER_F16,
	NUMBER_BF16,
	NUMBER_I16,
	NUMBER_U16,
	NUMBER_BOOL,
	NUMBER_U8,
	NUMBER_I8,
	NUMBER_F8_E5M2,
	NUMBER_F8_E4M3,
	NUMBER_F8_E8M0,
	NUMBER_F6_E2M3,
	NUMBER_F6_E3M2,
	NUMBER_F4,
	NUMBER_TYPES
};

const char *number_name(enum number_type type); /* "F32", ... */
/* The type of that name; -1 for an unknown one. */
int number_find(const char *name);
int number_bits(enum number_type type);
/* 1: numbers_to_float and numbers_to_double take it. */
int number_readable(enum number_type type);
/* The type an HDF5 file of ours stores it in: bfloat16 and the whole numbers their own, else F32.
 */
enum h5_type number_h5(enum number_type type);
/* What a dataset's type is called in safetensors; -1 for text. */
int number_of_h5(enum h5_type type);

float half_to_float(uint16_t half);
float bf16_to_float(uint16_t bf16);
/* To nearest, ties to even; a NaN stays one and is made quiet. */
uint16_t float_to_bf16(float x);

/*
 * count little-endian numbers at any address to host numbers. The type must be readable. I64, U64
 * and F64 are rounded to the nearest float.
 */
void numbers_to_float(enum number_type type, const void *from, int64_t count, float *to);
void numbers_to_double(enum number_type type, const void *from, int64_t count, double *to);

#endif
