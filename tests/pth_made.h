/* Pickles, tensors as torch.save describes them, and zips, put together byte by byte. */
#ifndef TESTS_PTH_MADE_H
#define TESTS_PTH_MADE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct bytes {
	unsigned char at[1 << 18];
	size_t size;
};

static void put(struct bytes *b, const void *data, size_t n)
{
	memcpy(b->at + b->size, data, n);
	b->size += n;
}

static void put_text(struct bytes *b, const char *opcodes)
{
	put(b, opcodes, strlen(opcodes));
}

static void put_number(struct bytes *b, uint64_t x, int n)
{
	for (int i = 0; i < n; i++)
		b->at[b->size++] = i < 8 ? x >> 8 * i & 255 : 0;
}

static void pickle_text(struct bytes *b, const char *text)
{
	put_text(b, "X");
	put_number(b, strlen(text), 4);
	put_text(b, text);
}

static void pickle_integer(struct bytes *b, int64_t x)
{
	put(b, "\x8a\x08", 2);
	put_number(b, x, 8);
}

static void pickle_tuple(struct bytes *b, int n, const int64_t *values)
{
	put_text(b, "(");
	for (int i = 0; i < n; i++)
		pickle_integer(b, values[i]);
	put_text(b, "t");
}

/* One tensor as torch.save describes it. */
struct described {
	const char *name, *type, *key;
	int64_t numel, offset;
	int dims, strides;
	int64_t size[10], stride[10];
	int legacy;	 /* a sixth member in the storage's tuple */
	int64_t view[2]; /* offset and size of a view; size 0: None */
};

static void pickle_tensor(struct bytes *b, const struct described *d)
{
	pickle_text(b, d->name);
	put_text(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
	pickle_text(b, "storage");
	put_text(b, "c");
	put_text(b, d->type);
	put_text(b, "\n");
	pickle_text(b, d->key);
	pickle_text(b, "cpu");
	pickle_integer(b, d->numel);
	if (d->legacy && d->view[1]) {
		pickle_text(b, "view");
		pickle_integer(b, d->view[0]);
		pickle_integer(b, d->view[1]);
		put_text(b, "\x87");
	} else if (d->legacy) {
		put_text(b, "N");
	}
	put_text(b, "tQ");
	pickle_integer(b, d->offset);
	pickle_tuple(b, d->dims, d->size);
	pickle_tuple(b, d->strides, d->stride);
	put_text(b, "\x89"
		    "ccollections\nOrderedDict\n)RtR");
}

static const struct described good = {"a", "torch\nFloatStorage", "0", 6, 0, 2, 2, {2, 3}, {3, 1}};

/* --- zip --- */

struct zip_made {
	struct bytes file, directory;
	int count;
};

static uint32_t crc_of(const unsigned char *p, size_t n)
{
	uint32_t c = ~0u;

	for (size_t i = 0; i < n; i++) {
		c ^= p[i];
		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
	}
	return ~c;
}

/* What a member's record is changed by. */
struct twist {
	int method, flags, crc, longer, local, zip64;
	const char *local_name;
};

static void zip_add(
	struct zip_made *z, const char *name, const void *data, size_t n, const struct twist *twist)
{
	static const struct twist none;
	const struct twist *t = twist ? twist : &none;
	size_t place = z->file.size, length = strlen(name);
	uint32_t crc = crc_of(data, n) + t->crc;

	put_number(&z->file, 0x04034b50, 4);
	put_number(&z->file, 0, 2);
	put_number(&z->file, t->flags, 2);
	put_number(&z->file, t->method, 2);
	put_number(&z->file, 0, 4);
	put_number(&z->file, crc, 4);
	put_number(&z->file, n, 4);
	put_number(&z->file, n, 4);
	put_number(&z->file, length, 2);
	put_number(&z->file, 8, 2); /* an extra field, as torch.save's padding */
	put(&z->file, t->local_name ? t->local_name : name, length);
	put(&z->file, "FB\4\0ZZZZ", 8);
	put(&z->file, data, n);

	put_number(&z->directory, 0x02014b50, 4);
	put_number(&z->directory, 0, 4);
	put_number(&z->directory, t->flags, 2);
	put_number(&z->directory, t->method, 2);
	put_number(&z->directory, 0, 4);
	put_number(&z->directory, crc, 4);
	put_number(&z->directory, t->zip64 ? 0xffffffff : n + t->longer, 4);
	put_number(&z->directory, t->zip64 ? 0xffffffff : n + t->longer, 4);
	put_number(&z->directory, length, 2);
	put_number(&z->directory, t->zip64 ? 28 : 0, 2);
	put_number(&z->directory, 0, 10);
	put_number(&z->directory, t->zip64 ? 0xffffffff : place + t->local, 4);
	put_text(&z->directory, name);
	if (t->zip64) {
		put_number(&z->directory, 1, 2);
		put_number(&z->directory, 24, 2);
		put_number(&z->directory, n + t->longer, 8);
		put_number(&z->directory, n + t->longer, 8);
		put_number(&z->directory, place + t->local, 8);
	}
	z->count++;
}

static void zip_end(struct zip_made *z, int zip64, int count)
{
	size_t start = z->file.size, end64;

	put(&z->file, z->directory.at, z->directory.size);
	end64 = z->file.size;
	if (zip64) {
		put_number(&z->file, 0x06064b50, 4);
		put_number(&z->file, 44, 8);
		put_number(&z->file, 0, 12);
		put_number(&z->file, count, 8);
		put_number(&z->file, count, 8);
		put_number(&z->file, z->directory.size, 8);
		put_number(&z->file, start, 8);
		put_number(&z->file, 0x07064b50, 4);
		put_number(&z->file, 0, 4);
		put_number(&z->file, end64, 8);
		put_number(&z->file, 1, 4);
	}
	put_number(&z->file, 0x06054b50, 4);
	put_number(&z->file, 0, 4);
	put_number(&z->file, zip64 ? 0xffff : count, 2);
	put_number(&z->file, zip64 ? 0xffff : count, 2);
	put_number(&z->file, zip64 ? 0xffffffff : z->directory.size, 4);
	put_number(&z->file, zip64 ? 0xffffffff : start, 4);
	put_number(&z->file, 0, 2);
}

#endif
