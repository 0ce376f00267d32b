#include "kernels/clip_rows_cuda.h"
#include "kernels/concat_cuda.h"
#include "kernels/elementwise_cuda.h"
#include "kernels/embedding_cuda.h"
#include "kernels/merge_patches_cuda.h"
#include "kernels/tokens_cuda.h"
#include "lib/cuda/cuda.h"

#define OP_ROW(name) const struct op_impl cuda_##name = {#name, name##_fwd, name##_bwd, 0}

static void embedding_fwd(const struct call *c, const struct run *r)
{
	embedding_cuda(c->params, array_out(c, 0), table_in(c, 0), array_in(c, 1));
}

static void embedding_bwd(const struct call *c, const struct run *r)
{
	if (call_dx(c, 1))
		embedding_cuda_backward(c->params, call_dx(c, 1), array_dy(c, 0), table_in(c, 0));
}

OP_ROW(embedding);

static void insert_token_fwd(const struct call *c, const struct run *r)
{
	insert_token_cuda(c->params, array_out(c, 0), array_in(c, 0), array_in(c, 1));
}

static void insert_token_bwd(const struct call *c, const struct run *r)
{
	if (array_dx(c, 0).data)
		insert_token_cuda_x(c->params, array_dx(c, 0), call_acc(c, 0), array_dy(c, 0));
	if (array_dx(c, 1).data)
		insert_token_cuda_token(c->params, array_dx(c, 1).data, array_dy(c, 0));
}

OP_ROW(insert_token);

static void add_rows_fwd(const struct call *c, const struct run *r)
{
	add_rows_cuda(c->params, array_out(c, 0), array_in(c, 0), array_in(c, 1));
}

static void add_rows_bwd(const struct call *c, const struct run *r)
{
	if (array_dx(c, 0).data)
		scale_cuda(array_dx(c, 0), call_acc(c, 0), array_dy(c, 0), c->in[0]->count, 1);
	if (array_dx(c, 1).data)
		add_rows_cuda_rows(c->params, array_dx(c, 1).data, array_dy(c, 0));
}

OP_ROW(add_rows);

static void clip_rows_fwd(const struct call *c, const struct run *r)
{
	clip_rows_cuda(c->params, array_out(c, 0), array_in(c, 0), array_in(c, 1), array_in(c, 2));
}

static void clip_rows_bwd(const struct call *c, const struct run *r)
{
	if (array_dx(c, 0).data)
		scale_cuda(array_dx(c, 0), call_acc(c, 0), array_dy(c, 0), c->in[0]->count, 1);
	if (array_dx(c, 1).data)
		clip_rows_cuda_rows(c->params, array_dx(c, 1).data, array_dy(c, 0));
	if (array_dx(c, 2).data)
		clip_rows_cuda_times(c->params, array_dx(c, 2).data, array_dy(c, 0));
}

OP_ROW(clip_rows);

static void slice_tokens_fwd(const struct call *c, const struct run *r)
{
	slice_tokens_cuda(c->params, array_out(c, 0), array_in(c, 0));
}

static void slice_tokens_bwd(const struct call *c, const struct run *r)
{
	if (array_dx(c, 0).data)
		slice_tokens_cuda_backward(
			c->params, array_dx(c, 0), call_acc(c, 0), array_dy(c, 0));
}

OP_ROW(slice_tokens);

static void mean_tokens_fwd(const struct call *c, const struct run *r)
{
	mean_tokens_cuda(c->params, array_out(c, 0), array_in(c, 0));
}

static void mean_tokens_bwd(const struct call *c, const struct run *r)
{
	if (array_dx(c, 0).data)
		mean_tokens_cuda_backward(
			c->params, array_dx(c, 0), call_acc(c, 0), array_dy(c, 0));
}

OP_ROW(mean_tokens);

static void pool_tokens_fwd(const struct call *c, const struct run *r)
{
	pool_tokens_cuda(c->params, array_out(c, 0), array_in(c, 0));
}

static void pool_tokens_bwd(const struct call *c, const struct run *r)
{
	if (array_dx(c, 0).data)
		pool_tokens_cuda_backward(
			c->params, array_dx(c, 0), call_acc(c, 0), array_dy(c, 0));
}

OP_ROW(pool_tokens);

static void permute_tokens_fwd(const struct call *c, const struct run *r)
{
	permute_tokens_cuda(c->params, array_out(c, 0), array_in(c, 0), table_in(c, 1), 0, 0);
}

static void permute_tokens_bwd(const struct call *c, const struct run *r)
{
	if (array_dx(c, 0).data)
		permute_tokens_cuda(c->params, array_dy(c, 0), array_dx(c, 0), table_in(c, 1), 1,
			call_acc(c, 0));
}

OP_ROW(permute_tokens);

static void concat_tokens_fwd(const struct call *c, const struct run *r)
{
	const struct concat *p = c->params;
	int64_t from = 0;

	for (int i = 0; i < p->n; from += p->len[i++])
		concat_tokens_cuda(p, array_out(c, 0), array_in(c, i), from, p->len[i]);
}

static void concat_tokens_bwd(const struct call *c, const struct run *r)
{
	const struct concat *p = c->params;
	int64_t from = 0;

	for (int i = 0; i < p->n; from += p->len[i++])
		if (array_dx(c, i).data)
			concat_tokens_cuda_backward(
				p, array_dx(c, i), call_acc(c, i), array_dy(c, 0), from, p->len[i]);
}

OP_ROW(concat_tokens);

static void merge_patches_fwd(const struct call *c, const struct run *r)
{
	merge_patches_cuda(c->params, array_out(c, 0), array_in(c, 0));
}

static void merge_patches_bwd(const struct call *c, const struct run *r)
{
	if (array_dx(c, 0).data)
		merge_patches_cuda_backward(
			c->params, array_dx(c, 0), call_acc(c, 0), array_dy(c, 0));
}

OP_ROW(merge_patches);
