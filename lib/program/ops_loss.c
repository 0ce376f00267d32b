#include "lib/program/ops.h"
#include "kernels/adapt.h"
#include "kernels/channel_ce.h"
#include "kernels/cosine.h"
#include "kernels/cross_entropy.h"
#include "kernels/shard_part.h"
#include "kernels/token_loss.h"

#include <string.h>

static int same_shape(tensor a, tensor b)
{
	return a->dims == b->dims && !memcmp(a->shape, b->shape, a->dims * sizeof(*a->shape));
}

static tensor differ(struct program *p, const char *op, tensor a, tensor b)
{
	return program_refuse(p, "%s: %s and %s do not fit each other", op,
		shape_text(a->dims, a->shape), shape_text(b->dims, b->shape));
}

static tensor vector(struct program *p, int64_t n)
{
	return program_tensor(p, TYPE_REAL, 1, &n);
}

tensor cosine(struct program *p, tensor u, tensor v)
{
	int64_t K = u->dims == 4 ? u->shape[1] : 1;
	struct cosine s;
	tensor out[4];

	if (program_failed(p))
		return u;
	if (v->dims != 3 || u->dims < 3 || u->dims > 4 || u->shape[0] != v->shape[0] ||
		memcmp(u->shape + u->dims - 2, v->shape + 1, 2 * sizeof(*v->shape)))
		return differ(p, "cosine", u, v);
	s = (struct cosine){v->shape[0], K, v->shape[1], v->shape[2]};
	out[0] = vector(p, K);
	out[1] = vector(p, s.batch * K * s.len);
	out[2] = vector(p, s.batch * K * s.len);
	out[3] = vector(p, s.batch * s.len);
	return program_call(p,
		&(struct call){.op = OP_cosine,
			.n_in = 2,
			.in = (tensor[]){u, v},
			.n_out = 1,
			.n_kept = 3,
			.out = out,
			.params = &s,
			.reads_in = 1 | 2,
			.reads_out = 2 | 4 | 8},
		sizeof(s));
}

tensor adapt(struct program *p, const struct adapt_settings *a, int n, const tensor *c,
	tensor *weights, tensor *cosines)
{
	struct adapt s = {n, 0, a->mode, a->tau, a->eps, a->factor, a->stop_gradient};
	tensor out[3];

	*weights = *cosines = NULL;
	if (program_failed(p))
		return *c;
	if (n < 1 || n > 64)
		return program_refuse(p, "adapt: %d layers, not 1 to 64", n);
	for (int i = 0; i < n; i++)
		if (c[i]->dims != 1 || !same_shape(c[i], c[0]))
			return differ(p, "adapt", c[i], c[0]);
	if (!(a->tau > 0 && a->eps > 0) || a->mode < ADAPT_RATIO_SM || a->mode > ADAPT_FIXED_I)
		return program_refuse(p, "adapt: tau %g and eps %g must be positive, mode known",
			(double)a->tau, (double)a->eps);
	s.directions = c[0]->count;
	out[0] = vector(p, 1);
	*weights = out[1] = program_tensor(p, TYPE_REAL, 2, (int64_t[]){n, s.directions});
	*cosines = out[2] = program_tensor(p, TYPE_REAL, 2, (int64_t[]){n, s.directions});
	return program_call(p,
		&(struct call){.op = OP_adapt,
			.n_in = n,
			.in = (tensor *)c,
			.n_out = 1,
			.n_kept = 2,
			.out = out,
			.params = &s,
			.reads_out = 2 | 4},
		sizeof(s));
}

/* second: targets as logits, or labels. */
static tensor entropy_call(struct program *p, enum op_id op, tensor logits, tensor second)
{
	struct cross_entropy s = {tensor_rows(logits), tensor_last(logits)};
	tensor out[3] = {vector(p, 1), vector(p, s.batch), vector(p, s.batch)};

	return program_call(p,
		&(struct call){.op = op,
			.n_in = 2,
			.in = (tensor[]){logits, second},
			.n_out = 1,
			.n_kept = 2,
			.out = out,
			.params = &s,
			.reads_in = 1 | 2,
			.reads_out = 2},
		sizeof(s));
}

tensor cross_entropy(struct program *p, tensor logits, tensor target)
{
	if (program_failed(p))
		return logits;
	if (logits->dims != 2 || !same_shape(logits, target))
		return differ(p, "cross_entropy", logits, target);
	return entropy_call(p, OP_cross_entropy, logits, target);
}

tensor label_entropy(struct program *p, tensor logits, tensor labels)
{
	if (program_failed(p))
		return logits;
	if (labels->type != TYPE_I32 || labels->dims != logits->dims - 1 ||
		memcmp(labels->shape, logits->shape, labels->dims * sizeof(*labels->shape)))
		return differ(p, "label_entropy", logits, labels);
	return entropy_call(p, OP_label_entropy, logits, labels);
}

static tensor two_rows(struct program *p, enum op_id op, tensor a, tensor b, real temperature)
{
	struct channel_ce s = {tensor_rows(a), tensor_last(a), temperature};
	tensor out[4];

	if (program_failed(p))
		return a;
	if (a->dims != 2 || !same_shape(a, b))
		return differ(p, op_name(op), a, b);
	if (!(temperature > 0))
		return program_refuse(
			p, "%s: temperature %g must be positive", op_name(op), (double)temperature);
	out[0] = vector(p, 1);
	for (int i = 1; i < 4; i++)
		out[i] = vector(p, s.rows);
	return program_call(p,
		&(struct call){.op = op,
			.n_in = 2,
			.in = (tensor[]){a, b},
			.n_out = 1,
			.n_kept = 3,
			.out = out,
			.params = &s,
			.reads_in = 1 | 2,
			.reads_out = 2 | 4 | 8},
		sizeof(s));
}

tensor kl_logits(struct program *p, tensor student, tensor teacher, real temperature)
{
	return two_rows(p, OP_kl_logits, student, teacher, temperature);
}

tensor channel_ce(struct program *p, tensor a, tensor b, real temperature)
{
	return two_rows(p, OP_channel_ce, a, b, temperature);
}

static tensor token_loss(struct program *p, tensor u, tensor v, int squared)
{
	struct token_loss s;
	tensor out[2];

	if (program_failed(p))
		return u;
	if (u->dims != 3 || !same_shape(u, v))
		return differ(p, squared ? "l2_tokens" : "l1_tokens", u, v);
	s = (struct token_loss){u->shape[0], u->shape[1], u->shape[2], squared};
	out[0] = vector(p, 1);
	out[1] = vector(p, s.batch);
	return program_call(p,
		&(struct call){.op = OP_token_loss,
			.n_in = 2,
			.in = (tensor[]){u, v},
			.n_out = 1,
			.n_kept = 1,
			.out = out,
			.params = &s,
			.reads_in = 1 | 2},
		sizeof(s));
}

tensor l1_tokens(struct program *p, tensor u, tensor v)
{
	return token_loss(p, u, v, 0);
}

tensor l2_tokens(struct program *p, tensor u, tensor v)
{
	return token_loss(p, u, v, 1);
}

tensor shard_part(struct program *p, tensor x)
{
	struct shard_part s = {x->count};
	tensor y;

	if (program_failed(p))
		return x;
	y = program_tensor(p, TYPE_REAL, x->dims, x->shape);
	return program_call(p,
		&(struct call){.op = OP_shard_part,
			.n_in = 1,
			.in = &x,
			.n_out = 1,
			.out = &y,
			.params = &s},
		sizeof(s));
}
