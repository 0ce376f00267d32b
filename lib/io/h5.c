/* Opening, creating, committing and closing. */
#include "lib/io/h5_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/io/join.h"

static int new_file(struct h5 **f, const char *path, const char *shown)
{
	struct h5 *p = memory_new(1, sizeof(*p));

	*f = NULL;
	if (!p)
		return STATUS_SYSTEM;
	p->file = -1;
	p->spool = p->out = -1;
	p->path = memory_string(strcmp(path, "-") ? path : shown);
	if (!p->path) {
		free(p);
		return STATUS_SYSTEM;
	}
	*f = p;
	return 0;
}

static void free_file(struct h5 *f)
{
	h5_sets_free(f);
	if (f->spool >= 0)
		close(f->spool);
	if (f->out > STDERR_FILENO)
		close(f->out);
	free(f->path);
	free(f->kind);
	free(f->temp);
	free(f->target);
	free(f);
}

/* What HDF5 would say less clearly: missing, a folder, empty, something else. */
static int look(struct h5 *f, const char *path)
{
	static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
	unsigned char head[8];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return h5_error(f, STATUS_NOINPUT, "%s", strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return h5_error(f, STATUS_NOINPUT,
			S_ISDIR(st.st_mode) ? "is a folder, an HDF5 file is needed"
					    : "is not a regular file: use - to read from a pipe");
	}
	f->size = st.st_size;
	do
		n = read(fd, head, sizeof(head));
	while (n < 0 && errno == EINTR);
	close(fd);
	if (n < 0)
		return h5_error(f, STATUS_NOINPUT, "cannot be read: %s", strerror(errno));
	if (n == 0)
		return h5_error(f, STATUS_DATA, "is empty: an HDF5 file is needed");
	if (n < (ssize_t)sizeof(head) || memcmp(head, signature, sizeof(head)))
		return h5_error(f, STATUS_DATA, "is not an HDF5 file");
	return 0;
}

static int has_kind(const char *kinds, const char *kind)
{
	size_t n = strlen(kind);

	for (const char *p = kinds; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
		if (!strncmp(p, kind, n) && (p[n] == 0 || p[n] == '|'))
			return 1;
	return 0;
}

/* Rows are missing in it, which no reader could know. */
static int refuse_part(struct h5 *f)
{
	struct part p;

	if (!h5_has_attribute(f, "part"))
		return 0;
	TRY(part_of_file(f, &p));
	return h5_error(f, STATUS_DATA, "is part %lld of %lld: join-parts puts them together",
		(long long)p.index, (long long)p.count);
}

static int check_kind(struct h5 *f, const char *kind)
{
	int64_t version;

	if (!h5_has_attribute(f, "kind") || !h5_has_attribute(f, "format_version"))
		return h5_error(f, STATUS_DATA,
			"is HDF5, but not a file of transmamba: it lacks the attributes kind and "
			"format_version");
	TRY(h5_get_text(f, "kind", &f->kind));
	TRY(h5_get_int(f, "format_version", &version));
	if (version != H5_FORMAT_VERSION)
		return h5_error(f, STATUS_DATA,
			"has format version %lld, this program reads %d: use the version of "
			"transmamba that wrote it",
			(long long)version, H5_FORMAT_VERSION);
	if (kind && !has_kind(kind, f->kind))
		return h5_error(f, STATUS_DATA, "holds %.40s, %s needed", f->kind, kind);
	return kind ? refuse_part(f) : 0;
}

static int open_path(struct h5 *f, const char *path)
{
	hid_t access;

	TRY(look(f, path));
	TRY(h5_probe(f, path));
	access = H5Pcreate(H5P_FILE_ACCESS);
	if (access < 0 || H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0)
		return h5_failed(f, STATUS_SYSTEM, "cannot be opened");
	f->file = H5Fopen(path, H5F_ACC_RDONLY, access);
	if (f->file < 0)
		h5_failed(f, STATUS_DATA, "damaged or not whole");
	H5Pclose(access);
	return f->file < 0 ? STATUS_DATA : 0;
}

int h5_open(struct h5 **out, const char *path, const char *kind)
{
	struct h5 *f;
	char *from = NULL, *temp = NULL;
	int status;

	TRY(new_file(out, path, "standard input"));
	f = *out;
	h5_library_start();
	if (strcmp(path, "-"))
		status = open_path(f, path);
	else {
		status = h5_spool_input(&from, &temp);
		if (!status)
			status = open_path(f, from);
		if (temp)
			unlink(temp);
		free(from);
		free(temp);
	}
	if (!status)
		status = check_kind(f, kind);
	if (status)
		h5_close(out);
	return status;
}

/* Properties that make equal content equal bytes, readable by every HDF5. */
int h5_create_file(struct h5 *f, const char *path, unsigned flags)
{
	unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
	hid_t create = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);

	if (create >= 0 && access >= 0 && H5Pset_obj_track_times(create, 0) >= 0 &&
		H5Pset_link_creation_order(create, order) >= 0 &&
		H5Pset_attr_creation_order(create, order) >= 0 &&
		H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0 &&
		H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V110) >= 0)
		f->file = H5Fcreate(path, flags, create, access);
	if (f->file < 0)
		h5_failed(f, STATUS_CANTCREATE, "cannot be created");
	H5Pclose(create);
	H5Pclose(access);
	return f->file < 0 ? f->failed : 0;
}

int h5_create(struct h5 **out, const char *path, const char *kind)
{
	struct h5 *f;
	int status;

	TRY(new_file(out, path, "standard output"));
	f = *out;
	f->writer = 1;
	h5_library_start();
	f->kind = memory_string(kind);
	f->target = memory_string(path);
	status = f->kind && f->target ? h5_output_begin(f) : STATUS_SYSTEM;
	if (!status)
		status = h5_put_text(f, "kind", kind);
	if (!status)
		status = h5_put_int(f, "format_version", H5_FORMAT_VERSION);
	if (status)
		h5_close(out);
	return status;
}

static int finish(struct h5 *f)
{
	char hash[80];

	if (f->failed)
		return f->failed;
	TRY(h5_axes_write(f));
	TRY(h5_hash_tensors(f, hash));
	TRY(h5_put_text(f, "content_hash", hash));
	for (int i = 0; i < f->count; i++)
		TRY(h5_set_close(f, f->sets[i]));
	if (H5Fflush(f->file, H5F_SCOPE_GLOBAL) < 0)
		return h5_failed(f, STATUS_IO, "cannot be written");
	return h5_output_end(f);
}

int h5_commit(struct h5 **out)
{
	struct h5 *f = *out;
	int status = f->writer ? finish(f) : error(STATUS_BUG, "%s: commit of a reader", f->path);

	h5_close(out);
	return status;
}

void h5_close(struct h5 **out)
{
	struct h5 *f = *out;

	if (!f)
		return;
	*out = NULL;
	if (f->writer)
		h5_output_forget(f);
	h5_sets_free(f);
	if (f->file >= 0)
		H5Fclose(f->file);
	free_file(f);
}

const char *h5_path(const struct h5 *f)
{
	return f->path;
}

const char *h5_kind(const struct h5 *f)
{
	return f->kind;
}
