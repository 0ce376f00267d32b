#include "lib/program/op.h"
#include "kernels/add.h"

static void add_fwd(const struct call *c, const struct run *r)
{
	add_forward(c->params, call_out(c, 0), call_in(c, 0), call_in(c, 1));
}

static void add_bwd(const struct call *c, const struct run *r)
{
	add_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1), call_acc(c, 1),
		call_dy(c, 0));
}

const struct op_impl cpu_add = {"add", add_fwd, add_bwd, NULL};
