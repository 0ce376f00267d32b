/* layernorm, rmsnorm, attention */
#include "kernels/attention_cuda.h"
#include "kernels/norm_cuda.h"
#include "lib/cuda/cuda.h"

static void norm_fwd(const struct call *c, const struct run *r)
{
	norm_cuda(c->params, array_out(c, 0), call_out(c, 1), array_in(c, 0), array_in(c, 1),
		array_in(c, 2));
}

static void norm_bwd(const struct call *c, const struct run *r)
{
	norm_cuda_backward(c->params, array_dx(c, 0), call_acc(c, 0), call_dx(c, 1), call_dx(c, 2),
		array_dy(c, 0), call_out(c, 1), array_in(c, 0), array_in(c, 1), r->work);
}

static int64_t norm_work(const struct call *c, int backward)
{
	return backward ? norm_cuda_work(c->params) : 0;
}

const struct op_impl cuda_layernorm = {"layernorm", norm_fwd, norm_bwd, norm_work};
const struct op_impl cuda_rmsnorm = {"rmsnorm", norm_fwd, norm_bwd, norm_work};

static int too_wide(const struct attention *p)
{
	return cuda_failed_status(p->dim > ATTENTION_CUDA_DIM,
		"attention: a head wider than 128 has no CUDA form;", (int)p->dim);
}

static void attention_fwd(const struct call *c, const struct run *r)
{
	if (!too_wide(c->params))
		attention_cuda(
			c->params, array_out(c, 0), call_out(c, 1), array_in(c, 0), table_in(c, 1));
}

static void attention_bwd(const struct call *c, const struct run *r)
{
	if (array_dx(c, 0).data && !too_wide(c->params))
		attention_cuda_backward(c->params, array_dx(c, 0), call_acc(c, 0), array_dy(c, 0),
			array_out(c, 0), call_out(c, 1), array_in(c, 0), table_in(c, 1), r->work);
}

static int64_t attention_work(const struct call *c, int backward)
{
	return attention_cuda_work(c->params, backward);
}

const struct op_impl cuda_attention = {"attention", attention_fwd, attention_bwd, attention_work};
