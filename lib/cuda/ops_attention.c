/* layernorm, rmsnorm */
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
