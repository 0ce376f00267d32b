/*
 * Rows of a table by their numbers: tokens to vectors.
 *
 *	y_i = W[ids_i]
 *
 * ids int32 (rows); W (vocabulary, dim); y (rows, dim). A number outside the vocabulary gives a row
 * of zeros and no gradient. Backward: dW[ids_i] += dy_i, rows in order: the bits depend neither on
 * threads nor on which other tokens there are. Nothing is kept.
 */
#ifndef KERNELS_EMBEDDING_H
#define KERNELS_EMBEDDING_H

#include "kernels/real.h"

struct embedding {
	int64_t rows, vocabulary, dim;
};

void embedding_forward(const struct embedding *p, real *y, const int32_t *ids, const real *W);
void embedding_backward(const struct embedding *p, real *dW, const real *dy, const int32_t *ids);

#endif
