#include "kernels/losses_cuda.h"
#include "lib/cuda/cuda.h"

#define OP_ROW(name) const struct op_impl cuda_##name = {#name, name##_fwd, name##_bwd, 0}

static void cosine_fwd(const struct call *c, const struct run *r)
{
	cosine_cuda(c->params, call_out(c, 0), call_out(c, 1), call_out(c, 2), call_out(c, 3),
		array_in(c, 0), array_in(c, 1));
}

static void cosine_bwd(const struct call *c, const struct run *r)
{
	cosine_cuda_backward(c->params, array_dx(c, 0), call_acc(c, 0), array_dx(c, 1),
		call_acc(c, 1), array_dy(c, 0).data, call_out(c, 1), call_out(c, 2), call_out(c, 3),
		array_in(c, 0), array_in(c, 1));
}

OP_ROW(cosine);

static void adapt_fwd(const struct call *c, const struct run *r)
{
	const float *at[64];

	for (int i = 0; i < c->n_in; i++)
		at[i] = call_in(c, i);
	adapt_cuda(c->params, call_out(c, 0), call_out(c, 1), call_out(c, 2), at);
}

static void adapt_bwd(const struct call *c, const struct run *r)
{
	float *at[64];

	for (int i = 0; i < c->n_in; i++)
		at[i] = array_dx(c, i).data;
	adapt_cuda_backward(
		c->params, at, c->acc, array_dy(c, 0).data, call_out(c, 1), call_out(c, 2));
}

OP_ROW(adapt);

static void cross_entropy_fwd(const struct call *c, const struct run *r)
{
	cross_entropy_cuda(c->params, call_out(c, 0), call_out(c, 1), call_out(c, 2),
		array_in(c, 0), array_in(c, 1), r->step);
}

static void cross_entropy_bwd(const struct call *c, const struct run *r)
{
	cross_entropy_cuda_backward(c->params, array_dx(c, 0), call_acc(c, 0), array_dx(c, 1),
		call_acc(c, 1), array_dy(c, 0).data, call_out(c, 1), array_in(c, 0), array_in(c, 1),
		r->step);
}

OP_ROW(cross_entropy);

static void label_entropy_fwd(const struct call *c, const struct run *r)
{
	label_entropy_cuda(c->params, call_out(c, 0), call_out(c, 1), call_out(c, 2),
		array_in(c, 0), table_in(c, 1), r->step);
}

static void label_entropy_bwd(const struct call *c, const struct run *r)
{
	if (array_dx(c, 0).data)
		label_entropy_cuda_backward(c->params, array_dx(c, 0), call_acc(c, 0),
			array_dy(c, 0).data, call_out(c, 1), array_in(c, 0), table_in(c, 1),
			r->step);
}

OP_ROW(label_entropy);

static void rows_fwd(const struct call *c, const struct run *r, int entropy)
{
	channel_ce_cuda(c->params, entropy, call_out(c, 0), call_out(c, 1), call_out(c, 2),
		call_out(c, 3), array_in(c, 0), array_in(c, 1), r->step);
}

static void rows_bwd(const struct call *c, const struct run *r, int entropy)
{
	channel_ce_cuda_backward(c->params, entropy, array_dx(c, 0), call_acc(c, 0), array_dx(c, 1),
		call_acc(c, 1), array_dy(c, 0).data, call_out(c, 1), call_out(c, 2), call_out(c, 3),
		array_in(c, 0), array_in(c, 1), r->step);
}

static void channel_ce_fwd(const struct call *c, const struct run *r)
{
	rows_fwd(c, r, 0);
}

static void channel_ce_bwd(const struct call *c, const struct run *r)
{
	rows_bwd(c, r, 0);
}

OP_ROW(channel_ce);

static void kl_logits_fwd(const struct call *c, const struct run *r)
{
	rows_fwd(c, r, 1);
}

static void kl_logits_bwd(const struct call *c, const struct run *r)
{
	rows_bwd(c, r, 1);
}

OP_ROW(kl_logits);

static void token_loss_fwd(const struct call *c, const struct run *r)
{
	token_loss_cuda(
		c->params, call_out(c, 0), call_out(c, 1), array_in(c, 0), array_in(c, 1), r->step);
}

static void token_loss_bwd(const struct call *c, const struct run *r)
{
	token_loss_cuda_backward(c->params, array_dx(c, 0), call_acc(c, 0), array_dx(c, 1),
		call_acc(c, 1), array_dy(c, 0).data, array_in(c, 0), array_in(c, 1), r->step);
}

OP_ROW(token_loss);
