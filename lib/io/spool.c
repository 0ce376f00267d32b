#include "lib/io/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/io/h5_internal.h"

int spool_file(char **path, int *fd)
{
	const char *folder = getenv("TMPDIR");

	*fd = -1;
	*path = memory_format("%s/transmamba-XXXXXX", folder && folder[0] ? folder : "/tmp");
	if (!*path)
		return STATUS_SYSTEM;
	*fd = mkostemp(*path, O_CLOEXEC);
	if (*fd < 0) {
		int status = error(STATUS_CANTCREATE,
			"cannot create the temporary %s: %s: set TMPDIR to a folder with room",
			*path, strerror(errno));

		free(*path);
		*path = NULL;
		return status;
	}
	return 0;
}

static int write_all(int to, const char *data, ssize_t count)
{
	while (count > 0) {
		ssize_t n = write(to, data, count);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error(STATUS_IO, "cannot be written: %s",
				n ? strerror(errno) : "no room");
		data += n;
		count -= n;
	}
	return 0;
}

int spool_rest(int from, int to)
{
	char *block = memory_new(1, H5_BLOCK);
	int status = block ? 0 : STATUS_SYSTEM;

	while (!status) {
		ssize_t n = read(from, block, H5_BLOCK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			status = error(STATUS_NOINPUT, "cannot be read: %s", strerror(errno));
		if (n <= 0)
			break;
		status = write_all(to, block, n);
	}
	free(block);
	return status;
}

int spool_copy(int from, int to)
{
	if (lseek(from, 0, SEEK_SET) < 0)
		return error(STATUS_SYSTEM, "the temporary cannot be read: %s", strerror(errno));
	return spool_rest(from, to);
}

int h5_spool_input(char **path, char **temp)
{
	struct stat st;
	int fd, status;

	*path = *temp = NULL;
	if (isatty(STDIN_FILENO))
		return error(STATUS_NOINPUT, "standard input: is a terminal, an HDF5 file needed");
	if (fstat(STDIN_FILENO, &st))
		return error(STATUS_NOINPUT, "standard input: %s", strerror(errno));
	if (S_ISREG(st.st_mode) && st.st_nlink > 0) {
		*path = memory_string("/proc/self/fd/0");
		return *path ? 0 : STATUS_SYSTEM;
	}
	TRY(error_context(spool_file(temp, &fd), "standard input"));
	status = S_ISREG(st.st_mode) ? spool_copy(STDIN_FILENO, fd) : spool_rest(STDIN_FILENO, fd);
	close(fd);
	if (!status && !(*path = memory_string(*temp)))
		status = STATUS_SYSTEM;
	return error_context(status, "standard input");
}
