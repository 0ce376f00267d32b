/* linear: operands brought to one storage type, cuBLASLt, the bias's gradient. */
#include "kernels/linear.h"
#include "kernels/linear_cuda.h"
#include "lib/cuda/cuda.h"

static int64_t padded(int64_t n)
{
	return (n + 127) / 128 * 128;
}

/* A parameter's own bf16 copy, where products can read it: they want 16 bytes to begin at. */
static int has_half(const struct call *c, int i)
{
	const struct tensor *t = c->in[i];

	return t && t->flags & TENSOR_PARAM && t->param_offset % 8 == 0;
}

static struct array param_in(const struct call *c, int i, int half)
{
	struct array own = array_in(c, i);

	if (half && own.data && has_half(c, i) && c->in[i]->half)
		return (struct array){c->in[i]->half, 1};
	return own;
}

/* Work in reals: W, x and bias as halves; dy as half; partial sums of the bias's gradient. */
static int64_t linear_work(const struct call *c, int backward)
{
	const struct linear *p = c->params;
	int half = cuda_precision == PRECISION_BF16;
	int64_t room = half ? padded(p->rows * p->in) / 2 + padded(p->rows * p->out) / 2 : 0;

	if (half && !has_half(c, 1))
		room += padded(p->in * p->out) / 2;

	return room + padded(p->out) + (backward ? column_sums_work(p->out) : 0);
}

/* a itself when it is of the wanted type, else a copy in *work, which moves on. */
static struct array as_type(struct array a, int half, int64_t n, real **work)
{
	struct array b = {*work, half};

	if (a.half == half)
		return a;
	*work += half ? padded(n) / 2 : padded(n);
	cast_cuda(b, a, n, 1);
	return b;
}

static void linear_fwd(const struct call *c, const struct run *r)
{
	const struct linear *p = c->params;
	const struct gemm g = {p->rows, p->out, p->in};
	int half = array_out(c, 0).half;
	real *work = r->work;
	struct array x = as_type(array_in(c, 0), half, p->rows * p->in, &work);
	struct array W = param_in(c, 1, half), b = array_in(c, 2), scaled = {work, half};

	if (b.data && p->bias_scale == 1)
		b = param_in(c, 2, half);
	if (b.data && (b.half != half || p->bias_scale != 1)) {
		work += padded(p->out);
		if (half && !W.half) {
			struct array cast = {work, half};

			cast_both_cuda(cast, W, p->in * p->out, scaled, b, p->out, p->bias_scale);
			W = cast;
		} else {
			cast_cuda(scaled, b, p->out, p->bias_scale);
		}
		b = scaled;
	}
	W = as_type(W, half, p->in * p->out, &work);
	gemm_forward(&g, array_out(c, 0), x, W, b.data);
}

static void linear_bwd(const struct call *c, const struct run *r)
{
	const struct linear *p = c->params;
	const struct gemm g = {p->rows, p->out, p->in};
	struct array dy = array_dy(c, 0), dx = array_dx(c, 0);
	struct array dW = array_dx(c, 1), db = array_dx(c, 2);
	real *work = r->work;

	if (dx.data) {
		/* a float gradient of a half product: the product adds to it in float */
		struct array W = as_type(param_in(c, 1, dy.half), dy.half, p->in * p->out, &work);

		gemm_input(&g, dx, call_acc(c, 0), dy, W);
	}
	if (dW.data) {
		struct array x = as_type(array_in(c, 0), dy.half, p->rows * p->in, &work);

		gemm_weight(&g, dW.data, dy, x);
	}
	if (db.data)
		column_sums_cuda(db.data, dy, p->rows, p->out, p->bias_scale, work);
}

const struct op_impl cuda_linear = {"linear", linear_fwd, linear_bwd, linear_work};
