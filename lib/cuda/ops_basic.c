#include "kernels/elementwise_cuda.h"
#include "lib/cuda/cuda.h"

#define OP_ROW(name, work) const struct op_impl cuda_##name = {#name, name##_fwd, name##_bwd, work}

static int64_t count_of(const struct call *c, int i)
{
	return c->in[i]->count;
}

static const struct step *drop_step(const struct run *r)
{
	return r->train ? r->step : 0;
}

/* dx_i = or += scale dy */
static void pass(const struct call *c, int i, float scale)
{
	struct array d = array_dx(c, i);

	if (d.data)
		scale_cuda(d, call_acc(c, i), array_dy(c, 0), count_of(c, i), scale);
}

static void add_fwd(const struct call *c, const struct run *r)
{
	add_cuda(c->params, array_out(c, 0), array_in(c, 0), array_in(c, 1));
}

static void add_bwd(const struct call *c, const struct run *r)
{
	const struct add *p = c->params;

	pass(c, 0, p->scale);
	pass(c, 1, p->scale);
}

OP_ROW(add, 0);

static void gelu_fwd(const struct call *c, const struct run *r)
{
	gelu_cuda(c->params, array_out(c, 0), array_in(c, 0));
}

static void gelu_bwd(const struct call *c, const struct run *r)
{
	if (array_dx(c, 0).data)
		gelu_cuda_backward(
			c->params, array_dx(c, 0), call_acc(c, 0), array_dy(c, 0), array_in(c, 0));
}

OP_ROW(gelu, 0);

static void residual_fwd(const struct call *c, const struct run *r)
{
	residual_cuda(c->params, array_out(c, 0), array_in(c, 0), array_in(c, 1), drop_step(r));
}

static void residual_bwd(const struct call *c, const struct run *r)
{
	pass(c, 0, 1);
	if (array_dx(c, 1).data)
		residual_cuda_branch(
			c->params, array_dx(c, 1), call_acc(c, 1), array_dy(c, 0), drop_step(r));
}

OP_ROW(residual, 0);

static void gate_fwd(const struct call *c, const struct run *r)
{
	gate_cuda(c->params, array_out(c, 0), array_in(c, 0), array_in(c, 2), array_in(c, 1));
}

static void gate_bwd(const struct call *c, const struct run *r)
{
	struct gate_arrays d = {array_dx(c, 0), array_dx(c, 2), array_dx(c, 1), call_acc(c, 0),
		call_acc(c, 2), call_acc(c, 1)};

	gate_cuda_backward(
		c->params, &d, array_dy(c, 0), array_in(c, 0), array_in(c, 2), array_in(c, 1));
}

OP_ROW(gate, 0);

static void merge_directions_fwd(const struct call *c, const struct run *r)
{
	merge_cuda(c->params, array_out(c, 0), array_in(c, 0), array_in(c, 1), drop_step(r));
}

static void merge_directions_bwd(const struct call *c, const struct run *r)
{
	pass(c, 0, 1);
	if (array_dx(c, 1).data)
		merge_cuda_branch(
			c->params, array_dx(c, 1), call_acc(c, 1), array_dy(c, 0), drop_step(r));
}

OP_ROW(merge_directions, 0);

static void tap_resid_fwd(const struct call *c, const struct run *r)
{
	tap_cuda(c->params, array_out(c, 0), array_in(c, 0), array_in(c, 1));
}

static void tap_resid_bwd(const struct call *c, const struct run *r)
{
	const struct directions *p = c->params;

	if (array_dx(c, 0).data)
		sum_directions_cuda(p, array_dx(c, 0), call_acc(c, 0), array_dy(c, 0), 1);
	pass(c, 1, p->kappa);
}

OP_ROW(tap_resid, 0);

static void mean_directions_fwd(const struct call *c, const struct run *r)
{
	const struct directions *p = c->params;

	sum_directions_cuda(p, array_out(c, 0), 0, array_in(c, 0), 1.0f / p->directions);
}

static void mean_directions_bwd(const struct call *c, const struct run *r)
{
	const struct directions *p = c->params;

	if (array_dx(c, 0).data)
		spread_directions_cuda(
			p, array_dx(c, 0), call_acc(c, 0), array_dy(c, 0), 1.0f / p->directions);
}

OP_ROW(mean_directions, 0);

static void split_fwd(const struct call *c, const struct run *r)
{
	const struct split *p = c->params;
	int64_t from = 0;

	for (int i = 0; i < p->n; i++) {
		split_cuda(p, array_out(c, i), array_in(c, 0), from, p->widths[i], 0, 0);
		from += p->widths[i];
	}
}

static void split_bwd(const struct call *c, const struct run *r)
{
	const struct split *p = c->params;
	int64_t from = 0;

	for (int i = 0; i < p->n && array_dx(c, 0).data; i++) {
		split_cuda(
			p, array_dy(c, i), array_dx(c, 0), from, p->widths[i], 1, call_acc(c, 0));
		from += p->widths[i];
	}
}

OP_ROW(split, 0);

static void patches_fwd(const struct call *c, const struct run *r)
{
	patches_cuda(c->params, array_out(c, 0), array_in(c, 0), 0, 0);
}

static void patches_bwd(const struct call *c, const struct run *r)
{
	if (array_dx(c, 0).data)
		patches_cuda(c->params, array_dy(c, 0), array_dx(c, 0), 1, call_acc(c, 0));
}

OP_ROW(patches, 0);

static void shard_part_fwd(const struct call *c, const struct run *r)
{
	shard_part_cuda(array_out(c, 0), 0, array_in(c, 0), count_of(c, 0), r->step);
}

static void shard_part_bwd(const struct call *c, const struct run *r)
{
	if (array_dx(c, 0).data)
		shard_part_cuda(
			array_dx(c, 0), call_acc(c, 0), array_dy(c, 0), count_of(c, 0), r->step);
}

OP_ROW(shard_part, 0);

static void weighted_sum_fwd(const struct call *c, const struct run *r)
{
	float *x[WEIGHTED_SUM_MAX];

	for (int i = 0; i < c->n_in; i++)
		x[i] = call_in(c, i);
	weighted_sum_cuda(c->params, call_out(c, 0), x);
}

static void weighted_sum_bwd(const struct call *c, const struct run *r)
{
	float *dx[WEIGHTED_SUM_MAX];

	for (int i = 0; i < c->n_in; i++)
		dx[i] = array_dx(c, i).data;
	weighted_sum_cuda_backward(c->params, dx, c->acc, array_dy(c, 0).data);
}

OP_ROW(weighted_sum, 0);
