#include "lib/program/ops.h"
#include "kernels/attention.h"
#include "kernels/gelu.h"
#include "kernels/linear.h"
#include "kernels/norm.h"

#include <string.h>

/* (n), or absent */
static int is_vector(tensor t, int64_t n)
{
	return !t || (t->dims == 1 && t->shape[0] == n);
}

tensor linear(struct program *p, tensor x, tensor weight, tensor bias, real bias_scale)
{
	int64_t in = tensor_last(x), out = weight->shape[0], shape[TENSOR_DIMS];
	struct linear s = {tensor_rows(x), in, out, bias_scale};
	tensor y;

	if (program_failed(p))
		return x;
	if (weight->dims < 2 || weight->count / out != in)
		return program_refuse(p, "linear: weight %s does not fit %s",
			shape_text(weight->dims, weight->shape), shape_text(x->dims, x->shape));
	if (!is_vector(bias, out))
		return program_refuse(p, "linear: bias %s does not fit weight %s",
			shape_text(bias->dims, bias->shape),
			shape_text(weight->dims, weight->shape));
	memcpy(shape, x->shape, x->dims * sizeof(*shape));
	shape[x->dims - 1] = out;
	y = program_tensor(p, TYPE_REAL, x->dims, shape);
	return program_call(p,
		&(struct call){.op = OP_linear,
			.n_in = 3,
			.in = (tensor[]){x, weight, bias},
			.n_out = 1,
			.out = &y,
			.params = &s,
			.reads_in = 1 | 2,
			.adds = 2 | 4},
		sizeof(s));
}

static tensor norm(struct program *p, enum op_id op, tensor x, tensor weight, tensor bias, real eps)
{
	struct norm s = {tensor_rows(x), tensor_last(x), eps, op == OP_layernorm};
	tensor out[2], bad = NULL;

	if (program_failed(p))
		return x;
	if (!is_vector(bias, s.dim))
		bad = bias;
	if (!is_vector(weight, s.dim))
		bad = weight;
	if (bad)
		return program_refuse(p, "%s: %s does not fit %s", op_name(op),
			shape_text(bad->dims, bad->shape), shape_text(x->dims, x->shape));
	out[0] = program_tensor(p, TYPE_REAL, x->dims, x->shape);
	out[1] = program_tensor(p, TYPE_REAL, 2, (int64_t[]){s.rows, 2});
	return program_call(p,
		&(struct call){.op = op,
			.n_in = 3,
			.in = (tensor[]){x, weight, bias},
			.n_out = 1,
			.n_kept = 1,
			.out = out,
			.params = &s,
			.reads_in = 1 | 2,
			.reads_out = 2,
			.adds = 2 | 4},
		sizeof(s));
}

tensor layernorm(struct program *p, tensor x, tensor weight, tensor bias, real eps)
{
	return norm(p, OP_layernorm, x, weight, bias, eps);
}

tensor rmsnorm(struct program *p, tensor x, tensor weight, real eps)
{
	return norm(p, OP_rmsnorm, x, weight, NULL, eps);
}

tensor gelu(struct program *p, tensor x)
{
	struct gelu s = {x->count};
	tensor y;

	if (program_failed(p))
		return x;
	y = program_tensor(p, TYPE_REAL, x->dims, x->shape);
	return program_call(p,
		&(struct call){.op = OP_gelu,
			.n_in = 1,
			.in = &x,
			.n_out = 1,
			.out = &y,
			.params = &s,
			.reads_in = 1},
		sizeof(s));
}

tensor attention(struct program *p, tensor qkv, int64_t heads, int causal, tensor segments)
{
	int64_t B = qkv->shape[0], L = qkv->shape[1], C = tensor_last(qkv) / 3;
	struct attention s = {B, L, heads, heads > 0 ? C / heads : 0, causal};
	tensor out[2];

	if (program_failed(p))
		return qkv;
	if (qkv->dims != 3 || heads < 1 || 3 * heads * s.dim != tensor_last(qkv))
		return program_refuse(p, "attention: %s is not (B, L, 3 C) with %lld heads",
			shape_text(qkv->dims, qkv->shape), (long long)heads);
	if (segments && (segments->type != TYPE_I32 || segments->dims != 2 ||
				segments->shape[0] != B || segments->shape[1] != L))
		return program_refuse(p, "attention: segments %s do not fit %s",
			shape_text(segments->dims, segments->shape),
			shape_text(qkv->dims, qkv->shape));
	out[0] = program_tensor(p, TYPE_REAL, 3, (int64_t[]){B, L, C});
	out[1] = program_tensor(p, TYPE_REAL, 4, (int64_t[]){B, heads, L, 2});
	return program_call(p,
		&(struct call){.op = OP_attention,
			.n_in = 2,
			.in = (tensor[]){qkv, segments},
			.n_out = 1,
			.n_kept = 1,
			.out = out,
			.params = &s,
			.reads_in = 1 | 2,
			.reads_out = 1 | 2},
		sizeof(s));
}
