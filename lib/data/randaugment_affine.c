/*
 * Affine maps of an image, in double and in the order of operations of Pillow's generic transform,
 * so that the truncation to bytes falls on the same side.
 *
 * The image is first widened to four floats a pixel with a border of two repeated pixels: the taps
 * then need no clipping, and three channels are one vector.
 */
#include "lib/data/randaugment.h"

#include <math.h>
#include <string.h>

#define BORDER 2

#if defined(__x86_64__) && !defined(__clang__)
/* AVX2 without fused multiply-add: the same bits */
#define CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CLONES
#endif

typedef float pixel __attribute__((vector_size(16)));
typedef double wide __attribute__((vector_size(32)));

size_t randaugment_work(int64_t height, int64_t width)
{
	return (size_t)(height + 2 * BORDER) * (width + 2 * BORDER) * sizeof(pixel);
}

static void widen(pixel *out, const uint8_t *image, int64_t height, int64_t width)
{
	int64_t row = width + 2 * BORDER;

	for (int64_t y = 0; y < height; y++) {
		const uint8_t *in = image + y * width * 3;
		pixel *o = out + (y + BORDER) * row + BORDER;

		for (int64_t x = 0; x < width; x++)
			o[x] = (pixel){in[3 * x], in[3 * x + 1], in[3 * x + 2], 0};
		for (int64_t x = 1; x <= BORDER; x++) {
			o[-x] = o[0];
			o[width - 1 + x] = o[width - 1];
		}
	}
	for (int64_t y = 0; y < BORDER; y++) {
		memcpy(out + y * row, out + BORDER * row, row * sizeof(*out));
		memcpy(out + (height + BORDER + y) * row, out + (height + BORDER - 1) * row,
			row * sizeof(*out));
	}
}

#define WIDE(p) __builtin_convertvector(p, wide)

/* The cubic through four values with a = -1 */
#define CUBIC(out, v1, v2, v3, v4, d)                                                              \
	do {                                                                                       \
		wide p2_ = -v1 + v3;                                                               \
		wide p3_ = 2 * (v1 - v2) + v3 - v4;                                                \
		wide p4_ = -v1 + v2 - v3 + v4;                                                     \
		out = v2 + (d) * (p2_ + (d) * (p3_ + (d)*p4_));                                    \
	} while (0)

#define CUBIC_ROW(out, p, d)                                                                       \
	do {                                                                                       \
		wide a_ = WIDE((p)[0]), b_ = WIDE((p)[1]), c_ = WIDE((p)[2]), d_ = WIDE((p)[3]);   \
		CUBIC(out, a_, b_, c_, d_, d);                                                     \
	} while (0)

static inline void put(uint8_t *out, double v)
{
	*out = (uint8_t)(v <= 0 ? 0 : v >= 255 ? 255 : v);
}

static inline int64_t floored(double v)
{
	int64_t i = (int64_t)v;

	return i - (v < (double)i);
}

#define TAPS(xin, yin)                                                                             \
	double sx = (xin)-0.5, sy = (yin)-0.5;                                                     \
	int64_t x0 = floored(sx), y0 = floored(sy);                                                \
	double dx = sx - (double)x0, dy = sy - (double)y0;                                         \
	const pixel *p = image + (y0 + BORDER) * row + x0 + BORDER;                                \
	wide v

CLONES static void map_bicubic(
	uint8_t *out, const pixel *image, int64_t height, int64_t width, const double a[6])
{
	int64_t row = width + 2 * BORDER;

	for (int64_t y = 0; y < height; y++)
		for (int64_t x = 0; x < width; x++, out += 3) {
			double xin = a[0] * (x + 0.5) + a[1] * (y + 0.5) + a[2];
			double yin = a[3] * (x + 0.5) + a[4] * (y + 0.5) + a[5];
			wide r[4];

			if (!(xin >= 0 && xin < width && yin >= 0 && yin < height))
				continue;
			TAPS(xin, yin);
			for (int i = 0; i < 4; i++)
				CUBIC_ROW(r[i], p + (i - 1) * row - 1, dx);
			CUBIC(v, r[0], r[1], r[2], r[3], dy);
			put(out, v[0]);
			put(out + 1, v[1]);
			put(out + 2, v[2]);
		}
}

CLONES static void map_bilinear(
	uint8_t *out, const pixel *image, int64_t height, int64_t width, const double a[6])
{
	int64_t row = width + 2 * BORDER;

	for (int64_t y = 0; y < height; y++)
		for (int64_t x = 0; x < width; x++, out += 3) {
			double xin = a[0] * (x + 0.5) + a[1] * (y + 0.5) + a[2];
			double yin = a[3] * (x + 0.5) + a[4] * (y + 0.5) + a[5];
			wide upper, lower;

			if (!(xin >= 0 && xin < width && yin >= 0 && yin < height))
				continue;
			TAPS(xin, yin);
			upper = WIDE(p[0]) + (WIDE(p[1]) - WIDE(p[0])) * dx;
			lower = WIDE(p[row]) + (WIDE(p[row + 1]) - WIDE(p[row])) * dx;
			v = upper + (lower - upper) * dy;
			put(out, v[0]);
			put(out + 1, v[1]);
			put(out + 2, v[2]);
		}
}

void image_affine(uint8_t *image, int64_t height, int64_t width, const double a[6], int bicubic,
	const uint8_t fill[3], void *work)
{
	widen(work, image, height, width);
	for (int64_t i = 0; i < height * width; i++)
		memcpy(image + 3 * i, fill, 3);
	if (bicubic)
		map_bicubic(image, work, height, width, a);
	else
		map_bilinear(image, work, height, width, a);
}
