#include "lib/data/collection.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/tar.h"
#include "lib/io/utf8.h"

const char *const source_formats[] = {"auto", "folder", "list", "cifar100", "hdf5", "tar", NULL};

struct class_node {
	const char *name;
	int64_t id;
};

static int node_order(const void *a, const void *b)
{
	return strcmp(((const struct class_node *)a)->name, ((const struct class_node *)b)->name);
}

static int name_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void collection_init(struct collection *c, int labelled)
{
	*c = (struct collection){.labelled = labelled};
}

static void strings_free(char **strings, int64_t count)
{
	for (int64_t i = 0; strings && i < count; i++)
		free(strings[i]);
	free(strings);
}

void collection_release(struct collection *c)
{
	for (int64_t i = 0; i < c->count; i++)
		free(c->items[i].name);
	free(c->items);
	for (int64_t i = 0; i < c->source_count; i++) {
		struct source *s = &c->sources[i];

		free(s->path);
		free(s->root);
		free(s->classes);
		dataset_close(s->data);
		if (s->fd >= 0)
			close(s->fd);
	}
	free(c->sources);
	tdestroy(c->class_tree, free);
	strings_free(c->classes, c->class_count);
	strings_free(c->wanted, c->wanted_count);
	collection_init(c, 0);
}

int64_t collection_class(struct collection *c, const char *name)
{
	struct class_node *node = malloc(sizeof(*node)), **found;
	char **grown;

	if (!node)
		return -1;
	*node = (struct class_node){name, c->class_count};
	found = tsearch(node, &c->class_tree, node_order);
	if (!found || *found != node) {
		free(node);
		return found ? (*found)->id : -1;
	}
	if (c->class_count == c->class_room) {
		c->class_room = 2 * c->class_room + 64;
		grown = memory_grow(c->classes, (size_t)c->class_room, sizeof(*c->classes));
		if (!grown)
			return -1;
		c->classes = grown;
	}
	node->name = c->classes[c->class_count] = memory_string(name);
	if (!node->name) {
		tdelete(node, &c->class_tree, node_order);
		free(node);
		return -1;
	}
	return c->class_count++;
}

/* Names go into the file as UTF-8: better refused now than after hours of packing. */
static int name_check(const struct collection *c, const char *name)
{
	char text[256];

	if (utf8_valid(name))
		return 0;
	snprintf(text, sizeof(text), "%s", name);
	utf8_clean(text);
	return error(STATUS_DATA, "%s: the name '%s' is not UTF-8: rename it",
		c->sources[c->source_count - 1].path, text);
}

int source_class(struct collection *c, const char *name, int64_t *id)
{
	struct source *s = &c->sources[c->source_count - 1];
	int64_t *grown, before = c->class_count;

	TRY(name_check(c, name));
	*id = collection_class(c, name);
	if (*id < 0)
		return STATUS_SYSTEM;
	for (int64_t i = s->class_count; *id < before && i-- > 0;)
		if (s->classes[i] == *id)
			return 0;
	grown = memory_grow(s->classes, (size_t)s->class_count + 1, sizeof(*s->classes));
	if (!grown)
		return STATUS_SYSTEM;
	s->classes = grown;
	s->classes[s->class_count++] = *id;
	return 0;
}

int collection_item(struct collection *c, int64_t label, int64_t index, const char *name)
{
	struct item *grown;
	char *copy;

	TRY(name_check(c, name));
	if (c->count == c->room) {
		int64_t more = 2 * c->room + 1024;

		grown = memory_grow(c->items, (size_t)more, sizeof(*c->items));
		if (!grown)
			return STATUS_SYSTEM;
		c->items = grown;
		c->room = more;
	}
	copy = memory_string(name);
	if (!copy)
		return STATUS_SYSTEM;
	c->items[c->count++] = (struct item){.source = (int32_t)(c->source_count - 1),
		.label = c->labelled ? (int32_t)label : -1,
		.index = index,
		.name = copy};
	return 0;
}

int collection_want(struct collection *c, const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL, **grown;
	size_t room = 0;
	ssize_t n;
	int status = 0;

	if (!f)
		return error(STATUS_NOINPUT, "%s: %s", path, strerror(errno));
	while (!status && (n = getline(&line, &room, f)) >= 0) {
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			line[--n] = 0;
		if (!n || line[0] == '#')
			continue;
		for (int64_t i = 0; !status && i < c->wanted_count; i++)
			if (!strcmp(c->wanted[i], line))
				status = error(
					STATUS_DATA, "%s: class '%s' is named twice", path, line);
		grown = memory_grow(c->wanted, (size_t)c->wanted_count + 1, sizeof(*c->wanted));
		if (grown) {
			c->wanted = grown;
			c->wanted[c->wanted_count] = memory_string(line);
		}
		if (!grown || !c->wanted[c->wanted_count])
			status = STATUS_SYSTEM;
		else
			c->wanted_count++;
	}
	free(line);
	fclose(f);
	if (!status && !c->wanted_count)
		status = error(STATUS_DATA, "%s: it names no class", path);
	return status;
}

int source_format_find(const char *path, enum source_format *format)
{
	static const char signature[8] = "\x89HDF\r\n\x1a\n";
	unsigned char head[4096];
	struct stat st;
	size_t n;
	FILE *f;

	*format = SOURCE_PACKED;
	if (!strcmp(path, "-"))
		return 0;
	if (stat(path, &st))
		return error(STATUS_NOINPUT, "%s: %s", path, strerror(errno));
	*format = SOURCE_FOLDER;
	if (S_ISDIR(st.st_mode))
		return 0;
	f = fopen(path, "rb");
	if (!f)
		return error(STATUS_NOINPUT, "%s: %s", path, strerror(errno));
	n = fread(head, 1, sizeof(head), f);
	fclose(f);
	if (n >= sizeof(signature) && !memcmp(head, signature, sizeof(signature)))
		*format = SOURCE_PACKED;
	else if (tar_begins(head, n))
		*format = SOURCE_TAR;
	else if (n > 1 && st.st_size % CIFAR_RECORD == 0 && head[0] < CIFAR_COARSE &&
		 head[1] < CIFAR_FINE)
		*format = SOURCE_CIFAR100;
	else if (!memchr(head, 0, n))
		*format = SOURCE_LIST;
	else
		return error(STATUS_DATA,
			"%s: neither a list, nor a CIFAR-100 batch, nor a packed file: name its "
			"--format",
			path);
	return 0;
}

int collection_source(struct collection *c, const char *path, enum source_format format)
{
	struct source *grown, *s;

	grown = memory_grow(c->sources, (size_t)c->source_count + 1, sizeof(*c->sources));
	if (!grown)
		return STATUS_SYSTEM;
	c->sources = grown;
	s = &c->sources[c->source_count++];
	*s = (struct source){.format = format, .fd = -1, .path = memory_string(path)};
	return s->path ? 0 : STATUS_SYSTEM;
}

int collection_add(struct collection *c, const char *path, enum source_format format)
{
	struct source *s;

	if (format == SOURCE_AUTO)
		TRY(source_format_find(path, &format));
	TRY(collection_source(c, path, format));
	s = &c->sources[c->source_count - 1];
	switch (format) {
	case SOURCE_FOLDER:
		return add_folder(c, s);
	case SOURCE_LIST:
		return add_list(c, s);
	case SOURCE_CIFAR100:
		return add_cifar(c, s);
	default:
		return add_packed(c, s);
	}
}

/* --- the order of classes --- */

static int sources_agree(const struct collection *c)
{
	const struct source *first = &c->sources[0];

	for (int64_t i = 1; i < c->source_count; i++) {
		const struct source *s = &c->sources[i];

		if (s->class_count != first->class_count ||
			memcmp(s->classes, first->classes,
				(size_t)s->class_count * sizeof(*s->classes)) != 0)
			return 0;
	}
	return 1;
}

/* The final names, in order; *count of them. Borrowed strings. */
static char **class_order(struct collection *c, int64_t *count)
{
	const struct source *first = &c->sources[0];
	char **order;

	*count = c->wanted ? c->wanted_count : c->class_count;
	order = memory_new((size_t)*count + 1, sizeof(*order));
	if (!order)
		return NULL;
	for (int64_t i = 0; i < *count; i++)
		order[i] = c->wanted ? c->wanted[i] : c->classes[i];
	if (c->wanted)
		return order;
	if (!c->sorted && sources_agree(c))
		for (int64_t i = 0; i < first->class_count; i++)
			order[i] = c->classes[first->classes[i]];
	else
		qsort(order, (size_t)*count, sizeof(*order), name_order);
	return order;
}

static void items_keep(struct collection *c, const int64_t *place)
{
	int64_t kept = 0;

	for (int64_t i = 0; i < c->count; i++) {
		struct item item = c->items[i];

		if (place[item.label] < 0) {
			free(item.name);
			continue;
		}
		item.label = (int32_t)place[item.label];
		c->items[kept++] = item;
	}
	c->count = kept;
}

static int classes_settle(struct collection *c)
{
	int64_t count, known = c->class_count, *place = NULL;
	char **order = class_order(c, &count);
	int status = 0;

	if (!order)
		return STATUS_SYSTEM;
	for (int64_t i = 0; i < count; i++)
		if (collection_class(c, order[i]) < 0)
			status = STATUS_SYSTEM;
	place = memory_new((size_t)c->class_count + 1, sizeof(*place));
	if (!place)
		status = STATUS_SYSTEM;
	for (int64_t i = 0; !status && i < c->class_count; i++)
		place[i] = -1;
	for (int64_t i = 0; !status && i < count; i++) {
		int64_t id = collection_class(c, order[i]);

		place[id] = i;
		if (id >= known)
			status = error(STATUS_DATA,
				"class '%s' of the list is in none of the inputs", order[i]);
	}
	if (!status)
		items_keep(c, place);
	for (int64_t i = 0; i < count && !status; i++) {
		order[i] = memory_string(order[i]);
		status = order[i] ? 0 : STATUS_SYSTEM;
	}
	free(place);
	if (status) {
		free(order);
		return status;
	}
	tdestroy(c->class_tree, free);
	c->class_tree = NULL;
	strings_free(c->classes, c->class_count);
	c->classes = order;
	c->class_count = c->class_room = count;
	return 0;
}

/* By class, as bytes, then by path */
static int item_order(const void *x, const void *y, void *classes)
{
	const struct item *a = x, *b = y;
	int order = 0;

	if (a->label != b->label)
		order = strcmp(((char **)classes)[a->label], ((char **)classes)[b->label]);
	return order ? order : image_path_order(a->name, b->name);
}

int collection_finish(struct collection *c)
{
	if (!c->source_count)
		return error(STATUS_USAGE, "no input is given");
	if (c->labelled)
		TRY(classes_settle(c));
	if (!c->count)
		return error(STATUS_DATA, "%s: no images there", c->sources[0].path);
	if (c->sorted)
		qsort_r(c->items, (size_t)c->count, sizeof(*c->items), item_order, c->classes);
	return 0;
}
