/*
 * In which order each family's scan directions visit the tokens of a height x width grid.
 *
 * order (K, L): order[k * L + t] is the token, row * width + column, visited by direction k at step
 * t; L = height * width. code (K, L), PlainMamba alone: how step t was reached, enum step_code.
 * Sources: the public code of PlainMamba, Vim, VMamba, VideoMamba; TransMamba (arXiv 2502.15130).
 */
#ifndef KERNELS_ORDERS_H
#define KERNELS_ORDERS_H

#include <stdint.h>

enum order_family {
	ORDER_CAUSAL,	  /* K = 1: as they come */
	ORDER_BOTH,	  /* K = 2: ViM and VideoMamba, as they come and reversed */
	ORDER_CROSS,	  /* K = 4: VMamba, rows, columns, and both reversed */
	ORDER_CONTINUOUS, /* K = 4: PlainMamba, rows to and fro, reversed, columns, reversed */
};

enum step_code { STEP_START, STEP_RIGHT, STEP_LEFT, STEP_UP, STEP_DOWN, STEP_CODES };

int order_directions(enum order_family family);

/* code may be NULL; families other than ORDER_CONTINUOUS leave it alone. */
void order_fill(
	enum order_family family, int64_t height, int64_t width, int32_t *order, int32_t *code);

#endif
