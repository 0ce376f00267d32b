/*
 * A sample and its partner are made by one thread, so that mixing works in place: every value of a
 * pair is replaced by what both held before.
 */
#include "kernels/image_input.h"
#include "kernels/philox.h"
#include "kernels/rows.h"

struct box {
	int64_t top, left, bottom, right;
};

static int64_t cut(int64_t x, int64_t most)
{
	return x < 0 ? 0 : x > most ? most : x;
}

static struct box box_in(
	const struct image_input *p, int64_t top, int64_t left, int64_t bottom, int64_t right)
{
	return (struct box){
		cut(top, p->size), cut(left, p->size), cut(bottom, p->size), cut(right, p->size)};
}

/* All values that a byte can become, by channel. */
struct levels {
	real value[256][3];
};

static void levels_fill(struct levels *l)
{
	static const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};

	for (int i = 0; i < 256; i++)
		for (int c = 0; c < 3; c++)
			l->value[i][c] = (real)((i / 255.0 - mean[c]) / std[c]);
}

static void normalise(
	const struct image_input *p, const struct levels *l, real *x, const uint8_t *pixels)
{
	for (int64_t i = 0; i < p->size * p->size; i++)
		for (int c = 0; c < 3; c++)
			x[3 * i + c] = l->value[pixels[3 * i + c]][c];
}

static void erase_box(const struct image_input *p, real *x, const int32_t *row, uint64_t seed)
{
	struct box b =
		box_in(p, row[0], row[1], (int64_t)row[0] + row[2], (int64_t)row[1] + row[3]);

	for (int64_t i = b.top; i < b.bottom; i++)
		for (int64_t j = b.left; j < b.right; j++) {
			struct philox words = philox(seed, PURPOSE_ERASE, (uint32_t)row[5],
				(uint32_t)row[4], (uint32_t)(i * p->size + j));
			real *to = x + 3 * (i * p->size + j);
			float z[4];

			philox_normal(words.v[0], words.v[1], z);
			philox_normal(words.v[2], words.v[3], z + 2);
			for (int c = 0; c < 3; c++)
				to[c] = z[c];
		}
}

static void mix_up(int64_t n, real *a, real *b, real lambda)
{
	real rest = 1 - lambda;

#pragma omp simd
	for (int64_t i = 0; i < n; i++) {
		real x = a[i], y = b[i];

		a[i] = lambda * x + rest * y;
		b[i] = lambda * y + rest * x;
	}
}

static void mix_cut(const struct image_input *p, real *a, real *b, const real *row)
{
	struct box box =
		box_in(p, (int64_t)row[2], (int64_t)row[3], (int64_t)row[4], (int64_t)row[5]);

	for (int64_t i = box.top; i < box.bottom; i++)
		for (int64_t j = 3 * (i * p->size + box.left); j < 3 * (i * p->size + box.right);
			j++) {
			real x = a[j];

			a[j] = b[j];
			b[j] = x;
		}
}

static void mix_pair(const struct image_input *p, real *a, real *b, const real *row)
{
	if (a == b)
		return; /* the middle of an odd shard is its own partner */
	if ((int)row[0] == MIX_UP)
		mix_up(3 * p->size * p->size, a, b, row[1]);
	else if ((int)row[0] == MIX_CUT)
		mix_cut(p, a, b, row);
}

void image_input_forward(const struct image_input *p, real *x, const uint8_t *pixels,
	const int32_t *erase, const real *mix, uint64_t seed)
{
	int64_t pairs = (p->shard + 1) / 2, image = 3 * p->size * p->size;
	struct levels levels;

	levels_fill(&levels);
#pragma omp parallel for schedule(static) if (p->batch * image > ROWS_SMALL)
	for (int64_t n = 0; n < p->batch / p->shard * pairs; n++) {
		int64_t shard = n / pairs, first = shard * p->shard;
		int64_t pair[2] = {first + n % pairs, first + p->shard - 1 - n % pairs};

		for (int i = 0; i < 1 + (pair[1] != pair[0]); i++) {
			int64_t b = pair[i];

			normalise(p, &levels, x + b * image, pixels + b * image);
			if (erase && erase[b * ERASE_COLUMNS + 2] > 0)
				erase_box(p, x + b * image, erase + b * ERASE_COLUMNS, seed);
		}
		if (mix)
			mix_pair(p, x + pair[0] * image, x + pair[1] * image,
				mix + shard * MIX_COLUMNS);
	}
}

/* y += part of the target of one label */
static void add_label(const struct soft_target *p, real *y, int32_t label, real part)
{
	real off = p->smoothing / p->classes;

	if (label < 0 || label >= p->classes)
		return;
	for (int64_t c = 0; c < p->classes; c++)
		y[c] += part * off;
	y[label] += part * (1 - p->smoothing);
}

void soft_target_forward(
	const struct soft_target *p, real *y, const int32_t *labels, const real *mix)
{
	for (int64_t b = 0; b < p->batch; b++) {
		int64_t first = b / p->shard * p->shard, partner = 2 * first + p->shard - 1 - b;
		const real *row = mix ? mix + b / p->shard * MIX_COLUMNS : NULL;
		real *to = y + b * p->classes;
		real lambda = row && (int)row[0] != MIX_NONE ? row[1] : 1;

		row_clear(p->classes, to);
		add_label(p, to, labels[b], lambda);
		if (lambda != 1)
			add_label(p, to, labels[partner], 1 - lambda);
	}
}
