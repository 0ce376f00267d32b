/*
 * A tar archive, nested or not, from a file and, by the first bit of its size, from a pipe-like
 * stream: names, headers, ends. Nothing is decoded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/io/tar.h"

static int is_archive(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && !strcmp(name + n - 4, ".tar");
}

static void walk(struct tar *t, int depth)
{
	struct tar_member m;
	char data[700];
	int found = 1;

	while (!tar_next(t, &m, &found) && found) {
		struct tar *inner;

		/* what the reader promises */
		if (m.name[0] == '/' || !strncmp(m.name, "../", 3) || strstr(m.name, "/../") ||
			m.size < 0)
			abort();
		if (is_archive(m.name) && depth < 3 && !tar_open_member(&inner, t)) {
			walk(inner, depth + 1);
			tar_close(&inner);
		} else if (!m.is_folder) {
			if (tar_read(t, data, m.size < 700 ? (size_t)m.size : 700))
				return;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("archive", 0);
	struct tar *t;
	char path[64];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return 0;
	tar_begins(data, size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!tar_open(&t, path)) {
		walk(t, 0);
		tar_close(&t);
	}
	close(fd);
	return 0;
}
