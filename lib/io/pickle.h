/*
 * A restricted machine for pickles, protocol 2: it builds values and runs nothing.
 *
 * Known are the opcodes that torch.save writes for dicts of tensors, and what stands beside them in
 * training checkpoints. Calls give a dict (collections.OrderedDict), a tensor
 * (torch._utils._rebuild_tensor_v2, _rebuild_parameter) or a value without meaning; so do objects
 * of any class. An unknown opcode ends it. Sizes are bounded: values, stack, memo, texts.
 */
#ifndef IO_PICKLE_H
#define IO_PICKLE_H

#include <stddef.h>
#include <stdint.h>

enum value_kind {
	VALUE_NONE,
	VALUE_BOOL,
	VALUE_INT,
	VALUE_REAL,
	VALUE_LONG,    /* more than 64 bits: its bytes in text */
	VALUE_TEXT,    /* text, length: inside the pickle, not terminated */
	VALUE_GLOBAL,  /* text: "module\nname" */
	VALUE_TUPLE,   /* items */
	VALUE_LIST,    /* items */
	VALUE_DICT,    /* items: key, value, key, value ... in order of insertion */
	VALUE_STORAGE, /* items: what the persistent id held */
	VALUE_TENSOR,  /* items: the arguments of _rebuild_tensor_v2 */
	VALUE_OPAQUE,  /* anything else */
};

struct value {
	enum value_kind kind;
	int count, room; /* of items */
	union {
		int64_t integer;
		double real;
		const char *text;
		struct value **items;
	};
	size_t length;
};

struct pickle;

/* *used gets the bytes up to and including STOP. STATUS_DATA with opcode and offset. */
int pickle_read(struct pickle **p, const unsigned char *data, size_t size, size_t *used);
void pickle_free(struct pickle *p);

const struct value *pickle_root(const struct pickle *p);
/* The i-th VALUE_STORAGE in the pickle, NULL after the last. */
const struct value *pickle_storage(const struct pickle *p, int i);

/* 1 when v is a text (or a global) equal to s. */
int value_is(const struct value *v, enum value_kind kind, const char *s);
/* The value of a text key; the last when it comes twice; NULL when absent or no dict. */
const struct value *value_member(const struct value *dict, const char *key);

#endif
