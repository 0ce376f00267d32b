#include "lib/program/program.h"
#include "lib/program/internal.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct program *program_new(enum program_mode mode)
{
	struct program *p = memory_new(1, sizeof(*p));

	if (p)
		p->mode = mode;
	return p;
}

void program_free(struct program *p)
{
	if (!p)
		return;
	program_graphs_free(p);
	for (int i = 0; i < p->n_tensors; i++)
		free(p->tensors[i]);
	for (int i = 0; i < p->n_calls; i++) {
		free(p->calls[i].in);
		free((void *)p->calls[i].params);
	}
	for (int i = 0; i < p->n_scopes; i++)
		free(p->scopes[i]);
	for (int i = 0; i < p->n_tables; i++)
		free((void *)p->tables[i]);
	if (p->own)
		p->device->release(p->own);
	free(p->tensors);
	free(p->calls);
	free(p->scopes);
	free(p->tables);
	free(p->models);
	free(p->table_ids);
	free(p);
}

enum program_mode program_mode(const struct program *p)
{
	return p->mode;
}

void program_set_mode(struct program *p, enum program_mode mode)
{
	p->mode = mode;
}

void program_set_half(struct program *p, int half)
{
	p->half = half;
}

int program_half(const struct program *p)
{
	return p->half;
}

int program_failed(const struct program *p)
{
	return p->failed;
}

static void fail(struct program *p, int status)
{
	if (p->failed)
		return;
	p->failed = status;
	snprintf(p->failure, sizeof(p->failure), "%s", error_message());
}

/* Room for one more of size bytes in an array; 0 or the status. */
static int room_for(void *array, int count, int *room, size_t size)
{
	void **a = array, *grown;

	if (count < *room)
		return 0;
	grown = memory_grow(*a, *room ? *room * 2 : 64, size);
	if (!grown)
		return STATUS_SYSTEM;
	*a = grown;
	*room = *room ? *room * 2 : 64;
	return 0;
}

/* A string that lives as long as the program. */
static const char *keep_text(struct program *p, char *text)
{
	if (!text || room_for(&p->scopes, p->n_scopes, &p->room_scopes, sizeof(char *))) {
		fail(p, STATUS_SYSTEM);
		free(text);
		return "";
	}
	p->scopes[p->n_scopes++] = text;
	return text;
}

void program_scope(struct program *p, const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	p->scope = (char *)keep_text(p, memory_string(text));
}

tensor program_tensor(struct program *p, enum type type, int dims, const int64_t *shape)
{
	static struct tensor none = {.dims = 1, .shape = {1}, .count = 1, .producer = -1};
	tensor t;

	if (room_for(&p->tensors, p->n_tensors, &p->room_tensors, sizeof(tensor)) ||
		!(t = memory_new(1, sizeof(*t)))) {
		fail(p, STATUS_SYSTEM);
		return &none;
	}
	t->name = p->scope ? p->scope : "";
	t->type = type;
	t->dims = dims;
	t->count = 1;
	for (int i = 0; i < dims; i++) {
		t->shape[i] = shape[i];
		if (shape[i] <= 0 || __builtin_mul_overflow(t->count, shape[i], &t->count) ||
			t->count > INT64_MAX / 16) {
			program_refuse(p, "a tensor of shape %s: sizes must be positive and fit",
				shape_text(dims, shape));
			t->count = 1;
			break;
		}
	}
	t->producer = -1;
	t->offset = t->grad_offset = -1;
	t->id = p->n_tensors;
	p->tensors[p->n_tensors++] = t;
	return t;
}

tensor program_input(
	struct program *p, const char *name, enum type type, int dims, const int64_t *shape)
{
	tensor t = program_tensor(p, type, dims, shape);

	t->flags |= TENSOR_INPUT;
	t->name = keep_text(p, memory_string(name));
	return t;
}

tensor program_input_grad(struct program *p, const char *name, int dims, const int64_t *shape)
{
	tensor t = program_input(p, name, TYPE_REAL, dims, shape);

	t->flags |= TENSOR_GRAD | TENSOR_KEEP_GRAD;
	return t;
}

tensor program_external(
	struct program *p, const char *name, enum type type, int64_t count, void *data)
{
	tensor t = program_tensor(p, type, 1, &count);

	t->flags |= TENSOR_EXTERNAL;
	t->name = keep_text(p, memory_string(name));
	t->data = data;
	return t;
}

tensor program_table(struct program *p, const int32_t *values, int64_t count)
{
	tensor t = program_tensor(p, TYPE_I32, 1, &count);
	int32_t *copy = memory_new(count, sizeof(*copy));
	const int32_t **tables = memory_grow(p->tables, p->n_tables + 1, sizeof(*tables));
	int *ids = tables ? memory_grow(p->table_ids, p->n_tables + 1, sizeof(*ids)) : NULL;

	if (tables)
		p->tables = tables;
	if (ids)
		p->table_ids = ids;
	if (!copy || !tables || !ids) {
		fail(p, STATUS_SYSTEM);
		free(copy);
		return t;
	}
	memcpy(copy, values, count * sizeof(*copy));
	t->flags |= TENSOR_INPUT;
	p->tables[p->n_tables] = copy;
	p->table_ids[p->n_tables++] = t->id;
	return t;
}

static tensor param_part(struct program *p, struct param *param, int64_t from, int64_t n)
{
	int64_t shape[TENSOR_DIMS], row = param->count / param->shape[0];
	tensor t;

	for (int i = 0; i < p->n_tensors; i++) {
		t = p->tensors[i];
		if (t->param == param && t->param_offset == from * row && t->shape[0] == n)
			return t;
	}
	memcpy(shape, param->shape, sizeof(shape));
	if (from < 0 || n < 1 || from > shape[0] - n)
		return program_refuse(p, "rows %lld to %lld of %s, which has %lld", (long long)from,
			(long long)(from + n), param->name, (long long)shape[0]);
	shape[0] = n;
	t = program_tensor(p, TYPE_REAL, param->dims, shape);
	t->flags |= TENSOR_PARAM;
	if (p->mode != PROGRAM_EVAL && !(param->flags & (PARAM_FROZEN | PARAM_BUFFER)))
		t->flags |= TENSOR_GRAD;
	t->name = param->name;
	t->param = param;
	t->param_offset = from * row;
	return t;
}

tensor program_param_rows(struct program *p, struct param *param, int64_t from, int64_t n)
{
	return param ? param_part(p, param, from, n) : NULL;
}

tensor program_param(struct program *p, struct param *param)
{
	return param ? param_part(p, param, 0, param->shape[0]) : NULL;
}

tensor program_reshape(struct program *p, tensor t, int dims, const int64_t *shape)
{
	int64_t count = 1;

	if (program_failed(p))
		return t;
	for (int i = 0; i < dims; i++)
		if (shape[i] <= 0 || __builtin_mul_overflow(count, shape[i], &count))
			count = -1;
	if (dims > TENSOR_DIMS || count != t->count)
		return program_refuse(p, "reshape: %s does not hold as many values as %s",
			shape_text(t->dims, t->shape), shape_text(dims, shape));
	t->dims = dims;
	memcpy(t->shape, shape, dims * sizeof(*shape));
	return t;
}

tensor program_keep(struct program *p, tensor t, const char *name)
{
	t->flags |= TENSOR_KEEP;
	t->name = keep_text(p, memory_string(name));
	return t;
}

static int is_table(const struct program *p, int id)
{
	for (int i = 0; i < p->n_tables; i++)
		if (p->table_ids[i] == id)
			return 1;
	return 0;
}

tensor program_find(const struct program *p, const char *name)
{
	for (int i = 0; i < p->n_tensors; i++)
		if (p->tensors[i]->flags & (TENSOR_KEEP | TENSOR_INPUT) &&
			!strcmp(p->tensors[i]->name, name))
			return p->tensors[i];
	return NULL;
}

tensor program_input_at(const struct program *p, int i)
{
	for (int j = 0; j < p->n_tensors; j++)
		if (p->tensors[j]->flags & TENSOR_INPUT && !is_table(p, j) && i-- == 0)
			return p->tensors[j];
	return NULL;
}

void program_loss(struct program *p, tensor t)
{
	if (t->count != 1)
		program_refuse(
			p, "a loss must be one number, this is %s", shape_text(t->dims, t->shape));
	t->flags |= TENSOR_SEED | TENSOR_KEEP | TENSOR_LOSS;
}

void program_seed(struct program *p, tensor t)
{
	t->flags |= TENSOR_SEED | TENSOR_KEEP;
}

tensor program_refuse(struct program *p, const char *format, ...)
{
	const int64_t one = 1;
	char text[384];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	error(STATUS_DATA, "%s%s%s", p->scope && *p->scope ? p->scope : "",
		p->scope && *p->scope ? ": " : "", text);
	fail(p, STATUS_DATA);
	return program_tensor(p, TYPE_REAL, 1, &one);
}

/* Outputs take part in backward if any input does. */
static void mark_gradients(struct program *p, struct call *c)
{
	int wanted = 0;

	for (int i = 0; i < c->n_in; i++)
		if (c->in[i] && c->in[i]->flags & TENSOR_GRAD)
			wanted = 1;
	for (int i = 0; i < c->n_out && wanted; i++)
		c->out[i]->flags |= TENSOR_GRAD;
	for (int i = 0; i < c->n_out + c->n_kept; i++)
		if (c->out[i])
			c->out[i]->producer = p->n_calls;
}

static void store_halves(const struct program *p, const struct call *c)
{
	struct op_store s = op_store(c->op);
	int half = s.outputs == STORE_HALF ||
		   (s.outputs == STORE_AS_INPUT && c->in[0] && c->in[0]->type == TYPE_BF16);

	for (int i = 0; p->half && i < c->n_out + c->n_kept; i++)
		if (c->out[i] && c->out[i]->type == TYPE_REAL &&
			(i < c->n_out ? half : s.kept >> i & 1))
			c->out[i]->type = TYPE_BF16;
}

tensor program_call(struct program *p, const struct call *c, size_t params_size)
{
	int n = c->n_in + c->n_out + c->n_kept;
	struct call copy = *c;
	void *params;

	if (p->failed)
		return c->n_out ? c->out[0] : NULL;
	copy.in = memory_new(n, sizeof(tensor));
	params = memory_new(1, params_size);
	if (!copy.in || !params ||
		room_for(&p->calls, p->n_calls, &p->room_calls, sizeof(*p->calls))) {
		fail(p, STATUS_SYSTEM);
		free(copy.in);
		free(params);
		return c->n_out ? c->out[0] : NULL;
	}
	store_halves(p, c);
	copy.out = copy.in + c->n_in;
	memcpy(copy.in, c->in, c->n_in * sizeof(tensor));
	memcpy(copy.out, c->out, (c->n_out + c->n_kept) * sizeof(tensor));
	if (params_size)
		memcpy(params, c->params, params_size);
	copy.params = params;
	copy.scope = p->scope ? p->scope : "";
	mark_gradients(p, &copy);
	p->calls[p->n_calls++] = copy;
	return c->n_out ? copy.out[0] : NULL;
}
