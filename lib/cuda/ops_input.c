#include "kernels/input_cuda.h"
#include "lib/cuda/cuda.h"

static void image_fwd(const struct call *c, const struct run *r)
{
	image_input_cuda(
		c->params, array_out(c, 0), c->in[0]->data, table_in(c, 1), call_in(c, 2), r->step);
}

const struct op_impl cuda_image_input = {"image_input", image_fwd, 0, 0};

static void target_fwd(const struct call *c, const struct run *r)
{
	soft_target_cuda(c->params, call_out(c, 0), table_in(c, 0), call_in(c, 1));
}

const struct op_impl cuda_soft_target = {"soft_target", target_fwd, 0, 0};

static void sumsq_fwd(const struct call *c, const struct run *r)
{
	sumsq_cuda(c->params, call_out(c, 0), call_in(c, 0), (double *)r->work);
}

static int64_t sumsq_work(const struct call *c, int backward)
{
	const struct sumsq *p = c->params;

	return 2 * ((p->count + SUMSQ_BLOCK - 1) / SUMSQ_BLOCK);
}

const struct op_impl cuda_sumsq = {"sumsq", sumsq_fwd, 0, sumsq_work};

static void accumulate_fwd(const struct call *c, const struct run *r)
{
	accumulate_cuda(c->params, call_in(c, 0), call_in(c, 1));
}

const struct op_impl cuda_accumulate = {"accumulate", accumulate_fwd, 0, 0};

static void gate_fwd(const struct call *c, const struct run *r)
{
	update_gate_cuda(c->params, call_out(c, 0), call_in(c, 0), call_in(c, 1), call_in(c, 2));
}

const struct op_impl cuda_update_gate = {"update_gate", gate_fwd, 0, 0};

static void adamw_fwd(const struct call *c, const struct run *r)
{
	adamw_cuda(c->params, call_in(c, 0), call_in(c, 1), call_in(c, 2), call_in(c, 3),
		call_in(c, 4), r->step);
}

const struct op_impl cuda_adamw = {"adamw", adamw_fwd, 0, 0};

static void sgd_fwd(const struct call *c, const struct run *r)
{
	sgd_cuda(c->params, call_in(c, 0), call_in(c, 1), call_in(c, 2), call_in(c, 3), r->step);
}

const struct op_impl cuda_sgd = {"sgd", sgd_fwd, 0, 0};

static void ema_fwd(const struct call *c, const struct run *r)
{
	ema_cuda(c->params, call_in(c, 0), call_in(c, 1), call_in(c, 2), r->step);
}

const struct op_impl cuda_ema_buffer = {"ema_buffer", ema_fwd, 0, 0};
