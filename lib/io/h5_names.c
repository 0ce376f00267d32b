/* Lists of names: the root's datasets, an object's attributes. */
#include "lib/io/h5_internal.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 1000000

struct list {
	char **names;
	int count, room, failed;
	hid_t group;
	int attributes;
};

static herr_t add(struct list *l, const char *name)
{
	if (l->count == l->room) {
		char **names = NULL;

		if (l->count < NAMES_MAX)
			names = memory_grow(l->names, l->room = l->room * 2 + 16, sizeof(*names));
		if (!names) {
			l->failed = 1;
			return -1;
		}
		l->names = names;
	}
	l->names[l->count] = strdup(name);
	if (!l->names[l->count]) {
		l->failed = 1;
		return -1;
	}
	l->count++;
	return 0;
}

/* Soft and external links are left out: a file must not lead elsewhere. */
static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
	struct list *l = data;
	H5O_info_t object;
	hid_t id;
	int wanted;

	if (info->type != H5L_TYPE_HARD)
		return 0;
	if (H5Oget_info_by_name1(group, name, &object, H5P_DEFAULT) < 0)
		return -1;
	if (object.type != H5O_TYPE_DATASET)
		return 0;
	id = H5Dopen2(group, name, H5P_DEFAULT);
	if (id < 0)
		return -1;
	wanted = !h5_is_axis(id);
	H5Dclose(id);
	return wanted ? add(l, name) : 0;
}

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *data)
{
	return add(data, name);
}

/* In order of creation where that is kept. */
static int gather(struct list *l)
{
	hid_t group = H5Gopen2(l->group, ".", H5P_DEFAULT), create = H5Gget_create_plist(group);
	H5_index_t order = H5_INDEX_NAME;
	unsigned flags = 0;
	hsize_t at = 0;
	int failed;

	if ((l->attributes ? H5Pget_attr_creation_order(create, &flags)
			   : H5Pget_link_creation_order(create, &flags)) >= 0 &&
		(flags & H5P_CRT_ORDER_TRACKED))
		order = H5_INDEX_CRT_ORDER;
	H5Pclose(create);
	failed = (l->attributes ? H5Aiterate2(group, order, H5_ITER_INC, &at, visit_attribute, l)
				: H5Literate(group, order, H5_ITER_INC, &at, visit_link, l)) < 0;
	H5Gclose(group);
	return failed;
}

/* One block: the pointers, then the texts. */
static char **pack(const struct list *l)
{
	size_t bytes = ((size_t)l->count + 1) * sizeof(char *);
	char **block, *p;

	for (int i = 0; i < l->count; i++)
		bytes += strlen(l->names[i]) + 1;
	block = memory_new(1, bytes);
	if (!block)
		return NULL;
	p = (char *)(block + l->count + 1);
	for (int i = 0; i < l->count; i++) {
		block[i] = p;
		p = stpcpy(p, l->names[i]) + 1;
	}
	return block;
}

int h5_names_of(struct h5 *f, hid_t group, int attributes, char ***names, int *count)
{
	struct list l = {.group = group, .attributes = attributes};
	int status = 0;

	*names = NULL;
	*count = 0;
	if (gather(&l))
		status = l.failed ? h5_error(f, STATUS_DATA, "too many names")
				  : h5_failed(f, STATUS_DATA, "its list of names is damaged");
	if (!status && !(*names = pack(&l)))
		status = STATUS_SYSTEM;
	if (!status)
		*count = l.count;
	for (int i = 0; i < l.count; i++)
		free(l.names[i]);
	free(l.names);
	return status;
}

int h5_names(struct h5 *f, char ***names, int *count)
{
	return h5_names_of(f, f->file, 0, names, count);
}

int h5_attributes(struct h5 *f, char ***names, int *count)
{
	return h5_names_of(f, f->file, 1, names, count);
}
