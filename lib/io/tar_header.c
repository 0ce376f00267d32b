#include "lib/io/tar_header.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "lib/io/tar.h"

/* Where fields lie in a block, and how long they are. */
enum {
	NAME = 0,
	NAME_SIZE = 100,
	SIZE = 124,
	SIZE_SIZE = 12,
	SUM = 148,
	SUM_SIZE = 8,
	TYPE = 156,
	MAGIC = 257,
	PREFIX = 345,
	PREFIX_SIZE = 155,
};

/* Octal digits with blanks around, or, where the first bit is set, a number to base 256; -1 */
static int64_t number(const unsigned char *field, int size)
{
	int64_t value = 0;
	int i = 0, digits = 0;

	if (field[0] & 0x80) {
		if (field[0] != 0x80)
			return -1; /* negative, or beyond any size */
		for (i = 1; i < size; i++) {
			if (value > TAR_SIZE_MAX >> 8)
				return -1;
			value = value << 8 | field[i];
		}
		return value;
	}
	while (i < size && field[i] == ' ')
		i++;
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++, digits++)
		value = value << 3 | (field[i] - '0');
	for (; i < size; i++)
		if (field[i] && field[i] != ' ')
			return -1;
	return digits ? value : -1;
}

/* All bytes added, the sum's own taken for blanks; some old writers took bytes for signed. */
static int sum_is_right(const unsigned char *block)
{
	int64_t sum = 0, sum_signed = 0, wanted = number(block + SUM, SUM_SIZE);

	for (int i = 0; i < TAR_BLOCK; i++) {
		int blank = i >= SUM && i < SUM + SUM_SIZE;

		sum += blank ? ' ' : block[i];
		sum_signed += blank ? ' ' : (signed char)block[i];
	}
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	return 1;
#endif
	return wanted == sum || wanted == sum_signed;
}

static int is_zero(const unsigned char *block)
{
	for (int i = 0; i < TAR_BLOCK; i++)
		if (block[i])
			return 0;
	return 1;
}

int tar_header_read(struct tar_header *h, const unsigned char *block)
{
	size_t n = 0;

	memset(h, 0, sizeof(*h));
	if (is_zero(block))
		return TAR_END;
	if (!sum_is_right(block))
		return TAR_BAD;
	memcpy(h->magic, block + MAGIC, 6);
	/* GNU's own form has other fields in the place of the prefix */
	if (!memcmp(h->magic, "ustar", 6) && block[PREFIX]) {
		n = strnlen((const char *)block + PREFIX, PREFIX_SIZE);
		memcpy(h->name, block + PREFIX, n);
		h->name[n++] = '/';
	}
	memcpy(h->name + n, block + NAME, strnlen((const char *)block + NAME, NAME_SIZE));
	h->type = (char)block[TYPE];
	h->size = number(block + SIZE, SIZE_SIZE);
	return h->size < 0 || h->size > TAR_SIZE_MAX ? TAR_BAD : 0;
}

/* One record "length key=value\n"; its end, or NULL */
static char *pax_record(char *at, const char *end, const char **name, int64_t *size)
{
	char *rest, *key, *value, *next;
	long length;

	if (!isdigit((unsigned char)*at))
		return NULL;
	length = strtol(at, &rest, 10);
	if (*rest != ' ' || length < rest - at + 3 || length > end - at)
		return NULL;
	next = at + length;
	key = rest + 1;
	value = memchr(key, '=', (size_t)(next - key));
	if (!value || next[-1] != '\n')
		return NULL;
	*value++ = 0;
	next[-1] = 0;
	if (strlen(value) != (size_t)(next - 1 - value))
		return NULL; /* a zero within */
	if (!strcmp(key, "path"))
		*name = value;
	if (!strcmp(key, "size")) {
		if (!isdigit((unsigned char)*value) || strlen(value) > 18)
			return NULL;
		*size = strtoll(value, &rest, 10);
		if (*rest)
			return NULL;
	}
	return strncmp(key, "GNU.sparse.", 11) ? next : NULL;
}

int tar_pax_read(char *text, const char **name, int64_t *size)
{
	char *end = text + strlen(text);

	while (text && text < end)
		text = pax_record(text, end, name, size);
	return text ? 0 : TAR_BAD;
}

static int climbs(const char *name)
{
	for (const char *p = name; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (!strncmp(p, "..", 2) && (p[2] == '/' || !p[2]))
			return 1;
	}
	return 0;
}

const char *tar_refuses(const struct tar_header *h, const char *name)
{
	static const struct {
		char type;
		const char *why;
	} types[] = {
		{'1', "is a link, which is not followed"},
		{'2', "is a link, which is not followed"},
		{'3', "is a device"},
		{'4', "is a device"},
		{'6', "is a named pipe"},
		{'S', "is a sparse file, which is not read here"},
		{'M', "goes on from another volume, which is not read here"},
	};

	if (name[0] == '/')
		return "is an absolute path: the archive is refused";
	if (climbs(name))
		return "is a path that climbs out of its folder: the archive is refused";
	if (!name[0] || strlen(name) > TAR_NAME_MAX)
		return "has no name, or one of more than 4096 bytes: damaged";
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (h->type == types[i].type)
			return types[i].why;
	if (h->type && !strchr("057", h->type))
		return "is of a type that is not known here";
	return h->size > TAR_SIZE_MAX ? "is of an impossible size" : NULL;
}

int tar_is_folder(const struct tar_header *h)
{
	size_t n = strlen(h->name);

	return h->type == '5' || ((!h->type || h->type == '0') && n && h->name[n - 1] == '/');
}

int64_t tar_padded(int64_t size)
{
	return (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}
