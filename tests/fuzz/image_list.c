/*
 * A list of images; the first byte says with or without labels, wanted classes, another share.
 * Labels of five digits are left out: making as many classes is right, and slow.
 */
#include <ctype.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/data/collection.h"
#include "lib/data/subset.h"

static int has_long_number(const uint8_t *data, size_t size)
{
	int digits = 0;

	for (size_t i = 0; i < size && digits < 5; i++)
		digits = isdigit(data[i]) ? digits + 1 : 0;
	return digits == 5;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct collection c;
	struct share half = {1, 2, 0}, odd = {1, 1, 1.3};
	int fd = memfd_create("list", 0), how = size ? data[0] : 0;
	char path[64];

	if (has_long_number(data, size)) {
		close(fd);
		return 0;
	}
	if (fd < 0 || (size && write(fd, data + 1, size - 1) != (ssize_t)size - 1))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	collection_init(&c, how & 1);
	if (!(how & 2 && collection_want(&c, path)) &&
		!collection_add(&c, path, how & 4 ? SOURCE_AUTO : SOURCE_LIST) &&
		!collection_finish(&c))
		collection_share(&c, how & 8 ? &half : &odd, 1);
	collection_release(&c);
	close(fd);
	return 0;
}
