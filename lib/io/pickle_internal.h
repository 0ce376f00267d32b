/* The pickle machine's memory: values in chunks, stack, memo. */
#ifndef IO_PICKLE_INTERNAL_H
#define IO_PICKLE_INTERNAL_H

#include "lib/base/error.h"
#include "lib/io/pickle.h"

#define PICKLE_VALUES 2000000
#define PICKLE_STACK 100000
#define PICKLE_MEMO 1000000
#define PICKLE_TEXT 65536
#define PICKLE_CHUNK 1024

struct chunk {
	struct chunk *before;
	int used;
	struct value values[PICKLE_CHUNK];
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
extern struct value pickle_mark;

void pickle_record(const struct pickle *p, const char *what);
/* STATUS_DATA with the place; the compiler must see that this is never 0. */
#define damaged(p, what) (pickle_record(p, what), STATUS_DATA)

/* Makes room for one more pointer. */
int pickle_grow(struct value ***array, int *room, int count);
int value_add(struct value *v, struct value *item);
int value_new(struct pickle *p, enum value_kind kind, struct value **out);

int stack_push(struct pickle *p, struct value *v);
int stack_new(struct pickle *p, enum value_kind kind, struct value **out);
int stack_integer(struct pickle *p, enum value_kind kind, int64_t integer);
int stack_pop(struct pickle *p, struct value **v);
/* The value on top, which stays there. */
int stack_top(struct pickle *p, struct value **v);
/* Index of the first value after the last mark. */
int stack_mark(struct pickle *p, int *first);

#endif
