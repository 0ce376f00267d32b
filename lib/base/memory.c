#include "lib/base/memory.h"
#include "lib/base/error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int product(size_t count, size_t size, size_t *bytes)
{
	if (size && count > (SIZE_MAX - 64) / size)
		return error(STATUS_SYSTEM, "out of memory: %zu items of %zu bytes asked for",
			count, size);
	*bytes = count * size;
	return 0;
}

static void *refused(size_t bytes)
{
	error(STATUS_SYSTEM,
		"out of memory: %.1f MiB asked for: use a smaller batch, or a machine with more",
		(double)bytes / 1048576);
	return NULL;
}

void *memory_new(size_t count, size_t size)
{
	size_t bytes = 0;
	void *p = NULL;

	if (product(count, size, &bytes))
		return NULL;
	bytes = (bytes + 63) / 64 * 64;
	if (!bytes)
		bytes = 64;
	if (posix_memalign(&p, 64, bytes))
		return refused(bytes);
	memset(p, 0, bytes);
	return p;
}

void *memory_grow(void *old, size_t count, size_t size)
{
	size_t bytes = 0;
	void *p;

	if (product(count, size, &bytes))
		return NULL;
	p = realloc(old, bytes ? bytes : 1);
	return p ? p : refused(bytes);
}

char *memory_string(const char *text)
{
	char *p = strdup(text);

	return p ? p : refused(strlen(text) + 1);
}

char *memory_format(const char *format, ...)
{
	va_list ap;
	char *p = NULL;

	va_start(ap, format);
	if (vasprintf(&p, format, ap) < 0)
		p = NULL;
	va_end(ap);
	return p ? p : refused(0);
}

size_t memory_sum(const struct memory_part *parts, int count)
{
	size_t bytes = 0;

	for (int i = 0; i < count; i++)
		bytes += parts[i].bytes;
	return bytes;
}
