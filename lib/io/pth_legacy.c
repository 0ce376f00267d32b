#include "lib/io/pth_internal.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

#include <stdlib.h>
#include <string.h>

int value_order(const struct value *a, const struct value *b)
{
	size_t n = a->length < b->length ? a->length : b->length;
	int order = memcmp(a->text, b->text, n);

	return order ? order : (a->length > b->length) - (a->length < b->length);
}

int stored_order(const void *a, const void *b)
{
	return value_order(((const struct stored *)a)->key, ((const struct stored *)b)->key);
}

/* One of the pickles in a row. *at moves on. */
static int next_pickle(struct pickle **out, const unsigned char *file, size_t size, size_t *at)
{
	size_t left = size - *at, used;

	TRY(pickle_read(out, file + *at, left < PTH_PICKLE ? left : PTH_PICKLE, &used));
	*at += used;
	return 0;
}

/* Protocol 1001, and a dict that says how numbers were written. */
static int check_system(const unsigned char *file, size_t size, size_t *at)
{
	const struct value *little;
	struct pickle *p;
	int wrong;

	TRY(next_pickle(&p, file, size, at));
	wrong = pickle_root(p)->kind != VALUE_INT || pickle_root(p)->integer != 1001;
	pickle_free(p);
	if (wrong)
		return error(STATUS_DATA, "its protocol is not 1001");
	TRY(next_pickle(&p, file, size, at));
	little = value_member(pickle_root(p), "little_endian");
	wrong = !little || little->kind != VALUE_BOOL || !little->integer;
	pickle_free(p);
	return wrong ? error(STATUS_DATA, "its numbers are not little-endian") : 0;
}

static int by_storage(const void *a, const void *b)
{
	return value_order((*(const struct value *const *)a)->items[2],
		(*(const struct value *const *)b)->items[2]);
}

/* All storages of the pickle that are storages by the rules, sorted by key. */
static int sorted_storages(struct pth *p, const struct value ***out, int *count)
{
	const struct value *v;
	struct storage s;
	int n = 0;

	while (pickle_storage(p->pickle, n))
		n++;
	*count = 0;
	*out = memory_new(n, sizeof(**out));
	if (!*out)
		return STATUS_SYSTEM;
	for (int i = 0; (v = pickle_storage(p->pickle, i)); i++) {
		TRY(storage_read(&s, v));
		(*out)[(*count)++] = v;
	}
	if (n)
		qsort(*out, n, sizeof(**out), by_storage);
	return 0;
}

/* A storage of that key, for its type. */
static const struct value *find_storage(
	const struct value **sorted, int count, const struct value *key)
{
	for (int low = 0, high = count; low < high;) {
		int mid = low + (high - low) / 2;
		int order = value_order(key, sorted[mid]->items[2]);

		if (!order)
			return sorted[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* In the order of the keys: the number of elements, and their bytes. */
static int read_stored(struct pth *p, const struct value *keys, const struct value **sorted,
	int count, const unsigned char *file, size_t size, size_t at)
{
	for (int i = 0; i < keys->count; i++) {
		const struct value *key = keys->items[i], *v;
		struct storage s;
		int64_t numel;

		v = key->kind == VALUE_TEXT ? find_storage(sorted, count, key) : NULL;
		if (!v)
			return error(STATUS_DATA, "a storage that no tensor speaks of");
		TRY(storage_read(&s, v));
		if (size - at < 8)
			return error(STATUS_DATA, "cut short among the storages");
		memcpy(&numel, file + at, 8);
		at += 8;
		if (numel != s.numel || (uint64_t)s.bytes > size - at)
			return error(STATUS_DATA,
				"a storage of %lld elements is cut short or "
				"not as large as its tensors say",
				(long long)s.numel);
		p->stored[p->stored_count++] = (struct stored){key, file + at, s.bytes};
		at += s.bytes;
	}
	if (at != size)
		return error(STATUS_DATA, "%zu bytes after the last storage", size - at);
	if (p->stored_count)
		qsort(p->stored, p->stored_count, sizeof(*p->stored), stored_order);
	for (int i = 1; i < p->stored_count; i++)
		if (!stored_order(&p->stored[i - 1], &p->stored[i]))
			return error(STATUS_DATA, "a storage is there twice");
	return 0;
}

int pth_open_legacy(struct pth *p, struct pickle **keys, const unsigned char *file, size_t size)
{
	const struct value **sorted = NULL, *list;
	size_t at = 15; /* the magic number's pickle, compared by pth_like */
	int count, status;

	TRY(check_system(file, size, &at));
	TRY(next_pickle(&p->pickle, file, size, &at));
	TRY(next_pickle(keys, file, size, &at));
	list = pickle_root(*keys);
	if (list->kind != VALUE_LIST)
		return error(STATUS_DATA, "no list of storages after the pickle");
	status = sorted_storages(p, &sorted, &count);
	p->stored = memory_new(list->count, sizeof(*p->stored));
	if (!status)
		status = p->stored ? read_stored(p, list, sorted, count, file, size, at)
				   : STATUS_SYSTEM;
	free(sorted);
	return status;
}
