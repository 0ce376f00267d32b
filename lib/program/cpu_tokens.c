#include "lib/program/op.h"
#include "kernels/clip_rows.h"
#include "kernels/concat.h"
#include "kernels/embedding.h"
#include "kernels/merge_patches.h"
#include "kernels/patches.h"
#include "kernels/residual.h"
#include "kernels/split.h"
#include "kernels/tokens.h"
#include "kernels/weighted_sum.h"

static void embedding_fwd(const struct call *c, const struct run *r)
{
	embedding_forward(c->params, call_out(c, 0), c->in[0]->data, call_in(c, 1));
}

static void embedding_bwd(const struct call *c, const struct run *r)
{
	if (call_dx(c, 1))
		embedding_backward(c->params, call_dx(c, 1), call_dy(c, 0), c->in[0]->data);
}

const struct op_impl cpu_embedding = {"embedding", embedding_fwd, embedding_bwd, NULL};

static void insert_fwd(const struct call *c, const struct run *r)
{
	insert_token_forward(c->params, call_out(c, 0), call_in(c, 0), call_in(c, 1));
}

static void insert_bwd(const struct call *c, const struct run *r)
{
	insert_token_backward(
		c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1), call_dy(c, 0));
}

const struct op_impl cpu_insert_token = {"insert_token", insert_fwd, insert_bwd, NULL};

static void rows_fwd(const struct call *c, const struct run *r)
{
	add_rows_forward(c->params, call_out(c, 0), call_in(c, 0), call_in(c, 1));
}

static void rows_bwd(const struct call *c, const struct run *r)
{
	add_rows_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1), call_dy(c, 0));
}

const struct op_impl cpu_add_rows = {"add_rows", rows_fwd, rows_bwd, NULL};

static void clip_fwd(const struct call *c, const struct run *r)
{
	clip_rows_forward(c->params, call_out(c, 0), call_in(c, 0), call_in(c, 1), call_in(c, 2));
}

static void clip_bwd(const struct call *c, const struct run *r)
{
	clip_rows_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1), call_dx(c, 2),
		call_dy(c, 0));
}

const struct op_impl cpu_clip_rows = {"clip_rows", clip_fwd, clip_bwd, NULL};

static void slice_fwd(const struct call *c, const struct run *r)
{
	slice_tokens_forward(c->params, call_out(c, 0), call_in(c, 0));
}

static void slice_bwd(const struct call *c, const struct run *r)
{
	slice_tokens_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dy(c, 0));
}

const struct op_impl cpu_slice_tokens = {"slice_tokens", slice_fwd, slice_bwd, NULL};

static void mean_fwd(const struct call *c, const struct run *r)
{
	mean_tokens_forward(c->params, call_out(c, 0), call_in(c, 0));
}

static void mean_bwd(const struct call *c, const struct run *r)
{
	mean_tokens_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dy(c, 0));
}

const struct op_impl cpu_mean_tokens = {"mean_tokens", mean_fwd, mean_bwd, NULL};

static void pool_fwd(const struct call *c, const struct run *r)
{
	pool_tokens_forward(c->params, call_out(c, 0), call_in(c, 0));
}

static void pool_bwd(const struct call *c, const struct run *r)
{
	pool_tokens_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dy(c, 0));
}

const struct op_impl cpu_pool_tokens = {"pool_tokens", pool_fwd, pool_bwd, NULL};

static void permute_fwd(const struct call *c, const struct run *r)
{
	permute_tokens_forward(c->params, call_out(c, 0), call_in(c, 0), c->in[1]->data);
}

static void permute_bwd(const struct call *c, const struct run *r)
{
	permute_tokens_backward(
		c->params, call_dx(c, 0), call_acc(c, 0), call_dy(c, 0), c->in[1]->data);
}

const struct op_impl cpu_permute_tokens = {"permute_tokens", permute_fwd, permute_bwd, NULL};

static void concat_fwd(const struct call *c, const struct run *r)
{
	const real *x[CONCAT_MAX];

	for (int i = 0; i < c->n_in; i++)
		x[i] = call_in(c, i);
	concat_tokens_forward(c->params, call_out(c, 0), x);
}

static void concat_bwd(const struct call *c, const struct run *r)
{
	real *dx[CONCAT_MAX];

	for (int i = 0; i < c->n_in; i++)
		dx[i] = call_dx(c, i);
	concat_tokens_backward(c->params, dx, c->acc, call_dy(c, 0));
}

const struct op_impl cpu_concat_tokens = {"concat_tokens", concat_fwd, concat_bwd, NULL};

static void patches_fwd(const struct call *c, const struct run *r)
{
	patches_forward(c->params, call_out(c, 0), call_in(c, 0));
}

static void patches_bwd(const struct call *c, const struct run *r)
{
	patches_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dy(c, 0));
}

const struct op_impl cpu_patches = {"patches", patches_fwd, patches_bwd, NULL};

static void merge_fwd(const struct call *c, const struct run *r)
{
	merge_patches_forward(c->params, call_out(c, 0), call_in(c, 0));
}

static void merge_bwd(const struct call *c, const struct run *r)
{
	merge_patches_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dy(c, 0));
}

const struct op_impl cpu_merge_patches = {"merge_patches", merge_fwd, merge_bwd, NULL};

static struct drop_path drop_of(const struct run *r)
{
	return (struct drop_path){r->step->seed, r->step->step, r->step->first_sample};
}

static void residual_fwd(const struct call *c, const struct run *r)
{
	struct drop_path drop = drop_of(r);

	residual_forward(
		c->params, call_out(c, 0), call_in(c, 0), call_in(c, 1), r->train ? &drop : NULL);
}

static void residual_bwd(const struct call *c, const struct run *r)
{
	struct drop_path drop = drop_of(r);

	residual_backward(c->params, call_dx(c, 0), call_acc(c, 0), call_dx(c, 1), call_acc(c, 1),
		call_dy(c, 0), r->train ? &drop : NULL);
}

const struct op_impl cpu_residual = {"residual", residual_fwd, residual_bwd, NULL};

static void split_fwd(const struct call *c, const struct run *r)
{
	real *y[SPLIT_MAX];

	for (int i = 0; i < c->n_out; i++)
		y[i] = call_out(c, i);
	split_forward(c->params, y, call_in(c, 0));
}

static void split_bwd(const struct call *c, const struct run *r)
{
	const real *dy[SPLIT_MAX];

	for (int i = 0; i < c->n_out; i++)
		dy[i] = call_dy(c, i);
	split_backward(c->params, call_dx(c, 0), call_acc(c, 0), dy);
}

const struct op_impl cpu_split = {"split", split_fwd, split_bwd, NULL};

static void sum_fwd(const struct call *c, const struct run *r)
{
	const real *x[WEIGHTED_SUM_MAX];

	for (int i = 0; i < c->n_in; i++)
		x[i] = call_in(c, i);
	weighted_sum_forward(c->params, call_out(c, 0), x);
}

static void sum_bwd(const struct call *c, const struct run *r)
{
	real *dx[WEIGHTED_SUM_MAX];

	for (int i = 0; i < c->n_in; i++)
		dx[i] = call_dx(c, i);
	weighted_sum_backward(c->params, dx, c->acc, call_dy(c, 0));
}

const struct op_impl cpu_weighted_sum = {"weighted_sum", sum_fwd, sum_bwd, NULL};
