#include "kernels/selective_scan_cuda.h"
#include "lib/cuda/cuda.h"

static struct scan_arrays arrays_of(const struct call *c)
{
	return (struct scan_arrays){array_in(c, 0), array_in(c, 1), array_in(c, 2), array_in(c, 3),
		array_in(c, 4), array_in(c, 5), array_in(c, 6), array_in(c, 7), table_in(c, 9),
		table_in(c, 10), table_in(c, 8), call_in(c, 11)};
}

static void scan_fwd(const struct call *c, const struct run *r)
{
	struct scan_arrays in = arrays_of(c);

	selective_scan_cuda(c->params, array_out(c, 0), &in, r->work);
}

static void scan_bwd(const struct call *c, const struct run *r)
{
	struct scan_arrays in = arrays_of(c);
	struct scan_array_grads d = {array_dx(c, 0), array_dx(c, 1), array_dx(c, 2), array_dx(c, 3),
		array_dx(c, 4), array_dx(c, 5), array_dx(c, 6), array_dx(c, 7), call_acc(c, 0),
		call_acc(c, 1), call_acc(c, 4), call_acc(c, 5)};

	selective_scan_cuda_backward(c->params, &d, array_dy(c, 0), &in, r->work);
}

/* Tables may have no place yet when work is asked for: that they are there is enough. */
static int64_t scan_work(const struct call *c, int backward)
{
	struct scan_arrays in = {.order = (const int32_t *)c->in[9],
		.code = (const int32_t *)c->in[10],
		.segments = (const int32_t *)c->in[8],
		.state = (float *)c->in[11]};

	return selective_scan_cuda_work(c->params, &in, array_out(c, 0).half, backward);
}

const struct op_impl cuda_selective_scan = {"selective_scan", scan_fwd, scan_bwd, scan_work};
