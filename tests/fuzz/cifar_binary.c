/* A CIFAR-100 batch, given by a path as pack-images has it. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/data/collection.h"
#include "lib/data/subset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct collection c, rest = {0};
	int fd = memfd_create("batch", 0);
	char path[64];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	collection_init(&c, size & 1);
	if (!collection_add(&c, path, SOURCE_CIFAR100) && !collection_finish(&c))
		collection_holdout(&c, 1, 1, &rest);
	collection_release_rest(&rest);
	collection_release(&c);
	close(fd);
	return 0;
}
