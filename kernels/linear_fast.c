#include "kernels/gemm.h"
#include "kernels/linear.h"

void linear_forward_fast(
	const struct linear *p, real *y, const real *x, const real *W, const real *b, real *work)
{
	struct gemm_tile t = {.m = p->rows,
		.n = p->out,
		.k = p->in,
		.a = x,
		.a_row = p->in,
		.a_col = 1,
		.c = y,
		.ldc = p->out,
		.bias = b,
		.bias_scale = p->bias_scale};

	gemm_rows(&t, W, 1, p->in, work);
}

void linear_backward_fast(const struct linear *p, real *dx, int acc_x, real *dW, real *db,
	const real *dy, const real *x, const real *W, real *work)
{
	struct gemm_tile t = {.m = p->rows,
		.n = p->in,
		.k = p->out,
		.a = dy,
		.a_row = p->out,
		.a_col = 1,
		.c = dx,
		.ldc = p->in,
		.add = acc_x};

	if (dx)
		gemm_rows(&t, W, p->in, 1, work);
	if (dW || db)
		gemm_weight(p->rows, p->out, p->in, dW, db, p->bias_scale, dy, x, work);
}

int64_t linear_work_fast(const struct linear *p, int backward)
{
	int64_t rows = backward ? gemm_packed(p->out, p->in) : gemm_packed(p->in, p->out);
	int64_t weight = backward ? gemm_weight_work(p->rows, p->out, p->in) : 0;

	return rows > weight ? rows : weight;
}
