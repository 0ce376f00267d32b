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

/* u, beta, A_log, D, order; then r, B, C of each scan. */
static struct scans_arrays scans_arrays_of(const struct call *c)
{
	const struct selective_scans *p = c->params;
	struct scans_arrays in = {array_in(c, 0), array_in(c, 1), array_in(c, 2), array_in(c, 3),
		.order = table_in(c, 4)};

	for (int k = 0; k < p->count; k++) {
		in.r[k] = array_in(c, 5 + 3 * k);
		in.B[k] = array_in(c, 6 + 3 * k);
		in.C[k] = array_in(c, 7 + 3 * k);
	}
	return in;
}

static void scans_fwd(const struct call *c, const struct run *r)
{
	struct scans_arrays in = scans_arrays_of(c);
	struct array y[SCANS_MAX];

	for (int k = 0; k < c->n_out; k++)
		y[k] = array_out(c, k);
	selective_scans_cuda(c->params, y, &in, r->work);
}

static void scans_bwd(const struct call *c, const struct run *r)
{
	const struct selective_scans *p = c->params;
	struct scans_arrays in = scans_arrays_of(c);
	struct scans_array_grads d = {array_dx(c, 0), array_dx(c, 1), array_dx(c, 2),
		array_dx(c, 3), .acc_u = call_acc(c, 0)};
	struct array dy[SCANS_MAX];

	for (int k = 0; k < p->count; k++) {
		d.r[k] = array_dx(c, 5 + 3 * k);
		d.B[k] = array_dx(c, 6 + 3 * k);
		d.C[k] = array_dx(c, 7 + 3 * k);
		d.acc_r[k] = call_acc(c, 5 + 3 * k);
		d.acc_B[k] = call_acc(c, 6 + 3 * k);
		d.acc_C[k] = call_acc(c, 7 + 3 * k);
	}
	for (int k = 0; k < c->n_out; k++)
		dy[k] = array_dy(c, k);
	selective_scans_cuda_backward(c->params, &d, dy, &in, r->work);
}

/* The table may have no place yet: that it is there is enough. */
static int64_t scans_work(const struct call *c, int backward)
{
	struct scans_arrays in = scans_arrays_of(c);

	in.order = (const int32_t *)c->in[4];
	return selective_scans_cuda_work(c->params, &in, array_out(c, 0).half, backward);
}

const struct op_impl cuda_selective_scans = {"selective_scans", scans_fwd, scans_bwd, scans_work};
