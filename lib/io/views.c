#include "lib/io/views.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int views_add(struct tensor_views *list, const struct tensor_view *v)
{
	if (list->count == VIEW_MAX)
		return error(STATUS_DATA, "more than %d tensors", VIEW_MAX);
	if (list->count == list->room) {
		int room = list->room ? 2 * list->room : 64;
		void *items = memory_grow(list->items, room, sizeof(*list->items));

		if (!items)
			return STATUS_SYSTEM;
		list->items = items;
		list->room = room;
	}
	list->items[list->count] = *v;
	list->items[list->count].name = memory_string(v->name);
	if (!list->items[list->count].name)
		return STATUS_SYSTEM;
	list->count++;
	return 0;
}

void views_release(struct tensor_views *list)
{
	for (int i = 0; i < list->count; i++)
		free(list->items[i].name);
	free(list->items);
	memset(list, 0, sizeof(*list));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct tensor_view *)a)->name, ((const struct tensor_view *)b)->name);
}

int views_sort(struct tensor_views *list)
{
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), by_name);
	for (int i = 1; i < list->count; i++)
		if (!strcmp(list->items[i].name, list->items[i - 1].name))
			return error(
				STATUS_DATA, "tensor '%.200s' is there twice", list->items[i].name);
	return 0;
}

const struct tensor_view *views_find(const struct tensor_views *list, const char *name)
{
	struct tensor_view key = {.name = (char *)name};

	if (!list->count)
		return NULL;
	return bsearch(&key, list->items, list->count, sizeof(*list->items), by_name);
}

int view_pack(struct tensor_view *v)
{
	int empty = 0;

	v->count = 1;
	v->packed = 1;
	for (int i = v->dims - 1; i >= 0; i--) {
		v->stride[i] = v->count;
		empty |= v->shape[i] == 0;
		if (v->shape[i] < 0 ||
			(v->shape[i] && __builtin_mul_overflow(v->count, v->shape[i], &v->count)))
			return error(STATUS_DATA, "sizes overflow");
	}
	if (empty)
		v->count = 0;
	return 0;
}

int view_check_name(const char *name, size_t length)
{
	char copy[VIEW_NAME + 1], shown[VIEW_NAME + 1];

	if (length < 1 || length > VIEW_NAME)
		return error(STATUS_DATA, "a tensor's name has %zu bytes, not 1 to %d", length,
			VIEW_NAME);
	memcpy(copy, name, length);
	copy[length] = 0;
	strcpy(shown, copy);
	utf8_clean(shown);
	if (strlen(copy) != length || strcmp(shown, copy))
		return error(
			STATUS_DATA, "a tensor's name holds a control character or is not UTF-8");
	return 0;
}

const char *printable(const char *text, size_t length)
{
	static __thread char buffers[4][201];
	static __thread int turn;
	char *out = buffers[turn = (turn + 1) % 4];
	size_t n = length < 200 ? length : 200;

	for (size_t i = 0; i < n; i++)
		out[i] = text[i] ? text[i] : '?';
	out[n] = 0;
	utf8_clean(out);
	return out;
}

int file_map_open(struct file_map *m, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), missing;
	struct stat st;
	void *data;

	memset(m, 0, sizeof(*m));
	if (fd < 0) {
		missing = errno == ENOENT || errno == ENOTDIR;
		return error(STATUS_NOINPUT, "%s: %s%s", path, strerror(errno),
			missing ? ": give the path of a checkpoint" : "");
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return error(STATUS_DATA,
			"%s: not a regular file: checkpoints are mapped, so "
			"copy a pipe's bytes into a file first",
			path);
	}
	if (st.st_size == 0) {
		close(fd);
		return 0;
	}
	data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (data == MAP_FAILED)
		return error(STATUS_SYSTEM, "%s: cannot be mapped: %s", path, strerror(errno));
	m->data = data;
	m->size = st.st_size;
	return 0;
}

void file_map_close(struct file_map *m)
{
	if (m->data)
		munmap((void *)m->data, m->size);
	memset(m, 0, sizeof(*m));
}

void file_map_forget(const unsigned char *data, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)data + page - 1) / page * page;
	uintptr_t to = ((uintptr_t)data + size) / page * page;

	if (to > from)
		madvise((void *)from, to - from, MADV_DONTNEED);
}
