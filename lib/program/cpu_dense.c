#include "lib/program/op.h"
#include "kernels/attention.h"
#include "kernels/gelu.h"
#include "kernels/linear.h"
#include "kernels/norm.h"

static void linear_fwd(const struct call *c, const struct run *r)
{
	if (r->plain)
		linear_forward(
			c->params, call_out(c, 0), call_in(c, 0), call_in(c, 1), call_in(c, 2));
	else
		linear_forward_fast(c->params, call_out(c, 0), call_in(c, 0), call_in(c, 1),
			call_in(c, 2), r->work);
}

static void linear_bwd(const struct call *c, const struct run *r)
{
	if (r->plain)
		linear_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
			call_dx(c, 2), call_dy(c, 0), call_in(c, 0), call_in(c, 1));
	else
		linear_backward_fast(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
			call_dx(c, 2), call_dy(c, 0), call_in(c, 0), call_in(c, 1), r->work);
}

static int64_t linear_work(const struct call *c, int backward)
{
	return linear_work_fast(c->params, backward);
}

const struct op_impl cpu_linear = {"linear", linear_fwd, linear_bwd, linear_work};

static void norm_fwd(const struct call *c, const struct run *r)
{
	(r->plain ? norm_forward : norm_forward_fast)(c->params, call_out(c, 0), call_out(c, 1),
		call_in(c, 0), call_in(c, 1), call_in(c, 2));
}

static void norm_bwd(const struct call *c, const struct run *r)
{
	if (r->plain)
		norm_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
			call_dx(c, 2), call_dy(c, 0), call_out(c, 1), call_in(c, 0), call_in(c, 1));
	else
		norm_backward_fast(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
			call_dx(c, 2), call_dy(c, 0), call_out(c, 1), call_in(c, 0), call_in(c, 1),
			r->work);
}

static int64_t norm_work(const struct call *c, int backward)
{
	return norm_work_fast(c->params, backward);
}

const struct op_impl cpu_layernorm = {"layernorm", norm_fwd, norm_bwd, norm_work};
const struct op_impl cpu_rmsnorm = {"rmsnorm", norm_fwd, norm_bwd, norm_work};

static void gelu_fwd(const struct call *c, const struct run *r)
{
	(r->plain ? gelu_forward : gelu_forward_fast)(c->params, call_out(c, 0), call_in(c, 0));
}

static void gelu_bwd(const struct call *c, const struct run *r)
{
	if (call_dx(c, 0))
		(r->plain ? gelu_backward : gelu_backward_fast)(
			c->params, call_dx(c, 0), call_acc(c, 0), call_dy(c, 0), call_in(c, 0));
}

const struct op_impl cpu_gelu = {"gelu", gelu_fwd, gelu_bwd, NULL};

static const int32_t *segments_of(const struct call *c)
{
	return c->in[1] ? c->in[1]->data : NULL;
}

static void attention_fwd(const struct call *c, const struct run *r)
{
	if (r->plain)
		attention_forward(
			c->params, call_out(c, 0), call_out(c, 1), call_in(c, 0), segments_of(c));
	else
		attention_forward_fast(c->params, call_out(c, 0), call_out(c, 1), call_in(c, 0),
			segments_of(c), r->work);
}

static void attention_bwd(const struct call *c, const struct run *r)
{
	if (!call_dx(c, 0))
		return;
	if (r->plain)
		attention_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dy(c, 0),
			call_out(c, 1), call_in(c, 0), segments_of(c));
	else
		attention_backward_fast(c->params, call_dx(c, 0), call_acc(c, 0), call_dy(c, 0),
			call_out(c, 1), call_in(c, 0), segments_of(c), r->work);
}

static int64_t attention_work(const struct call *c, int backward)
{
	return attention_work_fast(c->params, backward);
}

const struct op_impl cpu_attention = {"attention", attention_fwd, attention_bwd, attention_work};
