/* Shared by the files of conv2d's fast form. */
#ifndef KERNELS_CONV2D_FAST_H
#define KERNELS_CONV2D_FAST_H

#include "kernels/conv2d.h"
#include "kernels/conv_tile.h"

#define CONV_THREADS 64	   /* at most: each has rows of its own */
#define CONV_SMALL 1000000 /* multiplications below which one thread is faster */

/*
 * A convolution with any layout of weights: in (b, in_h, in_w, in_c), its pixels `spread` apart
 * among zeros and `pad` zeros around, to out_c columns of out_h x out_w pixels.
 */
struct conv {
	int64_t batch, in_h, in_w, in_c;
	int64_t out_h, out_w, out_c;
	int64_t kernel, stride, pad, spread;
	int64_t y_image, y_row, y_pixel;     /* steps of the output */
	int64_t repeats, panel_step, y_step; /* the same input with other weights, to other rows */
	const real *x, *panel, *bias;
	real *y, *rows;
	int add;
};

static inline int64_t conv_least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The forward convolution, without data. */
struct conv conv_of(const struct conv2d *p);
/* A task is `n` rows from row i on of sample b. */
struct conv_rows {
	int64_t b, i, n;
};
int64_t conv_tasks(const struct conv *p);
struct conv_rows conv_task_rows(const struct conv *p, int64_t task);
/* The padded, spread input of a task: in x itself or made in `rows`; *step from row to row. */
const real *conv_input(const struct conv *p, struct conv_rows at, real *rows, int64_t *step);
int64_t conv_rows_size(const struct conv *p);
int conv_threads(const struct conv *p);

/* dweight and dbias of the fast form. */
void conv2d_weight_back(const struct conv2d *p, real *dweight, real *dbias, const real *dy,
	const real *x, real *work);
int64_t conv2d_weight_work(const struct conv2d *p);

#endif
