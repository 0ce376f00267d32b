#include "lib/program/ops.h"
#include "kernels/update.h"

static tensor record(struct program *p, enum op_id op, int n_in, tensor *in, tensor y,
	const void *params, size_t size)
{
	return program_call(p,
		&(struct call){.op = op,
			.n_in = n_in,
			.in = in,
			.n_out = y ? 1 : 0,
			.out = &y,
			.params = params},
		size);
}

/* Whether the n tensors have one count and the gate, if there is one, is (2). */
static int arrays_fit(struct program *p, const char *op, int n, const tensor *t, tensor gate)
{
	if (program_failed(p))
		return 0;
	for (int i = 1; i < n; i++)
		if (t[i]->count != t[0]->count) {
			program_refuse(p, "%s: %s has %lld elements, %s has %lld", op, t[0]->name,
				(long long)t[0]->count, t[i]->name, (long long)t[i]->count);
			return 0;
		}
	if (gate && gate->count != 2) {
		program_refuse(
			p, "%s: a gate is (2), not %s", op, shape_text(gate->dims, gate->shape));
		return 0;
	}
	return 1;
}

tensor sumsq(struct program *p, tensor x)
{
	struct sumsq s = {x->count};

	return record(
		p, OP_sumsq, 1, &x, program_tensor(p, TYPE_REAL, 1, (int64_t[]){1}), &s, sizeof(s));
}

void accumulate(struct program *p, tensor a, tensor b)
{
	struct accumulate s = {a->count};

	if (arrays_fit(p, "accumulate", 2, (tensor[]){a, b}, NULL))
		record(p, OP_accumulate, 2, (tensor[]){a, b}, NULL, &s, sizeof(s));
}

tensor update_gate(struct program *p, tensor norm2, tensor loss, tensor failed, real max_norm)
{
	struct update_gate s = {max_norm};

	if (norm2->count != 1 || loss->count != 1)
		return program_refuse(p, "update_gate: norm %s and loss %s must be scalars",
			shape_text(norm2->dims, norm2->shape), shape_text(loss->dims, loss->shape));
	return record(p, OP_update_gate, 3, (tensor[]){norm2, loss, failed},
		program_tensor(p, TYPE_REAL, 1, (int64_t[]){2}), &s, sizeof(s));
}

void adamw(struct program *p, const struct adamw_settings *s, tensor weight, tensor m, tensor v,
	tensor grad, tensor gate)
{
	struct adamw k = {weight->count, s->beta1, s->beta2, s->eps, s->decay, s->lr_scale};

	if (!arrays_fit(p, "adamw", 4, (tensor[]){weight, m, v, grad}, gate))
		return;
	if (!(s->beta1 >= 0 && s->beta1 < 1 && s->beta2 >= 0 && s->beta2 < 1 && s->eps >= 0)) {
		program_refuse(p,
			"adamw: beta %g, %g must lie in [0, 1), eps %g must not be negative",
			s->beta1, s->beta2, s->eps);
		return;
	}
	record(p, OP_adamw, 5, (tensor[]){weight, m, v, grad, gate}, NULL, &k, sizeof(k));
}

void sgd(struct program *p, const struct sgd_settings *s, tensor weight, tensor momentum,
	tensor grad, tensor gate)
{
	struct sgd k = {weight->count, s->momentum, s->decay, s->lr_scale};

	if (arrays_fit(p, "sgd", 3, (tensor[]){weight, momentum, grad}, gate))
		record(p, OP_sgd, 4, (tensor[]){weight, momentum, grad, gate}, NULL, &k, sizeof(k));
}

void ema_buffer(struct program *p, real m, tensor running, tensor stat, tensor gate)
{
	struct ema s = {running->count, m};

	if (arrays_fit(p, "ema_buffer", 2, (tensor[]){running, stat}, gate))
		record(p, OP_ema_buffer, 3, (tensor[]){running, stat, gate}, NULL, &s, sizeof(s));
}
