#include "lib/io/pickle_internal.h"
#include "lib/base/memory.h"

#include <string.h>

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

	if (length < 0 || length >= PICKLE_TEXT)
		return damaged(p, "a text is too long");
	TRY(take(p, length, &b));
	TRY(stack_new(p, kind, &v));
	v->text = (const char *)b;
	v->length = length;
	return 0;
}

static int push_number(struct pickle *p, int n, int is_signed)
{
	int64_t number;

	TRY(take_number(p, n, is_signed, &number));
	return stack_integer(p, VALUE_INT, number);
}

static int push_real(struct pickle *p)
{
	const unsigned char *b;
	struct value *v;
	uint64_t u = 0;

	TRY(take(p, 8, &b));
	for (int i = 0; i < 8; i++)
		u = u << 8 | b[i];
	TRY(stack_new(p, VALUE_REAL, &v));
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
	if (!end || end - start >= PICKLE_TEXT)
		return damaged(p, "a global's name has no end");
	TRY(stack_new(p, VALUE_GLOBAL, &v));
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
		if (p->stack[i] == &pickle_mark)
			return damaged(p, "nothing to take from the stack");
		TRY(value_add(v, p->stack[i]));
	}
	p->depth = first - take_mark;
	return stack_push(p, v);
}

static int fold_marked(struct pickle *p)
{
	int first;

	TRY(stack_mark(p, &first));
	return fold_tuple(p, first, 1);
}

/* The stack from first on goes into what lies below (a mark between them, for several). */
static int add_items(struct pickle *p, int first, int take_mark, enum value_kind kind)
{
	int below = first - take_mark - 1, pairs = kind == VALUE_DICT;
	struct value *v;

	if (below < 0 || p->stack[below] == &pickle_mark)
		return damaged(p, "nothing to add to");
	v = p->stack[below];
	if (v->kind != kind && v->kind != VALUE_OPAQUE)
		return damaged(p, "items are added to something that takes none");
	if (pairs && (p->depth - first) % 2)
		return damaged(p, "a key without a value");
	for (int i = first; i < p->depth && v->kind == kind; i++)
		TRY(value_add(v, p->stack[i]));
	p->depth = below + 1;
	return 0;
}

static int add_marked(struct pickle *p, enum value_kind kind)
{
	int first;

	TRY(stack_mark(p, &first));
	return add_items(p, first, 1, kind);
}

static int add_top(struct pickle *p, int n, enum value_kind kind)
{
	for (int i = 1; i <= n; i++)
		if (p->depth < i || p->stack[p->depth - i] == &pickle_mark)
			return damaged(p, "nothing to take from the stack");
	return add_items(p, p->depth - n, 0, kind);
}

static int memo_put(struct pickle *p, int bytes)
{
	struct value *v;
	int64_t index;

	TRY(take_number(p, bytes, 0, &index));
	if (index >= PICKLE_MEMO)
		return damaged(p, "a memo's number is too large");
	TRY(stack_top(p, &v));
	while (index >= p->memo_room) {
		int before = p->memo_room;

		TRY(pickle_grow(&p->memo, &p->memo_room, before));
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
	return stack_push(p, p->memo[index]);
}

static int persistent(struct pickle *p)
{
	struct value *id, *v;

	TRY(stack_pop(p, &id));
	if (id->kind != VALUE_TUPLE)
		return damaged(p, "a persistent id that is no tuple");
	TRY(stack_new(p, VALUE_STORAGE, &v));
	for (int i = 0; i < id->count; i++)
		TRY(value_add(v, id->items[i]));
	TRY(pickle_grow(&p->storages, &p->storage_room, p->storage_count));
	p->storages[p->storage_count++] = v;
	return 0;
}

/* A call: three names have a meaning here, the rest gives a value without any. */
static int reduce(struct pickle *p)
{
	struct value *args, *f, *v;

	TRY(stack_pop(p, &args));
	TRY(stack_pop(p, &f));
	if (args->kind != VALUE_TUPLE || (f->kind != VALUE_GLOBAL && f->kind != VALUE_OPAQUE))
		return damaged(p, "a call of something that is no function");
	if (value_is(f, VALUE_GLOBAL, "collections\nOrderedDict") && !args->count)
		return stack_new(p, VALUE_DICT, &v);
	if (value_is(f, VALUE_GLOBAL, "torch._utils\n_rebuild_parameter") && args->count > 0 &&
		args->items[0]->kind == VALUE_TENSOR)
		return stack_push(p, args->items[0]);
	if (!value_is(f, VALUE_GLOBAL, "torch._utils\n_rebuild_tensor_v2"))
		return stack_new(p, VALUE_OPAQUE, &v);
	TRY(stack_new(p, VALUE_TENSOR, &v));
	for (int i = 0; i < args->count; i++)
		TRY(value_add(v, args->items[i]));
	return 0;
}

static int new_object(struct pickle *p)
{
	struct value *args, *class, *v;

	TRY(stack_pop(p, &args));
	TRY(stack_pop(p, &class));
	if (args->kind != VALUE_TUPLE ||
		(class->kind != VALUE_GLOBAL && class->kind != VALUE_OPAQUE))
		return damaged(p, "an object of something that is no class");
	return stack_new(p, VALUE_OPAQUE, &v);
}

/* A state for the object below: a dict keeps its items (its attributes do not count). */
static int build(struct pickle *p)
{
	struct value *state, *v;

	TRY(stack_pop(p, &state));
	TRY(stack_top(p, &v));
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
		return stack_new(p, VALUE_DICT, &v);
	case ']':
		return stack_new(p, VALUE_LIST, &v);
	case ')':
		return stack_new(p, VALUE_TUPLE, &v);
	case '(':
		return stack_push(p, &pickle_mark);
	case 'N':
		return stack_new(p, VALUE_NONE, &v);
	case 0x88:
	case 0x89:
		return stack_integer(p, VALUE_BOOL, opcode == 0x88);
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
	TRY(stack_pop(p, &p->root));
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
