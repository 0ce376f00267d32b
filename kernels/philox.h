/*
 * Random numbers by counter: Philox 4x32-10 (Salmon et al., SC 2011; Random123), in C and in CUDA.
 *
 * Every number is a function of (seed, purpose, epoch, sample, element), so it is the same for any
 * batch split, thread count, device and resume point. epoch is whatever counts repeats of the same
 * sample: an epoch or a step. The 64-bit seed is Philox's key; the counter's words are
 *
 *	element | sample, low half | epoch | purpose (8 bits), attempt (8), sample, high part (16)
 *
 * so epoch and element have 32 bits, sample has 48. Words are uniform; the derived uniform and
 * integer numbers are exact, hence equal everywhere. Normal numbers are float arithmetic without
 * fused operations, hence equal on every instruction set too.
 */
#ifndef KERNELS_PHILOX_H
#define KERNELS_PHILOX_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <Random123/philox.h>

#define PHILOX_INLINE static inline R123_CUDA_DEVICE

/* Who draws. Values are part of every result: append, never renumber. */
enum purpose {
	PURPOSE_INIT = 1,
	PURPOSE_SHUFFLE,
	PURPOSE_CROP,
	PURPOSE_FLIP,
	PURPOSE_RANDAUGMENT,
	PURPOSE_JITTER,
	PURPOSE_SHIFT,
	PURPOSE_ERASE,
	PURPOSE_MIX,
	PURPOSE_DROP_PATH,
	PURPOSE_SHAPES,
	PURPOSE_SUBSET,
	PURPOSE_PROBE,
	PURPOSE_SUBCLONE,
	PURPOSE_CALIBRATE,
	PURPOSE_TEST,
};

struct philox {
	uint32_t v[4];
};

PHILOX_INLINE struct philox philox_attempt(uint64_t seed, enum purpose purpose, uint32_t epoch,
	uint64_t sample, uint32_t element, uint32_t attempt)
{
	philox4x32_ctr_t c = {{element, (uint32_t)sample, epoch,
		(uint32_t)purpose | (attempt & 255) << 8 | (uint32_t)(sample >> 32) << 16}};
	philox4x32_key_t k = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
	struct philox out;

	c = philox4x32_R(10, c, k);
	memcpy(out.v, c.v, sizeof(out.v));
	return out;
}

/* Four words of 32 random bits. */
PHILOX_INLINE struct philox philox(
	uint64_t seed, enum purpose purpose, uint32_t epoch, uint64_t sample, uint32_t element)
{
	return philox_attempt(seed, purpose, epoch, sample, element, 0);
}

/* [0, 1) in steps of 2^-24 */
PHILOX_INLINE float philox_uniform(uint32_t word)
{
	return (float)(word >> 8) * 0x1p-24f;
}

/* [0, 1) in steps of 2^-53, from two words */
PHILOX_INLINE double philox_uniform53(uint32_t high, uint32_t low)
{
	return (double)((uint64_t)high << 21 | low >> 11) * 0x1p-53;
}

/*
 * 0 .. n-1, each equally likely, n >= 1: by multiplication, and rejection of the few words that
 * would favour some values. The block's words are tried in turn, then further attempts.
 */
PHILOX_INLINE uint32_t philox_below(uint64_t seed, enum purpose purpose, uint32_t epoch,
	uint64_t sample, uint32_t element, uint32_t n)
{
	uint32_t reject = (0u - n) % n;

	for (uint32_t attempt = 0;; attempt++) {
		struct philox r = philox_attempt(seed, purpose, epoch, sample, element, attempt);

		for (int i = 0; i < 4; i++) {
			uint64_t product = (uint64_t)r.v[i] * n;

			if ((uint32_t)product >= reject)
				return (uint32_t)(product >> 32);
		}
		if (attempt == 255) /* once in 2^1024 or less */
			return 0;
	}
}

/* A product that is rounded by itself, never fused with the addition that follows. */
#if defined(__CUDA_ARCH__)
#define PHILOX_MUL(a, b) __fmul_rn(a, b)
#elif defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__) && __GNUC__ >= 12
#define PHILOX_MUL(a, b) __builtin_assoc_barrier((a) * (b))
#else
#define PHILOX_MUL(a, b) ((a) * (b))
#endif

/* ln x for 2^-24 <= x <= 1, to 2e-7 of the larger of 1 and |ln x| */
PHILOX_INLINE float philox_log(float x)
{
	int32_t bits, exponent;
	float m, z, y;

	memcpy(&bits, &x, sizeof(bits));
	exponent = (bits - 0x3f3504f3) >> 23; /* the mantissa's part in [sqrt(1/2), sqrt(2)) */
	bits -= exponent * (1 << 23);
	memcpy(&m, &bits, sizeof(m));
	m -= 1;
	z = m * m;
	y = PHILOX_MUL(7.0376836292e-2f, m) - 1.1514610310e-1f;
	y = PHILOX_MUL(y, m) + 1.1676998740e-1f;
	y = PHILOX_MUL(y, m) - 1.2420140846e-1f;
	y = PHILOX_MUL(y, m) + 1.4249322787e-1f;
	y = PHILOX_MUL(y, m) - 1.6668057665e-1f;
	y = PHILOX_MUL(y, m) + 2.0000714765e-1f;
	y = PHILOX_MUL(y, m) - 2.4999993993e-1f;
	y = PHILOX_MUL(y, m) + 3.3333331174e-1f;
	y = PHILOX_MUL(PHILOX_MUL(y, m), z);
	y = y - PHILOX_MUL(0.5f, z);
	return PHILOX_MUL(0.693147180559945f, (float)exponent) + (m + y);
}

/*
 * Two independent normal numbers from two words (Box and Muller 1958): radius from a, angle from b
 * in quarter turns and a rest within an eighth of a turn either side.
 */
PHILOX_INLINE void philox_normal(uint32_t a, uint32_t b, float out[2])
{
	float radius = sqrtf(PHILOX_MUL(-2.0f, philox_log((float)((a >> 8) + 1) * 0x1p-24f)));
	float rest = (float)((int32_t)(b << 2 >> 8) - (1 << 23)) * 0x1p-24f; /* [-1/2, 1/2) */
	float t = PHILOX_MUL(rest, 1.57079632679f), z = t * t, s, c, swap;
	uint32_t quarter = b >> 30;

	s = PHILOX_MUL(-1.9515295891e-4f, z) + 8.3321608736e-3f;
	s = PHILOX_MUL(s, z) - 1.6666654611e-1f;
	s = PHILOX_MUL(PHILOX_MUL(s, z), t) + t;
	c = PHILOX_MUL(2.443315711809948e-5f, z) - 1.388731625493765e-3f;
	c = PHILOX_MUL(c, z) + 4.166664568298827e-2f;
	c = PHILOX_MUL(PHILOX_MUL(c, z), z) - PHILOX_MUL(0.5f, z) + 1.0f;
	swap = quarter & 1 ? -s : c;
	s = quarter & 1 ? c : s;
	c = quarter & 2 ? -swap : swap;
	s = quarter & 2 ? -s : s;
	out[0] = PHILOX_MUL(radius, c);
	out[1] = PHILOX_MUL(radius, s);
}

#endif
