#include "lib/program/op.h"
#include "kernels/batchnorm.h"
#include "kernels/conv2d.h"

static void conv_fwd(const struct call *c, const struct run *r)
{
	if (r->plain)
		conv2d_forward(
			c->params, call_out(c, 0), call_in(c, 0), call_in(c, 1), call_in(c, 2));
	else
		conv2d_forward_fast(c->params, call_out(c, 0), call_in(c, 0), call_in(c, 1),
			call_in(c, 2), r->work);
}

static void conv_bwd(const struct call *c, const struct run *r)
{
	if (r->plain)
		conv2d_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
			call_dx(c, 2), call_dy(c, 0), call_in(c, 0), call_in(c, 1));
	else
		conv2d_backward_fast(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
			call_dx(c, 2), call_dy(c, 0), call_in(c, 0), call_in(c, 1), r->work);
}

static int64_t conv_work(const struct call *c, int backward)
{
	return conv2d_work_fast(c->params, backward);
}

const struct op_impl cpu_conv2d = {"conv2d", conv_fwd, conv_bwd, conv_work};

/* The slot that takes the batch's statistic: the buffer's gradient. */
static real *stat_of(const struct call *c, int i)
{
	const struct batchnorm *p = c->params;

	return p->record ? c->in[i]->grad : NULL;
}

static void norm_fwd(const struct call *c, const struct run *r)
{
	const struct batchnorm *p = c->params;

	if (p->running && !r->plain)
		batchnorm_running_fast(p, call_out(c, 0), call_in(c, 0), call_in(c, 1),
			call_in(c, 2), call_in(c, 3), call_in(c, 4), r->work);
	else if (p->running)
		batchnorm_running(p, call_out(c, 0), call_in(c, 0), call_in(c, 1), call_in(c, 2),
			call_in(c, 3), call_in(c, 4));
	else if (r->plain)
		batchnorm_forward(p, call_out(c, 0), call_out(c, 1), stat_of(c, 3), stat_of(c, 4),
			call_in(c, 0), call_in(c, 1), call_in(c, 2));
	else
		batchnorm_forward_fast(p, call_out(c, 0), call_out(c, 1), stat_of(c, 3),
			stat_of(c, 4), call_in(c, 0), call_in(c, 1), call_in(c, 2), r->work);
}

static void norm_bwd(const struct call *c, const struct run *r)
{
	if (r->plain)
		batchnorm_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
			call_dx(c, 2), call_dy(c, 0), call_out(c, 1), call_in(c, 0), call_in(c, 1),
			call_in(c, 2));
	else
		batchnorm_backward_fast(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
			call_dx(c, 2), call_dy(c, 0), call_out(c, 1), call_in(c, 0), call_in(c, 1),
			call_in(c, 2), r->work);
}

static int64_t norm_work(const struct call *c, int backward)
{
	return batchnorm_work_fast(c->params, backward);
}

const struct op_impl cpu_batchnorm = {"batchnorm", norm_fwd, norm_bwd, norm_work};
