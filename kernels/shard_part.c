#include "kernels/shard_part.h"

void shard_part_forward(const struct shard_part *p, real *y, const real *x, real scale)
{
	for (int64_t i = 0; i < p->count; i++)
		y[i] = scale * x[i];
}

void shard_part_backward(const struct shard_part *p, real *dx, int acc, const real *dy, real scale)
{
	for (int64_t i = 0; dx && i < p->count; i++)
		dx[i] = (acc ? dx[i] : 0) + scale * dy[i];
}
