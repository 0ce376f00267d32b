#include "lib/io/pth_internal.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum pth_form pth_like(const unsigned char *file, size_t size)
{
	static const unsigned char legacy[] = {
		0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

	if (size >= 4 && !memcmp(file, "PK\3\4", 4))
		return PTH_ZIP;
	return size >= sizeof(legacy) && !memcmp(file, legacy, sizeof(legacy)) ? PTH_LEGACY
									       : PTH_NONE;
}

/* --- storages --- */

static const struct {
	const char *global;
	enum number_type type;
} storage_types[] = {
	{"torch\nFloatStorage", NUMBER_F32},
	{"torch\nHalfStorage", NUMBER_F16},
	{"torch\nBFloat16Storage", NUMBER_BF16},
	{"torch\nDoubleStorage", NUMBER_F64},
	{"torch\nLongStorage", NUMBER_I64},
	{"torch\nIntStorage", NUMBER_I32},
	{"torch\nShortStorage", NUMBER_I16},
	{"torch\nCharStorage", NUMBER_I8},
	{"torch\nByteStorage", NUMBER_U8},
	{"torch\nBoolStorage", NUMBER_BOOL},
	{"torch.storage\nUntypedStorage", NUMBER_U8},
};

static int read_view(struct storage *s, const struct value *v)
{
	if (v->kind == VALUE_NONE)
		return 0;
	if (v->kind != VALUE_TUPLE || v->count != 3 || v->items[1]->kind != VALUE_INT ||
		v->items[2]->kind != VALUE_INT)
		return error(STATUS_DATA, "a view of a storage is not (key, offset, size)");
	s->view = v->items[1]->integer;
	s->view_numel = v->items[2]->integer;
	if (s->view < 0 || s->view_numel < 0 || s->view > s->numel ||
		s->view_numel > s->numel - s->view)
		return error(STATUS_DATA, "a view of a storage lies outside it");
	return 0;
}

int storage_read(struct storage *s, const struct value *v)
{
	struct value **it = v->items;

	if (v->kind != VALUE_STORAGE || v->count < 5 || v->count > 6 ||
		!value_is(it[0], VALUE_TEXT, "storage") || it[1]->kind != VALUE_GLOBAL ||
		it[2]->kind != VALUE_TEXT || it[4]->kind != VALUE_INT)
		return error(STATUS_DATA, "a storage is not (type, key, location, size)");
	*s = (struct storage){.key = it[2], .numel = it[4]->integer, .view_numel = it[4]->integer};
	for (size_t i = 0; i < sizeof(storage_types) / sizeof(*storage_types); i++)
		if (value_is(it[1], VALUE_GLOBAL, storage_types[i].global)) {
			s->type = storage_types[i].type;
			if (s->numel < 0 || __builtin_mul_overflow(
						    s->numel, number_bits(s->type) / 8, &s->bytes))
				return error(STATUS_DATA, "a storage's size is impossible");
			return v->count == 6 ? read_view(s, it[5]) : 0;
		}
	return error(STATUS_DATA, "storages of type '%s' are not read",
		printable(it[1]->text, it[1]->length));
}

/* The bytes of a storage, with their checksum compared. */
static int find_bytes(struct pth *p, const struct storage *s, const unsigned char **data)
{
	struct stored key = {.key = s->key}, *stored;
	struct zip_member *member;
	char name[320];
	uint64_t bytes;

	if (p->zip.members) {
		if (s->key->length > 255 || memchr(s->key->text, 0, s->key->length))
			return error(STATUS_DATA, "a storage's key is too long");
		snprintf(name, sizeof(name), "data/%.*s", (int)s->key->length, s->key->text);
		member = zip_find(&p->zip, p->root, p->root_length, name);
		if (!member)
			return error(STATUS_DATA, "its storage '%s' is missing",
				printable(name, strlen(name)));
		TRY(zip_check(member));
		*data = member->data;
		bytes = member->size;
	} else {
		stored = p->stored_count ? bsearch(&key, p->stored, p->stored_count, sizeof(key),
						   stored_order)
					 : NULL;
		if (!stored)
			return error(STATUS_DATA, "its storage is missing");
		*data = stored->data;
		bytes = stored->bytes;
	}
	if (bytes != (uint64_t)s->bytes)
		return error(STATUS_DATA, "its storage has %llu bytes, not %lld",
			(unsigned long long)bytes, (long long)s->bytes);
	return 0;
}

/* --- tensors --- */

static int read_sizes(const struct value *v, int dims, int64_t *sizes)
{
	if (v->kind != VALUE_TUPLE || v->count > VIEW_DIMS || (dims >= 0 && v->count != dims))
		return error(STATUS_DATA, "its sizes are no tuple of at most %d", VIEW_DIMS);
	for (int i = 0; i < v->count; i++) {
		if (v->items[i]->kind != VALUE_INT || v->items[i]->integer < 0)
			return error(STATUS_DATA, "a size or stride is no whole number");
		sizes[i] = v->items[i]->integer;
	}
	return 0;
}

/* Every element lies in the storage; axes of one element may have any stride. */
static int check_strides(
	struct tensor_view *v, const int64_t *stride, int64_t offset, const struct storage *s)
{
	int64_t last = offset, reach;

	TRY(view_pack(v));
	if (offset < 0 || offset > s->view_numel || v->count > s->view_numel)
		return error(STATUS_DATA, "it is larger than its storage");
	for (int i = 0; i < v->dims && v->count; i++) {
		if (v->shape[i] > 1 && stride[i] != v->stride[i])
			v->packed = 0;
		if (v->shape[i] > 1 &&
			(__builtin_mul_overflow(v->shape[i] - 1, stride[i], &reach) ||
				__builtin_add_overflow(last, reach, &last)))
			return error(STATUS_DATA, "its strides overflow");
	}
	if (v->count && last >= s->view_numel)
		return error(STATUS_DATA, "it reaches beyond its storage");
	for (int i = 0; i < v->dims; i++)
		v->stride[i] = v->shape[i] > 1 && v->count ? stride[i] : 0;
	return 0;
}

/* (storage, offset, size, stride, requires_grad, hooks[, metadata]) */
static int read_tensor(struct pth *p, struct tensor_view *v, const struct value *tensor)
{
	struct value **it = tensor->items;
	int64_t stride[VIEW_DIMS];
	struct storage s;

	if (tensor->count < 6 || tensor->count > 7 || it[1]->kind != VALUE_INT)
		return error(STATUS_DATA, "it is not described by a storage, sizes and strides");
	TRY(storage_read(&s, it[0]));
	TRY(read_sizes(it[2], -1, v->shape));
	v->dims = it[2]->count;
	TRY(read_sizes(it[3], v->dims, stride));
	v->type = s.type;
	TRY(check_strides(v, stride, it[1]->integer, &s));
	TRY(find_bytes(p, &s, &v->data));
	v->data += (s.view + it[1]->integer) * (number_bits(v->type) / 8);
	return 0;
}

static int tensors_in(const struct value *dict)
{
	int n = 0;

	for (int i = 0; dict && dict->kind == VALUE_DICT && i < dict->count; i += 2)
		n += dict->items[i]->kind == VALUE_TEXT && dict->items[i + 1]->kind == VALUE_TENSOR;
	return n;
}

static int choose_dict(const struct value **dict, struct pth_found *found, const struct value *root,
	const char *key)
{
	static const char *const usual[] = {
		"model", "state_dict", "module", "model_state_dict", "student", NULL};

	if (root->kind != VALUE_DICT)
		return error(STATUS_DATA, "holds no dict: save a model's state_dict(), not the "
					  "model or a tensor");
	*dict = root;
	if (key) {
		*dict = value_member(root, key);
		if (!*dict || !tensors_in(*dict))
			return error(STATUS_DATA, "has no dict of tensors called '%.60s'", key);
		snprintf(found->key, sizeof(found->key), "%s", key);
		return 0;
	}
	for (int i = 0; usual[i]; i++)
		if (tensors_in(value_member(root, usual[i]))) {
			*dict = value_member(root, usual[i]);
			snprintf(found->key, sizeof(found->key), "%s", usual[i]);
			return 0;
		}
	if (tensors_in(root))
		return 0;
	return error(STATUS_DATA, "holds no dict of tensors under a usual name: name it with "
				  "--ckpt-key");
}

/* 1 when every tensor's name begins with it. */
static int common_prefix(const struct value *dict, const char *prefix)
{
	size_t n = strlen(prefix);

	for (int i = 0; i < dict->count; i += 2)
		if (dict->items[i + 1]->kind == VALUE_TENSOR &&
			dict->items[i]->kind == VALUE_TEXT &&
			(dict->items[i]->length <= n || memcmp(dict->items[i]->text, prefix, n)))
			return 0;
	return 1;
}

static int add_tensor(struct pth *p, struct tensor_views *list, const struct value *key,
	const struct value *tensor, int skip)
{
	const char *text = key->text + skip;
	size_t length = key->length - skip;
	char name[VIEW_NAME + 1];
	struct tensor_view v = {.name = name};

	TRY(view_check_name(text, length));
	memcpy(name, text, length);
	name[length] = 0;
	TRY(error_context(read_tensor(p, &v, tensor), "tensor '%.200s'", name));
	return views_add(list, &v);
}

static int read_dict(
	struct pth *p, struct tensor_views *list, struct pth_found *found, const char *key)
{
	const struct value *dict = NULL;
	int skip;

	TRY(choose_dict(&dict, found, pickle_root(p->pickle), key));
	found->stripped = common_prefix(dict, "module.");
	skip = found->stripped ? 7 : 0;
	for (int i = 0; i < dict->count; i += 2) {
		if (dict->items[i]->kind != VALUE_TEXT || dict->items[i + 1]->kind != VALUE_TENSOR)
			found->foreign++;
		else
			TRY(add_tensor(p, list, dict->items[i], dict->items[i + 1], skip));
	}
	return 0;
}

/* --- the two containers --- */

static int find_root(struct pth *p)
{
	static const char tail[] = "/data.pkl";
	size_t n = strlen(tail);

	for (int i = 0; i < p->zip.count; i++) {
		const struct zip_member *m = &p->zip.members[i];

		if (m->name_length <= n || memcmp(m->name + m->name_length - n, tail, n) ||
			memchr(m->name, '/', m->name_length - n))
			continue;
		if (p->root)
			return error(STATUS_DATA, "zip: more than one data.pkl");
		p->root = m->name;
		p->root_length = m->name_length - n + 1;
	}
	return p->root ? 0
		       : error(STATUS_DATA,
				 "zip: no data.pkl in it: this is not a file of torch.save");
}

static int open_zip(struct pth *p, const unsigned char *file, size_t size)
{
	struct zip_member *m;
	size_t used;

	TRY(zip_parse(&p->zip, file, size));
	TRY(find_root(p));
	m = zip_find(&p->zip, p->root, p->root_length, "byteorder");
	if (m && (!m->data || m->size != 6 || memcmp(m->data, "little", 6)))
		return error(STATUS_DATA, "its numbers are big-endian, which is not read");
	m = zip_find(&p->zip, p->root, p->root_length, "data.pkl");
	if (!m || m->size > PTH_PICKLE)
		return error(STATUS_DATA, "zip: data.pkl is too long");
	TRY(zip_check(m));
	return pickle_read(&p->pickle, m->data, m->size, &used);
}

int pth_parse(struct tensor_views *list, struct pth_found *found, const unsigned char *file,
	size_t size, const char *key)
{
	struct pickle *keys = NULL;
	struct pth p = {0};
	int status;

	memset(found, 0, sizeof(*found));
	found->form = pth_like(file, size);
	if (found->form == PTH_NONE)
		return error(STATUS_DATA, "not a file of torch.save");
	status = found->form == PTH_ZIP ? open_zip(&p, file, size)
					: pth_open_legacy(&p, &keys, file, size);
	if (!status)
		status = read_dict(&p, list, found, key);
	pickle_free(keys);
	pickle_free(p.pickle);
	zip_release(&p.zip);
	free(p.stored);
	return status;
}
