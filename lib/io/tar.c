#include "lib/io/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/tar_header.h"
#include "lib/io/utf8.h"

struct tar {
	char *path;
	int fd, seekable; /* fd -1: what is read lies in `outer` */
	struct tar *outer;
	int64_t end;	       /* bytes of the file, where it is seekable */
	int64_t at;	       /* bytes passed */
	int64_t left, padding; /* of the current member */
	char *name;	       /* of the current member */
	int started;
};

const char *tar_path(const struct tar *t)
{
	return t->path;
}

/* --- bytes --- */

/* *got is less than size only at the end. */
static int stream_read(struct tar *t, void *data, size_t size, size_t *got)
{
	*got = 0;
	if (t->outer) {
		struct tar *o = t->outer;

		*got = (int64_t)size < o->left ? size : (size_t)o->left;
		TRY(tar_read(o, data, *got));
		t->at += (int64_t)*got;
		return 0;
	}
	while (*got < size) {
		ssize_t n = read(t->fd, (char *)data + *got, size - *got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error(
				STATUS_DATA, "%s: cannot be read: %s", t->path, strerror(errno));
		if (n == 0)
			break;
		*got += (size_t)n;
	}
	t->at += (int64_t)*got;
	return 0;
}

static int cut(const struct tar *t)
{
	if (t->name)
		return error(STATUS_DATA,
			"%s: ends within %.200s, after %lld bytes: truncated, fetch it again",
			t->path, t->name, (long long)t->at);
	return error(STATUS_DATA,
		"%s: ends after %lld bytes without a mark of its end: truncated, "
		"fetch it again",
		t->path, (long long)t->at);
}

static int read_whole(struct tar *t, void *data, size_t size)
{
	size_t got;

	TRY(stream_read(t, data, size, &got));
	return got == size ? 0 : cut(t);
}

static int pass_over(struct tar *t, int64_t n)
{
	char buffer[1 << 16];

	if (t->outer) {
		struct tar *o = t->outer;

		if (n > o->left)
			return cut(t);
		TRY(pass_over(o, n));
		o->left -= n;
		t->at += n;
		return 0;
	}
	if (t->seekable) {
		if (n > t->end - t->at)
			return cut(t);
		if (n && lseek(t->fd, n, SEEK_CUR) < 0)
			return error(STATUS_DATA, "%s: %s", t->path, strerror(errno));
		t->at += n;
		return 0;
	}
	for (int64_t step; n > 0; n -= step) {
		step = n < (int64_t)sizeof(buffer) ? n : (int64_t)sizeof(buffer);
		TRY(read_whole(t, buffer, (size_t)step));
	}
	return 0;
}

/* --- opening --- */

int tar_begins(const void *data, size_t size)
{
	struct tar_header h;

	return size >= TAR_BLOCK && !tar_header_read(&h, data);
}

int tar_open(struct tar **out, const char *path)
{
	struct tar *t = memory_new(1, sizeof(*t));
	struct stat st;

	*out = NULL;
	if (!t)
		return STATUS_SYSTEM;
	t->path = memory_string(path);
	t->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	if (!t->path || t->fd < 0 || fstat(t->fd, &st)) {
		int status = t->path ? error(STATUS_NOINPUT, "%s: %s", path, strerror(errno))
				     : STATUS_SYSTEM;

		tar_close(&t);
		return status;
	}
	t->at = lseek(t->fd, 0, SEEK_CUR);
	t->seekable = S_ISREG(st.st_mode) && t->at >= 0;
	t->end = st.st_size;
	if (!t->seekable)
		t->at = 0;
	posix_fadvise(t->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	*out = t;
	return 0;
}

int tar_open_member(struct tar **out, struct tar *outer)
{
	struct tar *t = memory_new(1, sizeof(*t));

	*out = t;
	if (!t)
		return STATUS_SYSTEM;
	t->fd = -1;
	t->outer = outer;
	t->path = memory_format("%s: %s", outer->path, outer->name);
	if (t->path)
		return 0;
	tar_close(out);
	return STATUS_SYSTEM;
}

void tar_close(struct tar **p)
{
	struct tar *t = *p;

	*p = NULL;
	if (!t)
		return;
	if (t->fd > STDIN_FILENO)
		close(t->fd);
	free(t->path);
	free(t->name);
	free(t);
}

/* --- members --- */

/* The data of a header that is itself about the next one: a long name, or records of pax. */
static int read_extension(struct tar *t, const struct tar_header *h, char **text)
{
	if (h->size > TAR_EXTENSION_MAX)
		return error(STATUS_DATA, "%s: an extended header of %lld bytes: damaged", t->path,
			(long long)h->size);
	free(*text);
	*text = memory_new((size_t)h->size + 1, 1);
	if (!*text)
		return STATUS_SYSTEM;
	TRY(read_whole(t, *text, (size_t)h->size));
	return pass_over(t, -h->size & (TAR_BLOCK - 1));
}

/* The header at *found, after those about it; texts are what these said. */
struct extensions {
	char *name, *pax;
	int64_t pax_size;
};

/* The second of two blocks of zeros. */
static int read_end(struct tar *t)
{
	char block[TAR_BLOCK];
	size_t got;

	TRY(stream_read(t, block, sizeof(block), &got));
	if (got < sizeof(block))
		return cut(t);
	for (size_t i = 0; i < sizeof(block); i++)
		if (block[i])
			return error(STATUS_DATA, "%s: a header is damaged, after %lld bytes",
				t->path, (long long)t->at - 2 * TAR_BLOCK);
	return 0;
}

static int read_headers(
	struct tar *t, struct tar_header *h, struct extensions *e, XXH64_state_t *mark, int *found)
{
	unsigned char block[TAR_BLOCK];

	for (*found = 1;;) {
		size_t got;
		int bad;

		TRY(stream_read(t, block, sizeof(block), &got));
		if (!t->started && !got)
			return error(STATUS_DATA, "%s: is empty", t->path);
		if (got < sizeof(block))
			return cut(t);
		bad = tar_header_read(h, block);
		if (bad == TAR_END) {
			*found = 0;
			return e->name || e->pax ? cut(t) : read_end(t);
		}
		if (bad)
			return error(STATUS_DATA,
				t->started ? "%s: a header is damaged, after %lld bytes"
					   : "%s: is no tar archive",
				t->path, (long long)t->at - TAR_BLOCK);
		t->started = 1;
		XXH64_update(mark, block, sizeof(block));
		if (h->type == 'L')
			TRY(read_extension(t, h, &e->name));
		else if (h->type == 'x')
			TRY(read_extension(t, h, &e->pax));
		else if (h->type == 'g' || h->type == 'K')
			TRY(pass_over(t, tar_padded(h->size)));
		else
			return 0;
	}
}

static int refuse(const struct tar *t, const char *name, const char *why)
{
	char text[200];

	snprintf(text, sizeof(text), "%s", name);
	utf8_clean(text);
	return error(STATUS_DATA, "%s: %s: %s", t->path, text[0] ? text : "a member", why);
}

static int settle(struct tar *t, struct tar_header *h, struct extensions *e)
{
	const char *name = h->name, *why;

	if (e->name)
		name = e->name;
	if (e->pax) {
		if (tar_pax_read(e->pax, &name, &h->size))
			return refuse(t, h->name, "its extended header is damaged");
	}
	why = tar_refuses(h, name);
	if (why)
		return refuse(t, name, why);
	while (name[0] == '.' && name[1] == '/')
		for (name += 2; name[0] == '/';)
			name++;
	t->name = memory_string(name);
	return t->name ? 0 : STATUS_SYSTEM;
}

int tar_next(struct tar *t, struct tar_member *m, int *found)
{
	struct extensions e = {0};
	struct tar_header h;
	XXH64_state_t *mark;
	int status;

	*m = (struct tar_member){0};
	*found = 0;
	TRY(pass_over(t, t->left));
	t->left = 0;
	TRY(pass_over(t, t->padding));
	t->padding = 0;
	free(t->name);
	t->name = NULL;
	mark = XXH64_createState();
	if (!mark)
		return error(STATUS_SYSTEM, "out of memory");
	XXH64_reset(mark, 0);
	status = read_headers(t, &h, &e, mark, found);
	if (!status && *found)
		status = settle(t, &h, &e);
	if (!status && *found) {
		t->left = tar_is_folder(&h) ? 0 : h.size;
		t->padding = -t->left & (TAR_BLOCK - 1);
		*m = (struct tar_member){t->name, tar_is_folder(&h), t->left, XXH64_digest(mark)};
	}
	free(e.name);
	free(e.pax);
	XXH64_freeState(mark);
	return status;
}

int tar_read(struct tar *t, void *data, size_t size)
{
	if ((int64_t)size > t->left)
		return error(STATUS_BUG, "%s: more is read than %s has", t->path, t->name);
	TRY(read_whole(t, data, size));
	t->left -= (int64_t)size;
	return 0;
}
