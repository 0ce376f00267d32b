/*
 * Vectors as wide as the level of the instruction set has them, and sums over their lanes.
 *
 * `omp simd reduction` adds the lanes one after another at the end, which costs more than a short
 * row does: here they are folded in halves. The order of a sum follows from the length and from the
 * level alone.
 */
#ifndef KERNELS_LANES_H
#define KERNELS_LANES_H

#include "kernels/real.h"

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#ifdef REAL_DOUBLE
#define LANES (VECTOR_BYTES / 8)
#else
#define LANES (VECTOR_BYTES / 4)
#endif
#define INLINE static inline __attribute__((always_inline, unused))

typedef real vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

INLINE vec vec_load(const real *x)
{
	return *(const vec *)x;
}

/* Indices that make lanes l and l ^ d change places. */
#define SWAP2(at, d) (at) ^ (d), ((at) + 1) ^ (d)
#define SWAP4(at, d) SWAP2(at, d), SWAP2((at) + 2, d)
#define SWAP8(at, d) SWAP4(at, d), SWAP4((at) + 4, d)
#if LANES == 16
#define SWAP(d) SWAP8(0, d), SWAP8(8, d)
#elif LANES == 8
#define SWAP(d) SWAP8(0, d)
#elif LANES == 4
#define SWAP(d) SWAP4(0, d)
#else
#define SWAP(d) SWAP2(0, d)
#endif

/* The distance is a constant. Clang has the first builtin only, gcc before 12 the second. */
#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define vec_swap(v, distance) __builtin_shufflevector(v, v, SWAP(distance))
#endif
#endif
#ifndef vec_swap
#ifdef REAL_DOUBLE
typedef int64_t vec_index __attribute__((vector_size(VECTOR_BYTES)));
#else
typedef int32_t vec_index __attribute__((vector_size(VECTOR_BYTES)));
#endif
#define vec_swap(v, distance) __builtin_shuffle(v, (vec_index){SWAP(distance)})
#endif

INLINE real vec_sum(vec v)
{
#if LANES >= 16
	v += vec_swap(v, 8);
#endif
#if LANES >= 8
	v += vec_swap(v, 4);
#endif
#if LANES >= 4
	v += vec_swap(v, 2);
#endif
	return v[0] + v[1];
}

#endif
