#include "lib/program/ops.h"
#include "lib/base/memory.h"
#include "kernels/clip_rows.h"
#include "kernels/concat.h"
#include "kernels/embedding.h"
#include "kernels/merge_patches.h"
#include "kernels/patches.h"
#include "kernels/residual.h"
#include "kernels/split.h"
#include "kernels/tokens.h"
#include "kernels/weighted_sum.h"

#include <stdlib.h>
#include <string.h>

/* (B, L, C), and the kernel's sizes of it; NULL, or the refusal */
static tensor tokens_of(struct program *p, const char *op, tensor x, struct tokens *s)
{
	if (x->dims != 3 || (x->type != TYPE_REAL && x->type != TYPE_BF16))
		return program_refuse(
			p, "%s: %s is not (B, L, C)", op, shape_text(x->dims, x->shape));
	*s = (struct tokens){.batch = x->shape[0], .len = x->shape[1], .dim = x->shape[2]};
	return NULL;
}

static tensor tokens_call(struct program *p, enum op_id op, tensor x, tensor other, uint64_t adds,
	tensor y, const struct tokens *s)
{
	return program_call(p,
		&(struct call){.op = op,
			.n_in = other ? 2 : 1,
			.in = (tensor[]){x, other},
			.n_out = 1,
			.out = &y,
			.params = s,
			.adds = adds},
		sizeof(*s));
}

tensor embedding(struct program *p, tensor ids, tensor table)
{
	struct embedding s = {ids->count, table->shape[0], tensor_last(table)};
	int64_t shape[TENSOR_DIMS];
	tensor y;

	if (program_failed(p))
		return ids;
	if (ids->type != TYPE_I32 || ids->dims >= TENSOR_DIMS || table->dims != 2)
		return program_refuse(p, "embedding: %s are no numbers of rows of %s",
			shape_text(ids->dims, ids->shape), shape_text(table->dims, table->shape));
	memcpy(shape, ids->shape, ids->dims * sizeof(*shape));
	shape[ids->dims] = s.dim;
	y = program_tensor(p, TYPE_REAL, ids->dims + 1, shape);
	return program_call(p,
		&(struct call){.op = OP_embedding,
			.n_in = 2,
			.in = (tensor[]){ids, table},
			.n_out = 1,
			.out = &y,
			.params = &s,
			.reads_in = 1,
			.adds = 2},
		sizeof(s));
}

tensor insert_token(struct program *p, tensor x, tensor token, int64_t index)
{
	struct tokens s;
	tensor bad;

	if (program_failed(p))
		return x;
	if ((bad = tokens_of(p, "insert_token", x, &s)))
		return bad;
	if (token->count != s.dim || tensor_last(token) != s.dim)
		return program_refuse(p, "insert_token: the token %s does not fit %s",
			shape_text(token->dims, token->shape), shape_text(x->dims, x->shape));
	if (index < 0 || index > s.len)
		return program_refuse(p, "insert_token: index %lld of %lld tokens",
			(long long)index, (long long)s.len);
	s.from = index;
	return tokens_call(p, OP_insert_token, x, token, 2,
		program_tensor(p, TYPE_REAL, 3, (int64_t[]){s.batch, s.len + 1, s.dim}), &s);
}

tensor add_rows(struct program *p, tensor x, tensor rows)
{
	struct tokens s;
	tensor bad;

	if (program_failed(p))
		return x;
	if ((bad = tokens_of(p, "add_rows", x, &s)))
		return bad;
	if (rows->count != s.len * s.dim || tensor_last(rows) != s.dim)
		return program_refuse(p, "add_rows: rows %s do not fit %s",
			shape_text(rows->dims, rows->shape), shape_text(x->dims, x->shape));
	return tokens_call(
		p, OP_add_rows, x, rows, 2, program_tensor(p, TYPE_REAL, 3, x->shape), &s);
}

tensor clip_rows(struct program *p, tensor x, tensor rows, tensor times, int64_t before)
{
	struct clip_rows s = {.before = before};
	tensor y;

	if (program_failed(p))
		return x;
	s.batch = x->shape[0];
	s.dim = tensor_last(x);
	s.frames = times->count / s.dim;
	s.n = rows->count / s.dim - before;
	if (x->dims != 3 || tensor_last(rows) != s.dim || tensor_last(times) != s.dim ||
		before < 0 || s.n < 1 || before + s.frames * s.n != x->shape[1])
		return program_refuse(p, "clip_rows: rows %s and times %s do not fit %s",
			shape_text(rows->dims, rows->shape), shape_text(times->dims, times->shape),
			shape_text(x->dims, x->shape));
	y = program_tensor(p, TYPE_REAL, 3, x->shape);
	return program_call(p,
		&(struct call){.op = OP_clip_rows,
			.n_in = 3,
			.in = (tensor[]){x, rows, times},
			.n_out = 1,
			.out = &y,
			.params = &s,
			.adds = 6},
		sizeof(s));
}

tensor slice_tokens(struct program *p, tensor x, int64_t from, int64_t n)
{
	struct tokens s;
	tensor bad;

	if (program_failed(p))
		return x;
	if ((bad = tokens_of(p, "slice_tokens", x, &s)))
		return bad;
	if (from < 0 || n < 1 || n > s.len || from > s.len - n)
		return program_refuse(p, "slice_tokens: %lld tokens from %lld of %lld",
			(long long)n, (long long)from, (long long)s.len);
	s.from = from;
	s.n = n;
	return tokens_call(p, OP_slice_tokens, x, NULL, 0,
		program_tensor(p, TYPE_REAL, 3, (int64_t[]){s.batch, n, s.dim}), &s);
}

tensor mean_tokens(struct program *p, tensor x)
{
	struct tokens s;
	tensor bad;

	if (program_failed(p))
		return x;
	if ((bad = tokens_of(p, "mean_tokens", x, &s)))
		return bad;
	return tokens_call(p, OP_mean_tokens, x, NULL, 0,
		program_tensor(p, TYPE_REAL, 2, (int64_t[]){s.batch, s.dim}), &s);
}

tensor pool_tokens(struct program *p, tensor x, int64_t height, int64_t width, int64_t f)
{
	int64_t shape[TENSOR_DIMS];
	struct tokens s;

	if (program_failed(p))
		return x;
	if (x->dims < 2 || height < 1 || width < 1 || f < 1 || height % f || width % f ||
		x->shape[x->dims - 2] / width != height || x->shape[x->dims - 2] % width)
		return program_refuse(p,
			"pool_tokens: %s is not a grid of %lld x %lld in blocks of %lld",
			shape_text(x->dims, x->shape), (long long)height, (long long)width,
			(long long)f);
	s = (struct tokens){.batch = x->count / (height * width * tensor_last(x)),
		.len = height * width,
		.dim = tensor_last(x),
		.height = height,
		.width = width,
		.block = f};
	memcpy(shape, x->shape, sizeof(shape));
	shape[x->dims - 2] /= f * f;
	return tokens_call(
		p, OP_pool_tokens, x, NULL, 0, program_tensor(p, TYPE_REAL, x->dims, shape), &s);
}

static int is_permutation(const int32_t *order, int64_t n)
{
	char *seen = memory_new(n, 1);
	int good = seen != NULL;

	for (int64_t i = 0; good && i < n; i++) {
		good = order[i] >= 0 && order[i] < n && !seen[order[i]];
		if (good)
			seen[order[i]] = 1;
	}
	free(seen);
	return good;
}

tensor permute_tokens(struct program *p, tensor x, const int32_t *order)
{
	struct tokens s;
	tensor bad;

	if (program_failed(p))
		return x;
	if ((bad = tokens_of(p, "permute_tokens", x, &s)))
		return bad;
	if (!is_permutation(order, s.len))
		return program_refuse(
			p, "permute_tokens: the order is no permutation of %lld", (long long)s.len);
	return tokens_call(p, OP_permute_tokens, x, program_table(p, order, s.len), 0,
		program_tensor(p, TYPE_REAL, 3, x->shape), &s);
}

tensor concat_tokens(struct program *p, int n, const tensor *x, real scale)
{
	struct concat s = {.n = n, .scale = scale};
	tensor y;

	if (n < 1 || n > CONCAT_MAX)
		return program_refuse(p, "concat_tokens: %d tensors, at most %d", n, CONCAT_MAX);
	if (program_failed(p))
		return x[0];
	s.batch = x[0]->shape[0];
	s.dim = tensor_last(x[0]);
	for (int i = 0; i < n; i++) {
		if (x[i]->dims != 3 || x[i]->shape[0] != s.batch || x[i]->shape[2] != s.dim ||
			x[i]->type != x[0]->type)
			return program_refuse(p, "concat_tokens: %s does not fit %s",
				shape_text(x[i]->dims, x[i]->shape),
				shape_text(x[0]->dims, x[0]->shape));
		s.len[i] = x[i]->shape[1];
		s.all += s.len[i];
	}
	y = program_tensor(p, TYPE_REAL, 3, (int64_t[]){s.batch, s.all, s.dim});
	return program_call(p,
		&(struct call){.op = OP_concat_tokens,
			.n_in = n,
			.in = (tensor *)x,
			.n_out = 1,
			.out = &y,
			.params = &s},
		sizeof(s));
}

tensor patches(struct program *p, tensor image, int64_t k)
{
	struct patches s;
	tensor y;

	if (program_failed(p))
		return image;
	if (image->dims != 4 || k < 1 || image->shape[1] % k || image->shape[2] % k)
		return program_refuse(p, "patches: %s has no whole patches of %lld x %lld",
			shape_text(image->dims, image->shape), (long long)k, (long long)k);
	s = (struct patches){image->shape[0], image->shape[1], image->shape[2], image->shape[3], k};
	y = program_tensor(p, TYPE_REAL, 3,
		(int64_t[]){s.batch, (s.height / k) * (s.width / k), s.dim * k * k});
	return program_call(p,
		&(struct call){.op = OP_patches,
			.n_in = 1,
			.in = &image,
			.n_out = 1,
			.out = &y,
			.params = &s},
		sizeof(s));
}

tensor merge_patches(struct program *p, tensor x, int64_t height, int64_t width)
{
	struct merge_patches s;
	tensor y;

	if (program_failed(p))
		return x;
	if (x->dims != 3 || x->shape[1] != height * width)
		return program_refuse(p, "merge_patches: %s is not a grid of %lld x %lld",
			shape_text(x->dims, x->shape), (long long)height, (long long)width);
	s = (struct merge_patches){x->shape[0], height, width, tensor_last(x)};
	y = program_tensor(p, TYPE_REAL, 3,
		(int64_t[]){s.batch, (height + 1) / 2 * ((width + 1) / 2), 4 * s.dim});
	return program_call(p,
		&(struct call){.op = OP_merge_patches,
			.n_in = 1,
			.in = &x,
			.n_out = 1,
			.out = &y,
			.params = &s},
		sizeof(s));
}

tensor residual(struct program *p, tensor x, tensor branch, real rate, int layer)
{
	/* the mode of the call counts: a frozen teacher in a training program drops nothing */
	real used = program_mode(p) == PROGRAM_TRAIN ? rate : 0;
	struct residual s = {x->shape[0], x->count / x->shape[0], used, layer};
	tensor y;

	if (program_failed(p))
		return x;
	if (x->dims != branch->dims ||
		memcmp(x->shape, branch->shape, x->dims * sizeof(x->shape[0])))
		return program_refuse(p, "residual: %s and %s differ",
			shape_text(x->dims, x->shape), shape_text(branch->dims, branch->shape));
	if (!(rate >= 0 && rate < 1))
		return program_refuse(
			p, "residual: drop path rate %g is not in [0, 1)", (double)rate);
	y = program_tensor(p, TYPE_REAL, x->dims, x->shape);
	return program_call(p,
		&(struct call){.op = OP_residual,
			.n_in = 2,
			.in = (tensor[]){x, branch},
			.n_out = 1,
			.out = &y,
			.params = &s},
		sizeof(s));
}

void split(struct program *p, tensor x, int n, const int64_t *widths, tensor *out)
{
	struct split s = {.rows = tensor_rows(x), .n = n};
	int64_t shape[TENSOR_DIMS];
	tensor bad = NULL;

	if (n < 1 || n > SPLIT_MAX)
		bad = program_refuse(p, "split: %d parts, at most %d", n, SPLIT_MAX);
	for (int i = 0; i < n && !bad; i++) {
		if (widths[i] < 1 || widths[i] > tensor_last(x) - s.width)
			bad = program_refuse(p, "split: part %d, %lld wide, does not fit %s", i,
				(long long)widths[i], shape_text(x->dims, x->shape));
		s.widths[i] = widths[i];
		s.width += widths[i];
	}
	if (!bad && s.width != tensor_last(x))
		bad = program_refuse(p, "split: parts are %lld wide in all, %s is not",
			(long long)s.width, shape_text(x->dims, x->shape));
	memcpy(shape, x->shape, sizeof(shape));
	for (int i = 0; i < n; i++) {
		shape[x->dims - 1] = widths[i];
		out[i] = bad ? bad : program_tensor(p, TYPE_REAL, x->dims, shape);
	}
	if (bad || program_failed(p))
		return;
	program_call(p,
		&(struct call){
			.op = OP_split, .n_in = 1, .in = &x, .n_out = n, .out = out, .params = &s},
		sizeof(s));
}

tensor weighted_sum(struct program *p, int n, const tensor *scalars, const real *coefs)
{
	struct weighted_sum s = {.n = n};
	tensor y;

	if (n < 1 || n > WEIGHTED_SUM_MAX)
		return program_refuse(p, "weighted_sum: %d terms, at most %d", n, WEIGHTED_SUM_MAX);
	for (int i = 0; i < n; i++) {
		if (scalars[i]->count != 1)
			return program_refuse(p, "weighted_sum: term %d is %s, not a scalar", i,
				shape_text(scalars[i]->dims, scalars[i]->shape));
		s.coefs[i] = coefs[i];
	}
	y = program_tensor(p, TYPE_REAL, 1, (int64_t[]){1});
	return program_call(p,
		&(struct call){.op = OP_weighted_sum,
			.n_in = n,
			.in = (tensor *)scalars,
			.n_out = 1,
			.out = &y,
			.params = &s},
		sizeof(s));
}
