/*
 * Positions of a clip's tokens: a table for the places of a frame, another for the frames.
 *
 *	y_i                  = x_i + rows_i				i < before
 *	y_{before + t n + j} = x + rows_{before + j} + times_t		t < frames, j < n
 *
 * x, y (b, before + frames n, C); rows (before + n, C); times (frames, C). Tokens before the frames
 * (a class token) have a row of their own and no time. Backward: dx is set or added to as acc says;
 * drows and dtimes are always added to, samples in order, within one by frames (drows) or places
 * (dtimes) in order. NULL is not wanted. Nothing is kept; outputs do not overlap inputs.
 *
 * Source: VideoMamba (Li et al., 2024), spatial and temporal position embeddings.
 */
#ifndef KERNELS_CLIP_ROWS_H
#define KERNELS_CLIP_ROWS_H

#include "kernels/real.h"

struct clip_rows {
	int64_t batch, before, frames, n, dim; /* n: tokens of a frame */
};

void clip_rows_forward(
	const struct clip_rows *p, real *y, const real *x, const real *rows, const real *times);
void clip_rows_backward(
	const struct clip_rows *p, real *dx, int acc, real *drows, real *dtimes, const real *dy);

#endif
