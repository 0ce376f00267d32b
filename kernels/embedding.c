#include "kernels/embedding.h"

#include <string.h>

#define SMALL 16384 /* elements below which one thread is faster */
#define BLOCK 64    /* columns of one thread */

static int known(const struct embedding *p, int32_t id)
{
	return id >= 0 && id < p->vocabulary;
}

void embedding_forward(const struct embedding *p, real *y, const int32_t *ids, const real *W)
{
	int64_t n = p->dim;

#pragma omp parallel for schedule(static) if (p->rows * n > SMALL)
	for (int64_t i = 0; i < p->rows; i++) {
		if (known(p, ids[i]))
			memcpy(y + i * n, W + ids[i] * n, n * sizeof(*y));
		else
			memset(y + i * n, 0, n * sizeof(*y));
	}
}

void embedding_backward(const struct embedding *p, real *dW, const real *dy, const int32_t *ids)
{
	int64_t n = p->dim;

#pragma omp parallel for schedule(static) if (p->rows * n > SMALL)
	for (int64_t from = 0; from < n; from += BLOCK) {
		int64_t end = from + BLOCK < n ? from + BLOCK : n;

		for (int64_t i = 0; i < p->rows; i++) {
			real *d = known(p, ids[i]) ? dW + ids[i] * n : NULL;

			if (!d)
				continue;
#pragma omp simd
			for (int64_t e = from; e < end; e++)
				d[e] += dy[i * n + e];
		}
	}
}
