#include "lib/program/op.h"
#include "kernels/image_input.h"

static void image_fwd(const struct call *c, const struct run *r)
{
	image_input_forward(c->params, call_out(c, 0), c->in[0]->data, c->in[1]->data,
		call_in(c, 2), r->step->seed);
}

const struct op_impl cpu_image_input = {"image_input", image_fwd, NULL, NULL};

static void target_fwd(const struct call *c, const struct run *r)
{
	soft_target_forward(c->params, call_out(c, 0), c->in[0]->data, call_in(c, 1));
}

const struct op_impl cpu_soft_target = {"soft_target", target_fwd, NULL, NULL};
