#include "lib/program/op.h"
#include "kernels/update.h"

static void sumsq_fwd(const struct call *c, const struct run *r)
{
	sumsq_forward(c->params, call_out(c, 0), call_in(c, 0), (double *)r->work);
}

static int64_t sumsq_work(const struct call *c, int backward)
{
	return sumsq_blocks(c->params) * (int64_t)(sizeof(double) / sizeof(real));
}

const struct op_impl cpu_sumsq = {"sumsq", sumsq_fwd, NULL, sumsq_work};

static void accumulate_fwd(const struct call *c, const struct run *r)
{
	accumulate_forward(c->params, call_in(c, 0), call_in(c, 1));
}

const struct op_impl cpu_accumulate = {"accumulate", accumulate_fwd, NULL, NULL};

static void gate_fwd(const struct call *c, const struct run *r)
{
	update_gate_forward(c->params, call_out(c, 0), call_in(c, 0), call_in(c, 1), call_in(c, 2));
}

const struct op_impl cpu_update_gate = {"update_gate", gate_fwd, NULL, NULL};

static void adamw_fwd(const struct call *c, const struct run *r)
{
	adamw_forward(c->params, call_in(c, 0), call_in(c, 1), call_in(c, 2), call_in(c, 3),
		call_in(c, 4), r->step->lr, r->step->step + 1);
}

const struct op_impl cpu_adamw = {"adamw", adamw_fwd, NULL, NULL};

static void sgd_fwd(const struct call *c, const struct run *r)
{
	sgd_forward(
		c->params, call_in(c, 0), call_in(c, 1), call_in(c, 2), call_in(c, 3), r->step->lr);
}

const struct op_impl cpu_sgd = {"sgd", sgd_fwd, NULL, NULL};

static void ema_fwd(const struct call *c, const struct run *r)
{
	ema_forward(c->params, call_in(c, 0), call_in(c, 1), call_in(c, 2), r->step->scale);
}

const struct op_impl cpu_ema_buffer = {"ema_buffer", ema_fwd, NULL, NULL};
