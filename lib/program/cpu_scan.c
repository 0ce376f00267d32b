#include "lib/program/op.h"
#include "kernels/directions.h"
#include "kernels/dwconv1d.h"
#include "kernels/dwconv2d.h"
#include "kernels/gate.h"
#include "kernels/gate_join.h"
#include "kernels/selective_scans.h"

static const int32_t *call_table(const struct call *c, int i)
{
	return c->in[i] ? c->in[i]->data : NULL;
}

static struct scan_inputs scan_inputs_of(const struct call *c)
{
	return (struct scan_inputs){call_in(c, 0), call_in(c, 1), call_in(c, 2), call_in(c, 3),
		call_in(c, 4), call_in(c, 5), call_in(c, 6), call_in(c, 7), call_table(c, 9),
		call_table(c, 10), call_table(c, 8), call_in(c, 11)};
}

static void scan_fwd(const struct call *c, const struct run *r)
{
	struct scan_inputs in = scan_inputs_of(c);

	if (r->plain)
		selective_scan_forward(c->params, call_out(c, 0), &in);
	else
		selective_scan_forward_fast(c->params, call_out(c, 0), &in, r->work);
}

static void scan_bwd(const struct call *c, const struct run *r)
{
	struct scan_inputs in = scan_inputs_of(c);
	struct scan_grads d = {call_dx(c, 0), call_dx(c, 1), call_dx(c, 2), call_dx(c, 3),
		call_dx(c, 4), call_dx(c, 5), call_dx(c, 6), call_dx(c, 7), call_acc(c, 0),
		call_acc(c, 1), call_acc(c, 4), call_acc(c, 5)};

	if (r->plain)
		selective_scan_backward(c->params, &d, call_dy(c, 0), &in, r->work);
	else
		selective_scan_backward_fast(c->params, &d, call_dy(c, 0), &in, r->work);
}

static int64_t scan_work(const struct call *c, int backward)
{
	int64_t plain = selective_scan_work(c->params, backward);
	int64_t fast = selective_scan_work_fast(c->params, backward);

	return plain > fast ? plain : fast;
}

const struct op_impl cpu_selective_scan = {"selective_scan", scan_fwd, scan_bwd, scan_work};

/* The zero-order hold has the reference loops alone. */
static void zoh_fwd(const struct call *c, const struct run *r)
{
	struct scan_inputs in = scan_inputs_of(c);

	selective_scan_forward(c->params, call_out(c, 0), &in);
}

static void zoh_bwd(const struct call *c, const struct run *r)
{
	struct run plain = *r;

	plain.plain = 1;
	scan_bwd(c, &plain);
}

static int64_t zoh_work(const struct call *c, int backward)
{
	return selective_scan_work(c->params, backward);
}

const struct op_impl cpu_selective_scan_zoh = {"selective_scan_zoh", zoh_fwd, zoh_bwd, zoh_work};

/* u, beta, A_log, D, order; then r, B, C of each scan. */
static struct scans_inputs scans_inputs_of(const struct call *c)
{
	const struct selective_scans *p = c->params;
	struct scans_inputs in = {.u = call_in(c, 0),
		.beta = call_in(c, 1),
		.A_log = call_in(c, 2),
		.D = call_in(c, 3),
		.order = call_table(c, 4)};

	for (int k = 0; k < p->count; k++) {
		in.r[k] = call_in(c, 5 + 3 * k);
		in.B[k] = call_in(c, 6 + 3 * k);
		in.C[k] = call_in(c, 7 + 3 * k);
	}
	return in;
}

static struct scans_grads scans_grads_of(const struct call *c)
{
	const struct selective_scans *p = c->params;
	struct scans_grads d = {.u = call_dx(c, 0),
		.beta = call_dx(c, 1),
		.A_log = call_dx(c, 2),
		.D = call_dx(c, 3),
		.acc_u = call_acc(c, 0)};

	for (int k = 0; k < p->count; k++) {
		d.r[k] = call_dx(c, 5 + 3 * k);
		d.B[k] = call_dx(c, 6 + 3 * k);
		d.C[k] = call_dx(c, 7 + 3 * k);
		d.acc_r[k] = call_acc(c, 5 + 3 * k);
		d.acc_B[k] = call_acc(c, 6 + 3 * k);
		d.acc_C[k] = call_acc(c, 7 + 3 * k);
	}
	return d;
}

static void scans_fwd(const struct call *c, const struct run *r)
{
	struct scans_inputs in = scans_inputs_of(c);
	real *y[SCANS_MAX];

	for (int k = 0; k < c->n_out; k++)
		y[k] = call_out(c, k);
	if (r->plain)
		selective_scans_forward(c->params, y, &in, r->work);
	else
		selective_scans_forward_fast(c->params, y, &in, r->work);
}

static void scans_bwd(const struct call *c, const struct run *r)
{
	struct scans_inputs in = scans_inputs_of(c);
	struct scans_grads d = scans_grads_of(c);
	const real *dy[SCANS_MAX];

	for (int k = 0; k < c->n_out; k++)
		dy[k] = call_dy(c, k);
	if (r->plain)
		selective_scans_backward(c->params, &d, dy, &in, r->work);
	else
		selective_scans_backward_fast(c->params, &d, dy, &in, r->work);
}

static int64_t scans_work(const struct call *c, int backward)
{
	int64_t plain = selective_scans_work(c->params, backward);
	int64_t fast = selective_scans_work_fast(c->params, backward);

	return plain > fast ? plain : fast;
}

const struct op_impl cpu_selective_scans = {"selective_scans", scans_fwd, scans_bwd, scans_work};

static void conv2d_fwd(const struct call *c, const struct run *r)
{
	if (r->plain)
		dwconv2d_forward(c->params, call_out(c, 0), call_out(c, 1), call_in(c, 0),
			call_in(c, 1), call_in(c, 2));
	else
		dwconv2d_forward_fast(c->params, call_out(c, 0), call_out(c, 1), call_in(c, 0),
			call_in(c, 1), call_in(c, 2), r->work);
}

static void conv2d_bwd(const struct call *c, const struct run *r)
{
	if (r->plain)
		dwconv2d_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
			call_dx(c, 2), call_dy(c, 0), call_out(c, 1), call_in(c, 0), call_in(c, 1));
	else
		dwconv2d_backward_fast(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
			call_dx(c, 2), call_dy(c, 0), call_out(c, 1), call_in(c, 0), call_in(c, 1),
			r->work);
}

static int64_t conv2d_work(const struct call *c, int backward)
{
	return dwconv2d_work_fast(c->params, backward);
}

const struct op_impl cpu_dwconv2d_silu = {"dwconv2d_silu", conv2d_fwd, conv2d_bwd, conv2d_work};

/* The convolution alone: what would be kept is the output. */
static void plain_fwd(const struct call *c, const struct run *r)
{
	if (r->plain)
		dwconv2d_forward(c->params, call_out(c, 0), call_out(c, 0), call_in(c, 0),
			call_in(c, 1), call_in(c, 2));
	else
		dwconv2d_forward_fast(c->params, call_out(c, 0), call_out(c, 0), call_in(c, 0),
			call_in(c, 1), call_in(c, 2), r->work);
}

static void plain_bwd(const struct call *c, const struct run *r)
{
	if (r->plain)
		dwconv2d_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
			call_dx(c, 2), call_dy(c, 0), call_dy(c, 0), call_in(c, 0), call_in(c, 1));
	else
		dwconv2d_backward_fast(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
			call_dx(c, 2), call_dy(c, 0), call_dy(c, 0), call_in(c, 0), call_in(c, 1),
			r->work);
}

const struct op_impl cpu_dwconv2d = {"dwconv2d", plain_fwd, plain_bwd, conv2d_work};

static void conv1d_fwd(const struct call *c, const struct run *r)
{
	dwconv1d_forward(c->params, call_out(c, 0), call_out(c, 1), call_in(c, 0), call_in(c, 1),
		call_in(c, 2), call_table(c, 3), call_in(c, 4));
}

static void conv1d_bwd(const struct call *c, const struct run *r)
{
	dwconv1d_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1), call_dx(c, 2),
		call_dy(c, 0), call_out(c, 1), call_in(c, 0), call_in(c, 1), call_table(c, 3),
		r->work);
}

static int64_t conv1d_work(const struct call *c, int backward)
{
	return dwconv1d_work(c->params, backward);
}

const struct op_impl cpu_dwconv1d_silu = {"dwconv1d_silu", conv1d_fwd, conv1d_bwd, conv1d_work};

static void gate_fwd(const struct call *c, const struct run *r)
{
	gate_forward(c->params, call_out(c, 0), call_in(c, 0), call_in(c, 2), call_in(c, 1));
}

static void gate_bwd(const struct call *c, const struct run *r)
{
	struct gate_grads d = {call_dx(c, 0), call_dx(c, 2), call_dx(c, 1), call_acc(c, 0),
		call_acc(c, 2), call_acc(c, 1)};

	gate_backward(c->params, &d, call_dy(c, 0), call_in(c, 0), call_in(c, 2), call_in(c, 1));
}

const struct op_impl cpu_gate = {"gate", gate_fwd, gate_bwd, NULL};

static void join_fwd(const struct call *c, const struct run *r)
{
	gate_join_forward(c->params, call_out(c, 0), call_in(c, 0), call_in(c, 1), call_in(c, 2));
}

static void join_bwd(const struct call *c, const struct run *r)
{
	struct gate_join_grads d = {call_dx(c, 0), call_dx(c, 1), call_dx(c, 2), call_acc(c, 0),
		call_acc(c, 1), call_acc(c, 2)};

	gate_join_backward(
		c->params, &d, call_dy(c, 0), call_in(c, 0), call_in(c, 1), call_in(c, 2));
}

const struct op_impl cpu_gate_join = {"gate_join", join_fwd, join_bwd, NULL};

static struct drop_path drop_of(const struct run *r)
{
	return (struct drop_path){r->step->seed, r->step->step, r->step->first_sample};
}

static void merge_fwd(const struct call *c, const struct run *r)
{
	struct drop_path drop = drop_of(r);

	merge_directions_forward(
		c->params, call_out(c, 0), call_in(c, 0), call_in(c, 1), r->train ? &drop : NULL);
}

static void merge_bwd(const struct call *c, const struct run *r)
{
	struct drop_path drop = drop_of(r);

	merge_directions_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
		call_acc(c, 1), call_dy(c, 0), r->train ? &drop : NULL);
}

const struct op_impl cpu_merge_directions = {"merge_directions", merge_fwd, merge_bwd, NULL};

static void tap_fwd(const struct call *c, const struct run *r)
{
	tap_resid_forward(c->params, call_out(c, 0), call_in(c, 0), call_in(c, 1));
}

static void tap_bwd(const struct call *c, const struct run *r)
{
	tap_resid_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1), call_acc(c, 1),
		call_dy(c, 0));
}

const struct op_impl cpu_tap_resid = {"tap_resid", tap_fwd, tap_bwd, NULL};

static void mean_fwd(const struct call *c, const struct run *r)
{
	mean_directions_forward(c->params, call_out(c, 0), call_in(c, 0));
}

static void mean_bwd(const struct call *c, const struct run *r)
{
	mean_directions_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dy(c, 0));
}

const struct op_impl cpu_mean_directions = {"mean_directions", mean_fwd, mean_bwd, NULL};
