#include "lib/io/pickle_internal.h"
#include "lib/base/memory.h"

#include <stdlib.h>
#include <string.h>

struct value pickle_mark;

void pickle_record(const struct pickle *p, const char *what)
{
	error(STATUS_DATA, "pickle: %s at byte %zu", what, p->at);
}

int pickle_grow(struct value ***array, int *room, int count)
{
	int wanted = *room ? 2 * *room : 4;
	void *bigger;

	if (count < *room)
		return 0;
	bigger = memory_grow(*array, wanted, sizeof(**array));
	if (!bigger)
		return STATUS_SYSTEM;
	*array = bigger;
	*room = wanted;
	return 0;
}

int value_add(struct value *v, struct value *item)
{
	TRY(pickle_grow(&v->items, &v->room, v->count));
	v->items[v->count++] = item;
	return 0;
}

int value_new(struct pickle *p, enum value_kind kind, struct value **out)
{
	struct chunk *c = p->chunks;

	if (p->values == PICKLE_VALUES)
		return damaged(p, "too many values");
	if (!c || c->used == PICKLE_CHUNK) {
		c = memory_new(1, sizeof(*c));
		if (!c)
			return STATUS_SYSTEM;
		c->before = p->chunks;
		p->chunks = c;
	}
	p->values++;
	*out = &c->values[c->used++];
	(*out)->kind = kind;
	return 0;
}

int stack_push(struct pickle *p, struct value *v)
{
	if (p->depth == PICKLE_STACK)
		return damaged(p, "the stack is too deep");
	TRY(pickle_grow(&p->stack, &p->stack_room, p->depth));
	p->stack[p->depth++] = v;
	return 0;
}

int stack_new(struct pickle *p, enum value_kind kind, struct value **out)
{
	TRY(value_new(p, kind, out));
	return stack_push(p, *out);
}

int stack_integer(struct pickle *p, enum value_kind kind, int64_t integer)
{
	struct value *v;

	TRY(stack_new(p, kind, &v));
	v->integer = integer;
	return 0;
}

int stack_pop(struct pickle *p, struct value **v)
{
	if (!p->depth || p->stack[p->depth - 1] == &pickle_mark)
		return damaged(p, "nothing to take from the stack");
	*v = p->stack[--p->depth];
	return 0;
}

int stack_top(struct pickle *p, struct value **v)
{
	TRY(stack_pop(p, v));
	p->depth++;
	return 0;
}

int stack_mark(struct pickle *p, int *first)
{
	for (int i = p->depth; i-- > 0;)
		if (p->stack[i] == &pickle_mark) {
			*first = i + 1;
			return 0;
		}
	return damaged(p, "no mark on the stack");
}

static int has_items(const struct value *v)
{
	return v->kind == VALUE_TUPLE || v->kind == VALUE_LIST || v->kind == VALUE_DICT ||
	       v->kind == VALUE_STORAGE || v->kind == VALUE_TENSOR;
}

void pickle_free(struct pickle *p)
{
	struct chunk *c, *before;

	if (!p)
		return;
	for (c = p->chunks; c; c = before) {
		before = c->before;
		for (int i = 0; i < c->used; i++)
			if (has_items(&c->values[i]))
				free(c->values[i].items);
		free(c);
	}
	free(p->stack);
	free(p->memo);
	free(p->storages);
	free(p);
}

const struct value *pickle_root(const struct pickle *p)
{
	return p->root;
}

const struct value *pickle_storage(const struct pickle *p, int i)
{
	return i < p->storage_count ? p->storages[i] : NULL;
}

int value_is(const struct value *v, enum value_kind kind, const char *s)
{
	return v->kind == kind && v->length == strlen(s) && !memcmp(v->text, s, v->length);
}

const struct value *value_member(const struct value *dict, const char *key)
{
	if (dict->kind != VALUE_DICT)
		return NULL;
	for (int i = dict->count - 2; i >= 0; i -= 2)
		if (value_is(dict->items[i], VALUE_TEXT, key))
			return dict->items[i + 1];
	return NULL;
}
