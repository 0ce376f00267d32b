/*
 * Planning: who lives when, and where.
 *
 * Forward of call i happens at time i, its backward at time 2n - 1 - i. A tensor's values live
 * from the call that makes them to the last call that reads them, in either direction; a gradient
 * lives from its first writer to the backward of its producer. Lifetimes that do not meet may share
 * memory: largest first, each at the lowest offset free of those that overlap it in time.
 */
#include "lib/program/internal.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

#include <stdlib.h>
#include <string.h>

#define ALIGN 64

struct span {
	int from, to; /* times, both included */
	int64_t size; /* bytes */
	int64_t *offset;
};

static int has_memory(const struct tensor *t)
{
	return !(t->flags & (TENSOR_PARAM | TENSOR_INPUT | TENSOR_EXTERNAL));
}

/* Last to first: which calls take part in backward, and who sets and who adds. */
static void plan_backward(struct program *p, char *written)
{
	/* a parameter's gradient is added to from the start: the caller clears it once a step */
	for (int i = 0; i < p->n_tensors; i++)
		written[i] = (p->tensors[i]->flags & (TENSOR_SEED | TENSOR_PARAM)) != 0;
	for (int i = p->n_calls - 1; i >= 0; i--) {
		struct call *c = &p->calls[i];
		int wanted = 0;

		c->live = 0;
		for (int j = 0; j < c->n_in; j++)
			if (c->in[j] && c->in[j]->flags & TENSOR_GRAD)
				wanted = 1;
		for (int j = 0; j < c->n_out; j++)
			if (wanted && written[c->out[j]->id])
				c->live = 1;
		if (!c->live)
			continue;
		c->acc = 0;
		c->zero_dy = 0;
		for (int j = 0; j < c->n_out; j++)
			if (!written[c->out[j]->id]) {
				c->zero_dy |= 1 << j;
				written[c->out[j]->id] = 1;
			}
		for (int j = 0; j < c->n_in; j++) {
			if (!c->in[j] || !(c->in[j]->flags & TENSOR_GRAD))
				continue;
			if (written[c->in[j]->id])
				c->acc |= (uint64_t)1 << j;
			written[c->in[j]->id] = 1;
		}
	}
}

/* The time at which the gradient of t is first written, or -1. */
static void gradient_starts(const struct program *p, int *start)
{
	for (int i = 0; i < p->n_tensors; i++)
		start[i] = p->tensors[i]->flags & TENSOR_SEED ? p->n_calls : -1;
	for (int i = p->n_calls - 1; i >= 0; i--) {
		const struct call *c = &p->calls[i];
		int now = backward_time(p, i);

		if (!c->live)
			continue;
		for (int j = 0; j < c->n_out; j++)
			if (start[c->out[j]->id] < 0)
				start[c->out[j]->id] = now;
		for (int j = 0; j < c->n_in; j++)
			if (c->in[j] && c->in[j]->flags & TENSOR_GRAD && start[c->in[j]->id] < 0)
				start[c->in[j]->id] = now;
	}
}

static void value_ends(const struct program *p, int *end)
{
	for (int i = 0; i < p->n_tensors; i++)
		end[i] = p->tensors[i]->flags & TENSOR_KEEP ? 2 * p->n_calls
							    : p->tensors[i]->producer;
	for (int i = 0; i < p->n_calls; i++) {
		const struct call *c = &p->calls[i];
		int back = backward_time(p, i);

		for (int j = 0; j < c->n_in; j++) {
			int last = c->live && c->reads_in >> j & 1 ? back : i;

			if (c->in[j] && end[c->in[j]->id] < last)
				end[c->in[j]->id] = last;
		}
		for (int j = 0; j < c->n_out + c->n_kept; j++)
			if (c->out[j] && c->live && c->reads_out >> j & 1 &&
				end[c->out[j]->id] < back)
				end[c->out[j]->id] = back;
	}
}

static int larger(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return x->from != y->from ? x->from - y->from
				  : (x->offset > y->offset) - (x->offset < y->offset);
}

static int by_offset(const void *a, const void *b)
{
	const struct span *x = *(const struct span *const *)a, *y = *(const struct span *const *)b;

	return (*x->offset > *y->offset) - (*x->offset < *y->offset);
}

/* Gives every span its offset; returns the bytes used, or -1. */
static int64_t place(struct span *spans, int n)
{
	const struct span **near = memory_new(n + 1, sizeof(*near));
	int64_t top = 0;

	if (!near)
		return -1;
	qsort(spans, n, sizeof(*spans), larger);
	for (int i = 0; i < n; i++) {
		struct span *s = &spans[i];
		int64_t at = 0;
		int m = 0;

		for (int j = 0; j < i; j++)
			if (spans[j].from <= s->to && s->from <= spans[j].to)
				near[m++] = &spans[j];
		qsort(near, m, sizeof(*near), by_offset);
		for (int j = 0; j < m; j++) {
			if (*near[j]->offset >= at + s->size)
				break;
			if (at < *near[j]->offset + near[j]->size)
				at = *near[j]->offset + near[j]->size;
		}
		*s->offset = at;
		if (top < at + s->size)
			top = at + s->size;
	}
	free(near);
	return top;
}

static int64_t padded(int64_t bytes)
{
	return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* One span per tensor with values in the block, one per gradient. */
static int collect(struct program *p, const int *start, const int *end, struct span *spans)
{
	int n = 0;

	for (int i = 0; i < p->n_tensors; i++) {
		tensor t = p->tensors[i];
		int last = t->producer >= 0 ? backward_time(p, t->producer) : 2 * p->n_calls;
		int64_t values = padded(t->count * type_size(t->type));

		if (has_memory(t) && t->producer >= 0) {
			spans[n++] = (struct span){t->producer, end[i], values, &t->offset};
			p->memory.activations += values;
		}
		if (!(t->flags & TENSOR_GRAD) || t->flags & TENSOR_PARAM || start[i] < 0)
			continue;
		if (t->flags & TENSOR_KEEP_GRAD)
			last = 2 * p->n_calls;
		spans[n++] = (struct span){start[i], last, values, &t->grad_offset};
		p->memory.gradients += values;
	}
	return n;
}

static void plan_work(struct program *p)
{
	int64_t most = 0;

	for (int i = 0; i < p->n_calls; i++) {
		const struct call *c = &p->calls[i];
		const struct op_impl *op = p->device->ops[c->op];

		for (int back = 0; op->work && back <= c->live; back++) {
			int64_t need = op->work(c, back);

			if (most < need)
				most = need;
		}
	}
	p->work_bytes = padded(most * sizeof(real));
}

static void plan_own(struct program *p)
{
	for (int i = 0; i < p->n_tensors; i++)
		if (p->tensors[i]->flags & TENSOR_INPUT) {
			p->tensors[i]->offset = p->own_bytes;
			p->own_bytes +=
				padded(p->tensors[i]->count * type_size(p->tensors[i]->type));
		}
}

int program_plan(struct program *p, const struct device *device)
{
	int *start, *end, status = STATUS_SYSTEM;
	struct span *spans;
	char *written;
	int64_t top;

	if (p->failed)
		return error(p->failed, "%s", p->failure);
	for (int i = 0; i < p->n_calls; i++)
		if (!device->ops[p->calls[i].op])
			return error(STATUS_UNAVAILABLE,
				"op %s has no form for %s: --device cpu has it",
				op_name(p->calls[i].op), device->name);
	p->device = device;
	start = memory_new(p->n_tensors + 1, sizeof(*start));
	end = memory_new(p->n_tensors + 1, sizeof(*end));
	written = memory_new(p->n_tensors + 1, 1);
	spans = memory_new(2 * p->n_tensors + 1, sizeof(*spans));
	if (start && end && written && spans) {
		plan_backward(p, written);
		gradient_starts(p, start);
		value_ends(p, end);
		top = place(spans, collect(p, start, end, spans));
		plan_work(p);
		plan_own(p);
		p->work_offset = top;
		p->block_bytes = top + p->work_bytes;
		p->memory.inputs = p->own_bytes;
		p->memory.work = p->work_bytes;
		p->memory.block = p->block_bytes;
		p->memory.calls = p->n_calls;
		status = top < 0 ? STATUS_SYSTEM : 0;
	}
	free(start);
	free(end);
	free(written);
	free(spans);
	return status;
}

size_t program_bytes(const struct program *p)
{
	return p->block_bytes;
}

void program_memory(const struct program *p, struct program_memory *m)
{
	*m = p->memory;
}

static int bind_param(tensor t)
{
	const struct param *param = t->param;

	if (!param->data)
		return error(STATUS_BUG, "%s: the model was not allocated before program_bind",
			param->name);
	t->data = param->data + t->param_offset;
	t->grad = param->grad ? param->grad + t->param_offset : NULL;
	t->half = NULL;
	if (param->model->half && !(param->flags & PARAM_BUFFER))
		t->half = (uint16_t *)param->model->half + param->offset + t->param_offset;
	if (t->flags & TENSOR_GRAD && !t->grad)
		return error(
			STATUS_BUG, "%s: the model was allocated without gradients", param->name);
	return 0;
}

static int note_model(struct program *p, struct model *m)
{
	struct model **grown;

	for (int i = 0; i < p->n_models; i++)
		if (p->models[i] == m)
			return 0;
	grown = memory_grow(p->models, p->n_models + 1, sizeof(*grown));
	if (!grown)
		return STATUS_SYSTEM;
	p->models = grown;
	p->models[p->n_models++] = m;
	return 0;
}

int program_bind(struct program *p, void *block)
{
	program_graphs_free(p);
	p->block = block;
	if (p->own_bytes && !p->own) {
		p->own = p->device->alloc(p->own_bytes);
		if (!p->own)
			return STATUS_SYSTEM;
	}
	for (int i = 0; i < p->n_tensors; i++) {
		tensor t = p->tensors[i];

		if (t->flags & TENSOR_PARAM) {
			TRY(bind_param(t));
			TRY(note_model(p, t->param->model));
			continue;
		}
		if (t->flags & TENSOR_INPUT)
			t->data = p->own + t->offset;
		else if (!(t->flags & TENSOR_EXTERNAL))
			t->data = t->offset >= 0 ? p->block + t->offset : NULL;
		t->grad = t->grad_offset >= 0 ? p->block + t->grad_offset : NULL;
	}
	for (int i = 0; i < p->n_tables; i++) {
		tensor t = p->tensors[p->table_ids[i]];

		p->device->put(t->data, p->tables[i], t->count * sizeof(int32_t));
	}
	return 0;
}
