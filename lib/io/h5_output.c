/*
 * Where written files go. A regular target: a temporary beside it, fsync, rename, fsync of the
 * folder. Anything else (standard output, a device, a named pipe): an unlinked temporary in
 * $TMPDIR, copied there when whole.
 *
 * Temporaries are named TARGET.tmp-HOST-PID-N, HOST being a hash of the machine and its process
 * numbers' namespace. A process that was killed leaves its own; the next writer of the same target
 * removes those whose process is gone.
 */
#include "lib/io/h5_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "lib/io/spool.h"

static unsigned host_tag(void)
{
	struct utsname u;
	struct stat st;
	unsigned h = 2166136261u;

	if (!uname(&u))
		for (const char *p = u.nodename; *p; p++)
			h = (h ^ (unsigned char)*p) * 16777619u;
	if (!stat("/proc/self/ns/pid", &st))
		h = (h ^ (unsigned)st.st_ino) * 16777619u;
	return h;
}

/* Removes the temporaries of this target whose process has gone. */
static void remove_stale(const char *target)
{
	char *a = strdup(target), *b = strdup(target), prefix[NAME_MAX + 1];
	DIR *d = a ? opendir(dirname(a)) : NULL;
	int n = b ? snprintf(prefix, sizeof(prefix), "%s.tmp-%08x-", basename(b), host_tag()) : -1;

	for (struct dirent *e; d && n > 0 && n < (int)sizeof(prefix) && (e = readdir(d));) {
		char *end;
		long pid;

		if (strncmp(e->d_name, prefix, n))
			continue;
		pid = strtol(e->d_name + n, &end, 10);
		if (pid > 0 && *end == '-' && kill((pid_t)pid, 0) && errno == ESRCH)
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
	free(a);
	free(b);
}

static int begin_spooled(struct h5 *f, int out)
{
	char *path;
	int status;

	f->out = out;
	if (isatty(out))
		return h5_error(f, STATUS_USAGE,
			"will not write HDF5 to a terminal: send it to a file with > or -o");
	status = spool_file(&path, &f->spool);
	if (status)
		return error_context(status, "%s", f->path);
	status = h5_create_file(f, path, H5F_ACC_TRUNC);
	unlink(path);
	free(path);
	return status;
}

static int begin_beside(struct h5 *f)
{
	static unsigned number;
	int status;

	remove_stale(f->target);
	f->temp =
		memory_format("%s.tmp-%08x-%d-%u", f->target, host_tag(), (int)getpid(), ++number);
	if (!f->temp)
		return STATUS_SYSTEM;
	/* no other living process has this name: what is there was left by one with our number */
	unlink(f->temp);
	status = h5_create_file(f, f->temp, H5F_ACC_EXCL);
	if (status) {
		unlink(f->temp); /* HDF5 leaves what it made before it failed */
		free(f->temp);
		f->temp = NULL;
	}
	return status;
}

int h5_output_begin(struct h5 *f)
{
	struct stat st;
	char *real;
	int out;

	if (!strcmp(f->target, "-"))
		return begin_spooled(f, STDOUT_FILENO);
	if (!stat(f->target, &st)) {
		if (S_ISDIR(st.st_mode))
			return h5_error(f, STATUS_CANTCREATE, "is a folder");
		if (!S_ISREG(st.st_mode)) {
			out = open(f->target, O_WRONLY | O_CLOEXEC | O_NOCTTY);
			if (out < 0)
				return h5_error(f, STATUS_CANTCREATE, "cannot be opened: %s",
					strerror(errno));
			return begin_spooled(f, out);
		}
		/* a link stays, what it names is replaced */
		real = realpath(f->target, NULL);
		if (real) {
			free(f->target);
			f->target = real;
		}
	}
	return begin_beside(f);
}

static int sync_path(struct h5 *f, const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags), failed;

	if (fd < 0)
		return h5_error(f, STATUS_IO, "cannot be flushed: %s", strerror(errno));
	failed = fsync(fd) && errno != EINVAL && errno != EROFS ? errno : 0;
	close(fd);
	return failed ? h5_error(f, STATUS_IO, "cannot be flushed: %s", strerror(failed)) : 0;
}

static int allowed(const struct h5 *f)
{
	return f->guard.allowed ? f->guard.allowed(f->guard.data) : 0;
}

static int rename_temp(struct h5 *f)
{
	struct stat st;
	char *folder;
	int status;

	if (!stat(f->target, &st) && S_ISREG(st.st_mode))
		chmod(f->temp, st.st_mode & 0777);
	TRY(sync_path(f, f->temp, 0));
	TRY(allowed(f));
	if (rename(f->temp, f->target))
		return h5_error(f, STATUS_IO, "cannot be put in place: %s", strerror(errno));
	free(f->temp);
	f->temp = NULL;
	folder = memory_string(f->target);
	if (!folder)
		return STATUS_SYSTEM;
	status = sync_path(f, dirname(folder), O_DIRECTORY);
	free(folder);
	return status;
}

void h5_set_guard(struct h5 *f, const struct h5_guard *g)
{
	f->guard = *g;
}

int h5_output_end(struct h5 *f)
{
	hid_t id = f->file;

	if (H5Fclose(id) < 0)
		return h5_failed(f, STATUS_IO, "cannot be written");
	f->file = -1;
	if (f->temp)
		return rename_temp(f);
	TRY(allowed(f));
	return error_context(spool_copy(f->spool, f->out), "%s", f->path);
}

/*
 * Gives up on what was written. HDF5 cannot close a file that it cannot flush: its descriptor is
 * pointed at memory first, where what is left in its caches (a few MiB) can always be written.
 */
void h5_output_forget(struct h5 *f)
{
	void *handle = NULL;
	int memory;

	if (f->temp)
		unlink(f->temp);
	if (f->file < 0)
		return;
	memory = memfd_create("forgotten", MFD_CLOEXEC);
	if (memory >= 0 && H5Fget_vfd_handle(f->file, H5P_DEFAULT, &handle) >= 0 && handle)
		dup3(memory, *(int *)handle, O_CLOEXEC);
	if (memory >= 0)
		close(memory);
}
