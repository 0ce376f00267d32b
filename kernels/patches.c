#include "kernels/patches.h"
#include "kernels/rows.h"

static int64_t count(const struct patches *p)
{
	return p->batch * (p->height / p->side) * (p->width / p->side);
}

/* Offset in the image of the first pixel of patch i. */
static int64_t patch_start(const struct patches *p, int64_t i)
{
	int64_t columns = p->width / p->side, rows = p->height / p->side;
	int64_t b = i / (rows * columns), row = i / columns % rows, column = i % columns;

	return ((b * p->height + row * p->side) * p->width + column * p->side) * p->dim;
}

void patches_forward(const struct patches *p, real *y, const real *image)
{
	int64_t k = p->side, c = p->dim;

#pragma omp parallel for schedule(static) if (count(p) * c * k * k > ROWS_SMALL)
	for (int64_t i = 0; i < count(p); i++) {
		const real *from = image + patch_start(p, i);
		real *to = y + i * c * k * k;

		for (int64_t ch = 0; ch < c; ch++)
			for (int64_t row = 0; row < k; row++)
				for (int64_t col = 0; col < k; col++)
					*to++ = from[(row * p->width + col) * c + ch];
	}
}

void patches_backward(const struct patches *p, real *dimage, int acc, const real *dy)
{
	int64_t k = p->side, c = p->dim;

	if (!dimage)
		return;
#pragma omp parallel for schedule(static) if (count(p) * c * k * k > ROWS_SMALL)
	for (int64_t i = 0; i < count(p); i++) {
		real *to = dimage + patch_start(p, i);
		const real *from = dy + i * c * k * k;

		for (int64_t ch = 0; ch < c; ch++)
			for (int64_t row = 0; row < k; row++)
				for (int64_t col = 0; col < k; col++) {
					real *d = to + (row * p->width + col) * c + ch;

					*d = (acc ? *d : 0) + *from++;
				}
	}
}
