#include "lib/program/op.h"
#include "kernels/adapt.h"
#include "kernels/channel_ce.h"
#include "kernels/cosine.h"
#include "kernels/cross_entropy.h"
#include "kernels/shard_part.h"
#include "kernels/token_loss.h"

#include <string.h>

static void cosine_fwd(const struct call *c, const struct run *r)
{
	cosine_forward(c->params, call_out(c, 0), call_out(c, 1), call_out(c, 2), call_out(c, 3),
		call_in(c, 0), call_in(c, 1));
}

static void cosine_bwd(const struct call *c, const struct run *r)
{
	cosine_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1), call_acc(c, 1),
		call_dy(c, 0), call_out(c, 1), call_out(c, 2), call_out(c, 3), call_in(c, 0),
		call_in(c, 1));
}

const struct op_impl cpu_cosine = {"cosine", cosine_fwd, cosine_bwd, NULL};

/* The layers' similarities are tensors of their own: gathered here, and their gradients dealt. */
static void adapt_fwd(const struct call *c, const struct run *r)
{
	const struct adapt *p = c->params;
	real *all = call_out(c, 2);

	for (int i = 0; i < c->n_in; i++)
		memcpy(all + i * p->directions, call_in(c, i), p->directions * sizeof(*all));
	adapt_forward(p, call_out(c, 0), call_out(c, 1), all);
}

static void adapt_bwd(const struct call *c, const struct run *r)
{
	const struct adapt *p = c->params;

	adapt_backward(p, r->work, 0, call_dy(c, 0), call_out(c, 1), call_out(c, 2));
	for (int i = 0; i < c->n_in; i++) {
		real *d = call_dx(c, i);

		for (int64_t k = 0; d && k < p->directions; k++)
			d[k] = (call_acc(c, i) ? d[k] : 0) + r->work[i * p->directions + k];
	}
}

static int64_t adapt_work(const struct call *c, int backward)
{
	const struct adapt *p = c->params;

	return backward ? p->layers * p->directions : 0;
}

const struct op_impl cpu_adapt = {"adapt", adapt_fwd, adapt_bwd, adapt_work};

static void cross_entropy_fwd(const struct call *c, const struct run *r)
{
	cross_entropy_forward(c->params, call_out(c, 0), call_out(c, 1), call_out(c, 2),
		call_in(c, 0), call_in(c, 1), NULL, r->step->divisor);
}

static void cross_entropy_bwd(const struct call *c, const struct run *r)
{
	cross_entropy_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1),
		call_acc(c, 1), call_dy(c, 0), call_out(c, 1), call_in(c, 0), call_in(c, 1), NULL,
		r->step->divisor);
}

const struct op_impl cpu_cross_entropy = {
	"cross_entropy", cross_entropy_fwd, cross_entropy_bwd, NULL};

static void label_entropy_fwd(const struct call *c, const struct run *r)
{
	cross_entropy_forward(c->params, call_out(c, 0), call_out(c, 1), call_out(c, 2),
		call_in(c, 0), NULL, c->in[1]->data, r->step->divisor);
}

static void label_entropy_bwd(const struct call *c, const struct run *r)
{
	if (call_dx(c, 0))
		cross_entropy_backward(c->params, call_dx(c, 0), call_acc(c, 0), NULL, 0,
			call_dy(c, 0), call_out(c, 1), call_in(c, 0), NULL, c->in[1]->data,
			r->step->divisor);
}

const struct op_impl cpu_label_entropy = {
	"label_entropy", label_entropy_fwd, label_entropy_bwd, NULL};

static void channel_ce_fwd(const struct call *c, const struct run *r)
{
	channel_ce_forward(c->params, call_out(c, 0), call_out(c, 1), call_out(c, 2),
		call_out(c, 3), call_in(c, 0), call_in(c, 1), r->step->divisor);
}

static void channel_ce_bwd(const struct call *c, const struct run *r)
{
	channel_ce_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1), call_acc(c, 1),
		call_dy(c, 0), call_out(c, 1), call_out(c, 2), call_out(c, 3), call_in(c, 0),
		call_in(c, 1), r->step->divisor);
}

const struct op_impl cpu_channel_ce = {"channel_ce", channel_ce_fwd, channel_ce_bwd, NULL};

static void kl_logits_fwd(const struct call *c, const struct run *r)
{
	kl_logits_forward(c->params, call_out(c, 0), call_out(c, 1), call_out(c, 2), call_out(c, 3),
		call_in(c, 0), call_in(c, 1), r->step->divisor);
}

static void kl_logits_bwd(const struct call *c, const struct run *r)
{
	kl_logits_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1), call_acc(c, 1),
		call_dy(c, 0), call_out(c, 1), call_out(c, 2), call_out(c, 3), call_in(c, 0),
		call_in(c, 1), r->step->divisor);
}

const struct op_impl cpu_kl_logits = {"kl_logits", kl_logits_fwd, kl_logits_bwd, NULL};

static void token_loss_fwd(const struct call *c, const struct run *r)
{
	token_loss_forward(c->params, call_out(c, 0), call_out(c, 1), call_in(c, 0), call_in(c, 1),
		r->step->divisor);
}

static void token_loss_bwd(const struct call *c, const struct run *r)
{
	token_loss_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1), call_acc(c, 1),
		call_dy(c, 0), call_in(c, 0), call_in(c, 1), r->step->divisor);
}

const struct op_impl cpu_token_loss = {"token_loss", token_loss_fwd, token_loss_bwd, NULL};

static void shard_part_fwd(const struct call *c, const struct run *r)
{
	shard_part_forward(c->params, call_out(c, 0), call_in(c, 0), r->step->scale);
}

static void shard_part_bwd(const struct call *c, const struct run *r)
{
	shard_part_backward(
		c->params, call_dx(c, 0), call_acc(c, 0), call_dy(c, 0), r->step->scale);
}

const struct op_impl cpu_shard_part = {"shard_part", shard_part_fwd, shard_part_bwd, NULL};
