/* conv2d, as matrix products over chunks of images, and batch norm. */
#include "kernels/batchnorm_cuda.h"
#include "kernels/conv2d_cuda.h"
#include "kernels/conv2d_tile_cuda.h"
#include "kernels/linear_cuda.h"
#include "lib/cuda/cuda.h"

#define CHUNK ((int64_t)512 << 20) /* bytes of columns, where that holds an image */

static int64_t padded(int64_t n)
{
	return (n + 127) / 128 * 128;
}

/* floats that n values take */
static int64_t room_for(int half, int64_t n)
{
	return half ? padded((n + 1) / 2) : padded(n);
}

static struct array array_at(struct array a, int64_t n)
{
	a.data = a.half ? (void *)((uint16_t *)a.data + n) : (void *)((float *)a.data + n);
	return a;
}

/* What lies in the work of a convolution. */
struct conv_work {
	struct array matrix, columns, bias;
	float *dmatrix, *sums;
	int tile;	/* no columns: conv2d_tile_cuda.h */
	int64_t images; /* of a chunk */
	int64_t size;	/* floats */
};

static void *take(struct conv_work *w, real *work, int64_t size)
{
	int64_t at = w->size;

	w->size += size;
	return work ? work + at : NULL;
}

/* Whether the input too is of halves, and the shape the one that needs no columns. */
static int by_tile(const struct call *c)
{
	return array_in(c, 0).half && array_out(c, 0).half && conv2d_tile_fits(c->params);
}

/* work NULL: sizes alone */
static struct conv_work conv_work_of(const struct call *c, int backward, real *work)
{
	const struct conv2d *p = c->params;
	int half = array_out(c, 0).half;
	struct conv_work w = {.images = 1, .tile = by_tile(c)};
	int64_t image = conv2d_pixels(p) * conv2d_padded(p), most = CHUNK / (half ? 2 : 4) / image;
	int64_t matrix = p->cout * conv2d_padded(p);

	if (most > 1)
		w.images = most < p->batch ? most : p->batch;
	w.matrix = (struct array){take(&w, work, room_for(half, matrix)), half};
	if (!backward)
		w.bias = (struct array){take(&w, work, padded(p->cout)), half};
	if (backward) {
		w.dmatrix = take(&w, work, padded(w.tile ? conv2d_tile_work_cuda(p) : matrix));
		w.sums = take(&w, work, padded(column_sums_work(p->cout)));
	}
	if (!w.tile)
		w.columns = (struct array){take(&w, work, room_for(half, w.images * image)), half};
	return w;
}

static int64_t conv_work(const struct call *c, int backward)
{
	return conv_work_of(c, backward, NULL).size;
}

/* The chunk of images from `first` on. */
static struct conv2d chunk_of(const struct conv2d *p, const struct conv_work *w, int64_t first)
{
	struct conv2d chunk = *p;

	chunk.batch = p->batch - first < w->images ? p->batch - first : w->images;
	return chunk;
}

static struct gemm gemm_of(const struct conv2d *p)
{
	return (struct gemm){p->batch * conv2d_pixels(p), p->cout, conv2d_padded(p)};
}

static void conv_fwd(const struct call *c, const struct run *r)
{
	const struct conv2d *p = c->params;
	struct array y = array_out(c, 0), x = array_in(c, 0), bias = array_in(c, 2);
	struct conv_work w = conv_work_of(c, 0, r->work);

	conv2d_matrix_cuda(p, w.matrix, call_in(c, 1));
	if (w.tile) {
		conv2d_tile_forward_cuda(p, y, x, w.matrix, bias.data);
		return;
	}
	if (bias.data && y.half) {
		cast_cuda(w.bias, bias, p->cout, 1);
		bias = w.bias;
	}
	for (int64_t first = 0; first < p->batch; first += w.images) {
		struct conv2d chunk = chunk_of(p, &w, first);
		struct gemm g = gemm_of(&chunk);

		conv2d_columns_cuda(
			&chunk, w.columns, array_at(x, first * p->height * p->width * p->cin));
		gemm_forward(&g, array_at(y, first * conv2d_pixels(p) * p->cout), w.columns,
			w.matrix, bias.data);
	}
}

/* dweight and dx by columns, chunk after chunk */
static void columns_bwd(const struct call *c, const struct conv_work *w)
{
	const struct conv2d *p = c->params;
	struct array dy = array_dy(c, 0), dx = array_dx(c, 0), x = array_in(c, 0);
	float *dweight = call_dx(c, 1);

	if (dx.data)
		conv2d_matrix_cuda(p, w->matrix, call_in(c, 1));
	if (dweight)
		cuda_failed(cudaMemsetAsync(w->dmatrix, 0,
				    p->cout * conv2d_padded(p) * sizeof(*w->dmatrix), cuda_stream),
			"clearing memory");
	for (int64_t first = 0; first < p->batch; first += w->images) {
		struct conv2d chunk = chunk_of(p, w, first);
		struct gemm g = gemm_of(&chunk);
		struct array d = array_at(dy, first * conv2d_pixels(p) * p->cout);
		int64_t at = first * p->height * p->width * p->cin;

		if (dweight) {
			conv2d_columns_cuda(&chunk, w->columns, array_at(x, at));
			gemm_weight(&g, w->dmatrix, d, w->columns);
		}
		if (dx.data) {
			gemm_input(&g, w->columns, 0, d, w->matrix);
			conv2d_input_cuda(&chunk, array_at(dx, at), call_acc(c, 0), w->columns);
		}
	}
	if (dweight)
		conv2d_weight_cuda(p, dweight, w->dmatrix);
}

static void tile_bwd(const struct call *c, const struct conv_work *w)
{
	const struct conv2d *p = c->params;
	struct array dy = array_dy(c, 0), dx = array_dx(c, 0);
	float *dweight = call_dx(c, 1);

	if (dx.data)
		conv2d_tile_input_cuda(p, dx, call_acc(c, 0), dy, call_in(c, 1), w->matrix);
	if (dweight)
		conv2d_tile_weight_cuda(p, dweight, dy, array_in(c, 0), w->dmatrix);
}

static void conv_bwd(const struct call *c, const struct run *r)
{
	const struct conv2d *p = c->params;
	struct conv_work w = conv_work_of(c, 1, r->work);
	float *dbias = call_dx(c, 2);

	if (w.tile)
		tile_bwd(c, &w);
	else
		columns_bwd(c, &w);
	if (dbias)
		column_sums_cuda(
			dbias, array_dy(c, 0), p->batch * conv2d_pixels(p), p->cout, 1, w.sums);
}

const struct op_impl cuda_conv2d = {"conv2d", conv_fwd, conv_bwd, conv_work};

/* The slot that takes the batch's statistic: the buffer's gradient. */
static float *stat_of(const struct call *c, int i)
{
	const struct batchnorm *p = c->params;

	return p->record ? c->in[i]->grad : NULL;
}

static void norm_fwd(const struct call *c, const struct run *r)
{
	const struct batchnorm *p = c->params;

	if (p->running)
		batchnorm_running_cuda(p, array_out(c, 0), array_in(c, 0), call_in(c, 1),
			call_in(c, 2), call_in(c, 3), call_in(c, 4), r->work);
	else
		batchnorm_forward_cuda(p, array_out(c, 0), call_out(c, 1), stat_of(c, 3),
			stat_of(c, 4), array_in(c, 0), call_in(c, 1), call_in(c, 2), r->work);
}

static void norm_bwd(const struct call *c, const struct run *r)
{
	batchnorm_backward_cuda(c->params, array_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
		call_dx(c, 2), array_dy(c, 0), call_out(c, 1), array_in(c, 0), call_in(c, 1),
		call_in(c, 2), r->work);
}

static int64_t norm_work(const struct call *c, int backward)
{
	return batchnorm_work_cuda(c->params, backward);
}

const struct op_impl cuda_batchnorm = {"batchnorm", norm_fwd, norm_bwd, norm_work};
