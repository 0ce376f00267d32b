#include "lib/data/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/data/exact.h"

#define PLACES 22
#define SIDE_MAX (1 << 20)

/* Weights of one axis: output i is the sum over j of weight[taps * i + j] in[first[i] + j]. */
struct axis {
	int64_t taps; /* room for each output */
	int32_t *first, *count, *weight;
	size_t outputs_room, weights_room;
};

/* The same pixel of two rows, four numbers each */
typedef int32_t pair __attribute__((vector_size(32)));

struct resample_work {
	struct axis x, y;
	double *real;
	pair *row;     /* two input rows */
	uint8_t *rows; /* after the first pass: (rows needed, keep.width, 3) */
	size_t real_room, row_room, rows_room;
};

struct resample_work *resample_work_new(void)
{
	return memory_new(1, sizeof(struct resample_work));
}

void resample_work_free(struct resample_work *w)
{
	if (!w)
		return;
	free(w->x.first);
	free(w->x.count);
	free(w->x.weight);
	free(w->y.first);
	free(w->y.count);
	free(w->y.weight);
	free(w->real);
	free(w->row);
	free(w->rows);
	free(w);
}

/* A buffer whose contents need not survive growing, aligned to 64. */
static int room(void *pointer, size_t *have, size_t count, size_t size)
{
	void **p = pointer;

	if (count <= *have)
		return 0;
	free(*p);
	*have = 0;
	*p = memory_new(count, size);
	if (!*p)
		return STATUS_SYSTEM;
	*have = count;
	return 0;
}

static double cubic(double x)
{
	const double a = -0.5;

	x = fabs(x);
	if (x < 1)
		return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
	if (x < 2)
		return (((x - 5) * x + 8) * x - 4) * a;
	return 0;
}

/* The weights of outputs [from, from + n) of an axis resized from in to out samples. */
static int axis_weights(
	struct axis *a, struct resample_work *w, int64_t in, int64_t out, int64_t from, int64_t n)
{
	double scale = (double)in / (double)out, stretch = scale < 1 ? 1 : scale;
	double support = 2 * stretch, inverse = 1 / stretch;
	size_t had = a->outputs_room;

	a->taps = (int64_t)ceil(support) * 2 + 1;
	TRY(room(&a->first, &had, n, sizeof(*a->first)));
	TRY(room(&a->count, &a->outputs_room, n, sizeof(*a->count)));
	TRY(room(&a->weight, &a->weights_room, (size_t)n * a->taps, sizeof(*a->weight)));
	TRY(room(&w->real, &w->real_room, a->taps, sizeof(*w->real)));
	for (int64_t i = 0; i < n; i++) {
		double centre = ((double)(from + i) + 0.5) * scale, sum = 0;
		int64_t low = (int64_t)(centre - support + 0.5);
		int64_t high = (int64_t)(centre + support + 0.5), count;
		int32_t *q = a->weight + i * a->taps;

		low = low < 0 ? 0 : low;
		high = high > in ? in : high;
		count = high - low;
		for (int64_t j = 0; j < count; j++) {
			double at = (double)(j + low) - centre + 0.5;

			w->real[j] = cubic(at * inverse);
			sum += w->real[j];
		}
		for (int64_t j = 0; j < count; j++) {
			double v = sum != 0 ? w->real[j] / sum : w->real[j];

			q[j] = (int32_t)(v < 0 ? v * (1 << PLACES) - 0.5 : v * (1 << PLACES) + 0.5);
		}
		a->first[i] = (int32_t)low;
		a->count[i] = (int32_t)count;
	}
	return 0;
}

static inline uint8_t clipped(int32_t sum)
{
	int32_t v = sum >> PLACES;

	return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/*
 * Two rows along x: out and below are (n, 3) each. below is written first, so that it may be out
 * where there is but one row left.
 */
CLONES static void row_pass(uint8_t *out, uint8_t *below, const uint8_t *in,
	const uint8_t *in_below, int64_t in_width, int64_t n, const struct axis *a, pair *row)
{
	const int32_t half = 1 << (PLACES - 1);

	for (int64_t x = 0; x < in_width; x++, in += 3, in_below += 3)
		row[x] = (pair){in[0], in[1], in[2], 0, in_below[0], in_below[1], in_below[2], 0};
	for (int64_t i = 0; i < n; i++, out += 3, below += 3) {
		const int32_t *weight = a->weight + i * a->taps;
		const pair *p = row + a->first[i];
		pair sum = {half, half, half, 0, half, half, half, 0};

		for (int32_t j = 0; j < a->count[i]; j++)
			sum += p[j] * weight[j];
		for (int c = 0; c < 3; c++)
			below[c] = clipped(sum[4 + c]);
		for (int c = 0; c < 3; c++)
			out[c] = clipped(sum[c]);
	}
}

#define STRIP 64

/* One output row of n bytes along y from rows `stride` bytes apart */
CLONES static void column_pass(uint8_t *out, const uint8_t *in, int64_t stride, int64_t n,
	const int32_t *weight, int32_t count)
{
	int64_t i = 0;

	for (; i + STRIP <= n; i += STRIP) {
		int32_t sum[STRIP];

		for (int k = 0; k < STRIP; k++)
			sum[k] = 1 << (PLACES - 1);
		for (int32_t j = 0; j < count; j++) {
			const uint8_t *p = in + j * stride + i;

			for (int k = 0; k < STRIP; k++)
				sum[k] += p[k] * weight[j];
		}
		for (int k = 0; k < STRIP; k++)
			out[i + k] = clipped(sum[k]);
	}
	for (; i < n; i++) {
		int32_t sum = 1 << (PLACES - 1);

		for (int32_t j = 0; j < count; j++)
			sum += in[j * stride + i] * weight[j];
		out[i] = clipped(sum);
	}
}

int image_resample(uint8_t *out, const uint8_t *in, int64_t in_width, struct window box,
	int64_t height, int64_t width, struct window keep, struct resample_work *w)
{
	int64_t first = keep.top, last = keep.top + keep.height, stride = 3 * in_width;
	int along_y = box.height != height, along_x = box.width != width;

	if (box.height < 1 || box.width < 1 || height < 1 || width < 1 || box.height > SIDE_MAX ||
		box.width > SIDE_MAX || height > SIDE_MAX || width > SIDE_MAX)
		return error(STATUS_DATA, "cannot resize %lld x %lld pixels to %lld x %lld",
			(long long)box.width, (long long)box.height, (long long)width,
			(long long)height);
	in += box.top * stride + 3 * box.left;
	if (along_y) {
		TRY(axis_weights(&w->y, w, box.height, height, keep.top, keep.height));
		first = w->y.first[0];
		last = w->y.first[keep.height - 1] + w->y.count[keep.height - 1];
	}
	if (along_x) {
		uint8_t *rows = out;

		TRY(axis_weights(&w->x, w, box.width, width, keep.left, keep.width));
		TRY(room(&w->row, &w->row_room, box.width, sizeof(*w->row)));
		if (along_y) {
			TRY(room(&w->rows, &w->rows_room, (size_t)(last - first) * keep.width, 3));
			rows = w->rows;
		}
		for (int64_t y = first; y < last; y += 2) {
			int64_t next = y + 1 < last ? y + 1 : y;

			row_pass(rows + (y - first) * 3 * keep.width,
				rows + (next - first) * 3 * keep.width, in + y * stride,
				in + next * stride, box.width, keep.width, &w->x, w->row);
		}
		in = w->rows;
		stride = 3 * keep.width;
	} else {
		in += first * stride + 3 * keep.left;
	}
	for (int64_t y = 0; along_y && y < keep.height; y++)
		column_pass(out + 3 * y * keep.width, in + (w->y.first[y] - first) * stride, stride,
			3 * keep.width, w->y.weight + y * w->y.taps, w->y.count[y]);
	for (int64_t y = 0; !along_x && !along_y && y < keep.height; y++)
		memcpy(out + 3 * y * keep.width, in + y * stride, 3 * keep.width);
	return 0;
}
