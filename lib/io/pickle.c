#include "lib/io/pickle.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

#include <stdlib.h>
#include <string.h>

#define MAX_VALUES 2000000
#define MAX_STACK 100000
#define MAX_MEMO 1000000
#define MAX_TEXT 65536
#define CHUNK 1024

struct chunk {
	struct chunk *before;
	int used;
	struct value values[CHUNK];
};

struct pickle {
	const unsigned char *data;
	size_t size, at; /* at: the next byte */
	struct chunk *chunks;
	int values;
	struct value **stack, **memo, **storages;
	int depth, stack_room, memo_room, storage_count, storage_room;
	struct value *root;
};

/* On the stack where MARK was. */
static struct value mark;

static void record(const struct pickle *p, const char *what)
{
	error(STATUS_DATA, "pickle: %s at byte %zu", what, p->at);
}
/* The compiler must see that this is never 0. */
#define damaged(p, what) (record(p, what), STATUS_DATA)

/* Makes room for one more pointer. */
static int grow(struct value ***array, int *room, int count)
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

static int item_add(struct value *v, struct value *item)
{
	TRY(grow(&v->items, &v->room, v->count));
	v->items[v->count++] = item;
	return 0;
}

static int value_new(struct pickle *p, enum value_kind kind, struct value **out)
{
	struct chunk *c = p->chunks;

	if (p->values == MAX_VALUES)
		return damaged(p, "too many values");
	if (!c || c->used == CHUNK) {
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

static int push(struct pickle *p, struct value *v)
{
	if (p->depth == MAX_STACK)
		return damaged(p, "the stack is too deep");
	TRY(grow(&p->stack, &p->stack_room, p->depth));
	p->stack[p->depth++] = v;
	return 0;
}

static int push_new(struct pickle *p, enum value_kind kind, struct value **out)
{
	TRY(value_new(p, kind, out));
	return push(p, *out);
}

static int push_integer(struct pickle *p, enum value_kind kind, int64_t integer)
{
	struct value *v;

	TRY(push_new(p, kind, &v));
	v->integer = integer;
	return 0;
}

static int pop(struct pickle *p, struct value **v)
{
	if (!p->depth || p->stack[p->depth - 1] == &mark)
		return damaged(p, "nothing to take from the stack");
	*v = p->stack[--p->depth];
	return 0;
}

/* The value on top, which stays there. */
static int top(struct pickle *p, struct value **v)
{
	TRY(pop(p, v));
	p->depth++;
	return 0;
}

/* Index of the first value after the last MARK. */
static int find_mark(struct pickle *p, int *first)
{
	for (int i = p->depth; i-- > 0;)
		if (p->stack[i] == &mark) {
			*first = i + 1;
			return 0;
		}
	return damaged(p, "no mark on the stack");
}

/* n bytes of the pickle, moving on. */
static int take(struct pickle *p, size_t n, const unsigned char **bytes)
{
	if (n > p->size - p->at)
		return damaged(p, "it is cut short");
	*bytes = p->data + p->at;
	p->at += n;
	return 0;
}

/* A little-endian number of n bytes, at most 8; the sign is that of the last byte. */
static int take_number(struct pickle *p, int n, int is_signed, int64_t *number)
{
	const unsigned char *b;
	uint64_t u = 0;

	TRY(take(p, n, &b));
	for (int i = 0; i < n; i++)
		u |= (uint64_t)b[i] << 8 * i;
	if (is_signed && n && n < 8 && b[n - 1] & 0x80)
		u |= ~(uint64_t)0 << 8 * n;
	*number = (int64_t)u;
	return 0;
}

static int push_text(struct pickle *p, enum value_kind kind, int64_t length)
{
	const unsigned char *b;
	struct value *v;

	if (length < 0 || length >= MAX_TEXT)
		return damaged(p, "a text is too long");
	TRY(take(p, length, &b));
	TRY(push_new(p, kind, &v));
	v->text = (const char *)b;
	v->length = length;
	return 0;
}

static int push_number(struct pickle *p, int n, int is_signed)
{
	int64_t number;

	TRY(take_number(p, n, is_signed, &number));
	return push_integer(p, VALUE_INT, number);
}

static int push_real(struct pickle *p)
{
	const unsigned char *b;
	struct value *v;
	uint64_t u = 0;

	TRY(take(p, 8, &b));
	for (int i = 0; i < 8; i++)
		u = u << 8 | b[i];
	TRY(push_new(p, VALUE_REAL, &v));
	memcpy(&v->real, &u, sizeof(u));
	return 0;
}

/* Two lines: module and name. */
static int push_global(struct pickle *p)
{
	const unsigned char *start = p->data + p->at, *end;
	struct value *v;

	end = memchr(start, '\n', p->size - p->at);
	if (end)
		end = memchr(end + 1, '\n', p->data + p->size - end - 1);
	if (!end || end - start >= MAX_TEXT)
		return damaged(p, "a global's name has no end");
	TRY(push_new(p, VALUE_GLOBAL, &v));
	v->text = (const char *)start;
	v->length = end - start;
	p->at = end + 1 - p->data;
	return 0;
}

/* Values from first on become the items of one tuple. */
static int fold_tuple(struct pickle *p, int first, int take_mark)
{
	struct value *v;

	if (first < 0)
		return damaged(p, "nothing to take from the stack");
	TRY(value_new(p, VALUE_TUPLE, &v));
	for (int i = first; i < p->depth; i++) {
		if (p->stack[i] == &mark)
			return damaged(p, "nothing to take from the stack");
		TRY(item_add(v, p->stack[i]));
	}
	p->depth = first - take_mark;
	return push(p, v);
}

static int fold_marked(struct pickle *p)
{
	int first;

	TRY(find_mark(p, &first));
	return fold_tuple(p, first, 1);
}

/* The stack from first on goes into what lies below (a mark between them, for several). */
static int add_items(struct pickle *p, int first, int take_mark, enum value_kind kind)
{
	int below = first - take_mark - 1, pairs = kind == VALUE_DICT;
	struct value *v;

	if (below < 0 || p->stack[below] == &mark)
		return damaged(p, "nothing to add to");
	v = p->stack[below];
	if (v->kind != kind && v->kind != VALUE_OPAQUE)
		return damaged(p, "items are added to something that takes none");
	if (pairs && (p->depth - first) % 2)
		return damaged(p, "a key without a value");
	for (int i = first; i < p->depth && v->kind == kind; i++)
		TRY(item_add(v, p->stack[i]));
	p->depth = below + 1;
	return 0;
}

static int add_marked(struct pickle *p, enum value_kind kind)
{
	int first;

	TRY(find_mark(p, &first));
	return add_items(p, first, 1, kind);
}

static int add_top(struct pickle *p, int n, enum value_kind kind)
{
	for (int i = 1; i <= n; i++)
		if (p->depth < i || p->stack[p->depth - i] == &mark)
			return damaged(p, "nothing to take from the stack");
	return add_items(p, p->depth - n, 0, kind);
}

static int memo_put(struct pickle *p, int bytes)
{
	struct value *v;
	int64_t index;

	TRY(take_number(p, bytes, 0, &index));
	if (index >= MAX_MEMO)
		return damaged(p, "a memo's number is too large");
	TRY(top(p, &v));
	while (index >= p->memo_room) {
		int before = p->memo_room;

		TRY(grow(&p->memo, &p->memo_room, before));
		memset(p->memo + before, 0, (p->memo_room - before) * sizeof(*p->memo));
	}
	p->memo[index] = v;
	return 0;
}

static int memo_get(struct pickle *p, int bytes)
{
	int64_t index;

	TRY(take_number(p, bytes, 0, &index));
	if (index >= p->memo_room || !p->memo[index])
		return damaged(p, "a memo that was never put");
	return push(p, p->memo[index]);
}

static int persistent(struct pickle *p)
{
	struct value *id, *v;

	TRY(pop(p, &id));
	if (id->kind != VALUE_TUPLE)
		return damaged(p, "a persistent id that is no tuple");
	TRY(push_new(p, VALUE_STORAGE, &v));
	for (int i = 0; i < id->count; i++)
		TRY(item_add(v, id->items[i]));
	TRY(grow(&p->storages, &p->storage_room, p->storage_count));
	p->storages[p->storage_count++] = v;
	return 0;
}

/* A call: three names have a meaning here, the rest gives a value without any. */
static int reduce(struct pickle *p)
{
	struct value *args, *f, *v;

	TRY(pop(p, &args));
	TRY(pop(p, &f));
	if (args->kind != VALUE_TUPLE || (f->kind != VALUE_GLOBAL && f->kind != VALUE_OPAQUE))
		return damaged(p, "a call of something that is no function");
	if (value_is(f, VALUE_GLOBAL, "collections\nOrderedDict") && !args->count)
		return push_new(p, VALUE_DICT, &v);
	if (value_is(f, VALUE_GLOBAL, "torch._utils\n_rebuild_parameter") && args->count > 0 &&
		args->items[0]->kind == VALUE_TENSOR)
		return push(p, args->items[0]);
	if (!value_is(f, VALUE_GLOBAL, "torch._utils\n_rebuild_tensor_v2"))
		return push_new(p, VALUE_OPAQUE, &v);
	TRY(push_new(p, VALUE_TENSOR, &v));
	for (int i = 0; i < args->count; i++)
		TRY(item_add(v, args->items[i]));
	return 0;
}

static int new_object(struct pickle *p)
{
	struct value *args, *class, *v;

	TRY(pop(p, &args));
	TRY(pop(p, &class));
	if (args->kind != VALUE_TUPLE ||
		(class->kind != VALUE_GLOBAL && class->kind != VALUE_OPAQUE))
		return damaged(p, "an object of something that is no class");
	return push_new(p, VALUE_OPAQUE, &v);
}

/* A state for the object below: a dict keeps its items (its attributes do not count). */
static int build(struct pickle *p)
{
	struct value *state, *v;

	TRY(pop(p, &state));
	TRY(top(p, &v));
	if (v->kind != VALUE_DICT && v->kind != VALUE_OPAQUE)
		return damaged(p, "a state for something that has none");
	return 0;
}

static int sized_text(struct pickle *p, enum value_kind kind, int bytes)
{
	int64_t length;

	TRY(take_number(p, bytes, 0, &length));
	if (kind == VALUE_LONG && length <= 8)
		return push_number(p, (int)length, 1);
	return push_text(p, kind, length);
}

static int protocol(struct pickle *p)
{
	int64_t version;

	TRY(take_number(p, 1, 0, &version));
	return version == 2 ? 0
			    : error(STATUS_DATA,
				      "pickle: protocol %d is not read: save with torch.save's "
				      "default, 2",
				      (int)version);
}

static int operate(struct pickle *p, int opcode)
{
	struct value *v;

	switch (opcode) {
	case 0x80:
		return protocol(p);
	case '}':
		return push_new(p, VALUE_DICT, &v);
	case ']':
		return push_new(p, VALUE_LIST, &v);
	case ')':
		return push_new(p, VALUE_TUPLE, &v);
	case '(':
		return push(p, &mark);
	case 'N':
		return push_new(p, VALUE_NONE, &v);
	case 0x88:
	case 0x89:
		return push_integer(p, VALUE_BOOL, opcode == 0x88);
	case 'X':
		return sized_text(p, VALUE_TEXT, 4);
	case 0x8c:
		return sized_text(p, VALUE_TEXT, 1);
	case 'J':
		return push_number(p, 4, 1);
	case 'K':
		return push_number(p, 1, 0);
	case 'M':
		return push_number(p, 2, 0);
	case 0x8a:
		return sized_text(p, VALUE_LONG, 1);
	case 'G':
		return push_real(p);
	case 'c':
		return push_global(p);
	case 't':
		return fold_marked(p);
	case 0x85:
	case 0x86:
	case 0x87:
		return fold_tuple(p, p->depth - (opcode - 0x84), 0);
	case 'q':
		return memo_put(p, 1);
	case 'r':
		return memo_put(p, 4);
	case 'h':
		return memo_get(p, 1);
	case 'j':
		return memo_get(p, 4);
	case 'Q':
		return persistent(p);
	case 'R':
		return reduce(p);
	case 0x81:
		return new_object(p);
	case 'b':
		return build(p);
	case 's':
		return add_top(p, 2, VALUE_DICT);
	case 'u':
		return add_marked(p, VALUE_DICT);
	case 'a':
		return add_top(p, 1, VALUE_LIST);
	case 'e':
		return add_marked(p, VALUE_LIST);
	default:
		p->at--;
		return error(STATUS_DATA, "pickle: opcode 0x%02x at byte %zu is not read", opcode,
			p->at);
	}
}

static int run(struct pickle *p)
{
	const unsigned char *opcode;

	for (;;) {
		TRY(take(p, 1, &opcode));
		if (*opcode == '.')
			break;
		TRY(operate(p, *opcode));
	}
	TRY(pop(p, &p->root));
	return p->depth ? damaged(p, "more than one value is left") : 0;
}

int pickle_read(struct pickle **out, const unsigned char *data, size_t size, size_t *used)
{
	struct pickle *p = memory_new(1, sizeof(*p));
	int status;

	*out = NULL;
	if (!p)
		return STATUS_SYSTEM;
	p->data = data;
	p->size = size;
	status = run(p);
	*used = p->at;
	if (status)
		pickle_free(p);
	else
		*out = p;
	return status;
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
