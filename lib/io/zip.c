#include "lib/io/zip.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/views.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	END_SIZE = 22,
	LOCATOR_SIZE = 20,
	END64_SIZE = 56,
	ENTRY_SIZE = 46,
	LOCAL_SIZE = 30,
	FLAG_ENCRYPTED = 1,
};

static uint16_t u16(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t u32(const unsigned char *p)
{
	return u16(p) | (uint32_t)u16(p + 2) << 16;
}

static uint64_t u64(const unsigned char *p)
{
	return u32(p) | (uint64_t)u32(p + 4) << 32;
}

struct directory {
	uint64_t offset, size, count;
};

/* The record at the end of the file, which a comment may follow; size when there is none. */
static size_t find_end(const unsigned char *file, size_t size)
{
	size_t lowest = size > END_SIZE + 65535 ? size - END_SIZE - 65535 : 0;

	if (size < END_SIZE)
		return size;
	for (size_t at = size - END_SIZE + 1; at-- > lowest;)
		if (u32(file + at) == 0x06054b50 && at + END_SIZE + u16(file + at + 20) == size)
			return at;
	return size;
}

static int find_directory(struct directory *d, const unsigned char *file, size_t size)
{
	size_t at = find_end(file, size);
	const unsigned char *end = file + at;
	uint64_t end64;

	if (at == size)
		return error(STATUS_DATA, "zip: no end of the directory: the file is cut short");
	*d = (struct directory){u32(end + 16), u32(end + 12), u16(end + 10)};
	if (at >= LOCATOR_SIZE && u32(end - LOCATOR_SIZE) == 0x07064b50) {
		end64 = u64(end - LOCATOR_SIZE + 8);
		if (at - LOCATOR_SIZE < END64_SIZE || end64 > at - LOCATOR_SIZE - END64_SIZE ||
			u32(file + end64) != 0x06064b50)
			return error(STATUS_DATA, "zip: the zip64 end is not where it should be");
		*d = (struct directory){
			u64(file + end64 + 48), u64(file + end64 + 40), u64(file + end64 + 32)};
	}
	if (d->count > ZIP_MAX)
		return error(STATUS_DATA, "zip: more than %d members", ZIP_MAX);
	if (d->size > at || d->offset > at - d->size)
		return error(STATUS_DATA, "zip: the directory lies outside the file");
	return 0;
}

struct entry {
	uint64_t packed, size, local;
	const unsigned char *name;
	size_t name_length, length; /* length: of the whole entry */
	uint32_t crc;
	int flags, method;
};

/* Sizes of 0xffffffff stand in the extra field 1 instead, in this order. */
static int read_zip64(struct entry *e, const unsigned char *extra, size_t length)
{
	uint64_t *wanted[3] = {&e->size, &e->packed, &e->local};
	int missing = 0;

	for (int i = 0; i < 3; i++)
		missing += *wanted[i] == 0xffffffff;
	for (size_t at = 0; missing && at + 4 <= length;) {
		size_t field = u16(extra + at + 2), used = 0;

		if (field > length - at - 4)
			break;
		if (u16(extra + at) == 1)
			for (int i = 0; i < 3; i++)
				if (*wanted[i] == 0xffffffff && used + 8 <= field) {
					*wanted[i] = u64(extra + at + 4 + used);
					used += 8;
					missing--;
				}
		at += 4 + field;
	}
	return missing ? error(STATUS_DATA, "zip: a member's zip64 sizes are missing") : 0;
}

static int read_entry(struct entry *e, const unsigned char *p, size_t left)
{
	size_t extra, comment;

	if (left < ENTRY_SIZE || u32(p) != 0x02014b50)
		return error(STATUS_DATA, "zip: the directory is damaged");
	*e = (struct entry){.flags = u16(p + 8),
		.method = u16(p + 10),
		.crc = u32(p + 16),
		.packed = u32(p + 20),
		.size = u32(p + 24),
		.local = u32(p + 42),
		.name = p + ENTRY_SIZE,
		.name_length = u16(p + 28)};
	extra = u16(p + 30);
	comment = u16(p + 32);
	e->length = ENTRY_SIZE + e->name_length + extra + comment;
	if (e->length > left)
		return error(STATUS_DATA, "zip: the directory is damaged");
	return read_zip64(e, e->name + e->name_length, extra);
}

/* The data's place follows from the local header, whose extra field has a length of its own. */
static int find_data(
	struct zip_member *m, const struct entry *e, const unsigned char *file, uint64_t size)
{
	const unsigned char *p = file + e->local;
	uint64_t at;

	if (e->local > size || size - e->local < LOCAL_SIZE || u32(p) != 0x04034b50 ||
		u16(p + 26) != e->name_length ||
		size - e->local - LOCAL_SIZE < (uint64_t)e->name_length + u16(p + 28) ||
		memcmp(p + LOCAL_SIZE, e->name, e->name_length))
		return error(STATUS_DATA, "zip: member '%s' is not where the directory says",
			printable((const char *)e->name, e->name_length));
	at = e->local + LOCAL_SIZE + e->name_length + u16(p + 28);
	*m = (struct zip_member){.name = (const char *)e->name,
		.name_length = e->name_length,
		.size = e->size,
		.crc = e->crc};
	if (e->method || e->flags & FLAG_ENCRYPTED)
		return 0;
	if (e->packed != e->size || e->size > size - at)
		return error(STATUS_DATA, "zip: member '%s' ends after the data: cut short",
			printable((const char *)e->name, e->name_length));
	m->data = file + at;
	return 0;
}

static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
	int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

	return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int by_name(const void *a, const void *b)
{
	const struct zip_member *x = a, *y = b;

	return compare_names(x->name, x->name_length, y->name, y->name_length);
}

static int read_directory(struct zip *zip, const struct directory *d, const unsigned char *file)
{
	const unsigned char *p = file + d->offset;
	uint64_t left = d->size;
	struct entry e = {0};
	uint64_t total = 0;

	for (; zip->count < (int)d->count; zip->count++, p += e.length, left -= e.length) {
		TRY(read_entry(&e, p, left));
		TRY(find_data(&zip->members[zip->count], &e, file, d->offset));
		total += zip->members[zip->count].data ? e.size : 0;
		if (total > d->offset)
			return error(STATUS_DATA, "zip: members overlap");
	}
	if (left)
		return error(STATUS_DATA, "zip: the directory holds more than it counts");
	if (zip->count)
		qsort(zip->members, zip->count, sizeof(*zip->members), by_name);
	for (int i = 1; i < zip->count; i++)
		if (!by_name(&zip->members[i - 1], &zip->members[i]))
			return error(STATUS_DATA, "zip: a member is there twice");
	return 0;
}

int zip_parse(struct zip *zip, const unsigned char *file, size_t size)
{
	struct directory d = {0};
	int status;

	memset(zip, 0, sizeof(*zip));
	TRY(find_directory(&d, file, size));
	if (d.count > d.size / ENTRY_SIZE)
		return error(STATUS_DATA, "zip: the directory is damaged");
	zip->members = memory_new(d.count, sizeof(*zip->members));
	if (!zip->members)
		return STATUS_SYSTEM;
	status = read_directory(zip, &d, file);
	if (status)
		zip_release(zip);
	return status;
}

void zip_release(struct zip *zip)
{
	free(zip->members);
	memset(zip, 0, sizeof(*zip));
}

struct zip_member *zip_find(
	const struct zip *zip, const char *prefix, size_t prefix_length, const char *name)
{
	size_t length = prefix_length + strlen(name);
	struct zip_member key = {.name_length = length}, *found = NULL;
	char *text = memory_format("%.*s%s", (int)prefix_length, prefix, name);

	key.name = text;
	if (text && zip->count && strlen(text) == length)
		found = bsearch(&key, zip->members, zip->count, sizeof(key), by_name);
	free(text);
	return found;
}

/* --- CRC-32, eight bytes at a time --- */

static uint32_t table[8][256];

static void fill_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
		table[0][i] = c;
	}
	for (int t = 1; t < 8; t++)
		for (int i = 0; i < 256; i++)
			table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 255];
}

static uint32_t crc32_of(const unsigned char *p, uint64_t size)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	uint32_t c = ~0u;

	pthread_once(&once, fill_table);
	for (; size >= 8; size -= 8, p += 8) {
		uint32_t low = c ^ u32(p), high = u32(p + 4);

		c = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^
		    table[4][low >> 24] ^ table[3][high & 255] ^ table[2][high >> 8 & 255] ^
		    table[1][high >> 16 & 255] ^ table[0][high >> 24];
	}
	while (size--)
		c = c >> 8 ^ table[0][(c ^ *p++) & 255];
	return ~c;
}

int zip_check(struct zip_member *m)
{
	if (!m->data)
		return error(STATUS_DATA, "zip: member '%s' is compressed or encrypted",
			printable(m->name, m->name_length));
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	if (!m->checked && crc32_of(m->data, m->size) != m->crc)
		return error(STATUS_DATA, "zip: member '%s' is damaged: its checksum is wrong",
			printable(m->name, m->name_length));
#endif
	m->checked = 1;
	return 0;
}
