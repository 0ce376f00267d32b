/* The depthwise convolutions, and what joins one with what went beside it. */
#include "kernels/dwconv1d_cuda.h"
#include "kernels/dwconv2d_cuda.h"
#include "kernels/gate_join_cuda.h"
#include "lib/cuda/cuda.h"

/* What backward alone reads is not written where there is none. */
static struct array kept_of(const struct call *c, int i)
{
	return c->live ? array_out(c, i) : (struct array){0};
}

static void conv2d_fwd(const struct call *c, const struct run *r)
{
	(void)r;
	dwconv2d_forward_cuda(c->params, array_out(c, 0), kept_of(c, 1), array_in(c, 0),
		call_in(c, 1), call_in(c, 2));
}

static void conv2d_bwd(const struct call *c, const struct run *r)
{
	dwconv2d_backward_cuda(c->params, array_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
		call_dx(c, 2), array_dy(c, 0), array_out(c, 1), array_in(c, 0), call_in(c, 1),
		r->work);
}

static int64_t conv2d_work(const struct call *c, int backward)
{
	return dwconv2d_work_cuda(c->params, backward);
}

const struct op_impl cuda_dwconv2d_silu = {"dwconv2d_silu", conv2d_fwd, conv2d_bwd, conv2d_work};

static void plain_fwd(const struct call *c, const struct run *r)
{
	(void)r;
	dwconv2d_forward_cuda(c->params, array_out(c, 0), (struct array){0}, array_in(c, 0),
		call_in(c, 1), call_in(c, 2));
}

static void plain_bwd(const struct call *c, const struct run *r)
{
	dwconv2d_backward_cuda(c->params, array_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
		call_dx(c, 2), array_dy(c, 0), (struct array){0}, array_in(c, 0), call_in(c, 1),
		r->work);
}

const struct op_impl cuda_dwconv2d = {"dwconv2d", plain_fwd, plain_bwd, conv2d_work};

static void conv1d_fwd(const struct call *c, const struct run *r)
{
	(void)r;
	dwconv1d_forward_cuda(c->params, array_out(c, 0), kept_of(c, 1), array_in(c, 0),
		call_in(c, 1), call_in(c, 2), table_in(c, 3), call_in(c, 4));
}

static void conv1d_bwd(const struct call *c, const struct run *r)
{
	dwconv1d_backward_cuda(c->params, array_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
		call_dx(c, 2), array_dy(c, 0), array_out(c, 1), array_in(c, 0), call_in(c, 1),
		table_in(c, 3), r->work);
}

static int64_t conv1d_work(const struct call *c, int backward)
{
	return dwconv1d_work_cuda(c->params, backward);
}

const struct op_impl cuda_dwconv1d_silu = {"dwconv1d_silu", conv1d_fwd, conv1d_bwd, conv1d_work};

static void join_fwd(const struct call *c, const struct run *r)
{
	(void)r;
	gate_join_cuda(c->params, array_out(c, 0), array_in(c, 0), array_in(c, 1), array_in(c, 2));
}

static void join_bwd(const struct call *c, const struct run *r)
{
	struct gate_join_array_grads d = {array_dx(c, 0), array_dx(c, 1), array_dx(c, 2),
		call_acc(c, 0), call_acc(c, 1), call_acc(c, 2)};

	(void)r;
	gate_join_cuda_backward(
		c->params, &d, array_dy(c, 0), array_in(c, 0), array_in(c, 1), array_in(c, 2));
}

const struct op_impl cuda_gate_join = {"gate_join", join_fwd, join_bwd, 0};
