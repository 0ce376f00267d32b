/* Inputs that are one file: lists, CIFAR-100 batches, packed files. */
#include "lib/data/collection.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

#define LABEL_MAX 65536

/* --- lists --- */

/* Splits "path<TAB>class" or "path number"; *class is NULL where there is none. */
static char *list_split(char *line, int *number)
{
	char *at = strrchr(line, '\t'), *c;

	*number = !at;
	if (!at)
		at = strrchr(line, ' ');
	if (!at)
		return NULL;
	for (c = at + 1; *number && *c; c++)
		if (!isdigit((unsigned char)*c))
			return NULL;
	if (!at[1])
		return NULL;
	c = at + 1;
	while (at > line && (at[-1] == ' ' || at[-1] == '\t'))
		at--;
	*at = 0;
	return c;
}

/* Numbers count the wanted classes where a list of them is given. */
static int list_number(struct collection *c, const char *text, char name[32], const char **out)
{
	int64_t number = strlen(text) > 9 ? LABEL_MAX : strtol(text, NULL, 10);

	if (number >= (c->wanted ? c->wanted_count : LABEL_MAX))
		return error(STATUS_DATA, "label %s: %lld classes are allowed", text,
			(long long)(c->wanted ? c->wanted_count : LABEL_MAX));
	snprintf(name, 32, "%lld", (long long)number);
	*out = c->wanted ? c->wanted[number] : name;
	return 0;
}

static int list_line(struct collection *c, char *line, int *numbers, int64_t *largest)
{
	const char *class_name = NULL;
	char name[32], *tab;
	int number = 0;
	int64_t id = -1;

	if (!c->labelled) {
		tab = strchr(line, '\t');
		if (tab)
			*tab = 0;
		return collection_item(c, -1, 0, line);
	}
	class_name = list_split(line, &number);
	if (!class_name)
		return error(
			STATUS_DATA, "'path<TAB>class' or 'path label' wanted, or --no-labels");
	if (*numbers >= 0 && *numbers != number)
		return error(STATUS_DATA, "class names and numbers are mixed");
	*numbers = number;
	if (number) {
		TRY(list_number(c, class_name, name, &class_name));
		/* all wanted classes, or all numbers so far, used or not */
		while (*largest + 1 < (c->wanted ? c->wanted_count : strtol(name, NULL, 10) + 1)) {
			char next[32];

			snprintf(next, sizeof(next), "%lld", (long long)++*largest);
			TRY(source_class(c, c->wanted ? c->wanted[*largest] : next, &id));
		}
		id = collection_class(c, class_name);
		if (id < 0)
			return STATUS_SYSTEM;
	} else {
		TRY(source_class(c, class_name, &id));
	}
	return collection_item(c, id, 0, line);
}

struct named {
	const char *name;
	int64_t id;
};

static int named_order(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* Class names of a list are in byte order, like a folder's. */
static int list_sort(struct collection *c, struct source *s)
{
	struct named *n = memory_new((size_t)s->class_count + 1, sizeof(*n));

	if (!n)
		return STATUS_SYSTEM;
	for (int64_t i = 0; i < s->class_count; i++)
		n[i] = (struct named){c->classes[s->classes[i]], s->classes[i]};
	qsort(n, (size_t)s->class_count, sizeof(*n), named_order);
	for (int64_t i = 0; i < s->class_count; i++)
		s->classes[i] = n[i].id;
	free(n);
	return 0;
}

int add_list(struct collection *c, struct source *s)
{
	FILE *f = fopen(s->path, "r");
	const char *slash = strrchr(s->path, '/');
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int64_t at = 0, largest = -1;
	int status = 0, numbers = -1;

	if (!f)
		return error(STATUS_NOINPUT, "%s: %s", s->path, strerror(errno));
	s->root = slash ? strndup(s->path, (size_t)(slash - s->path)) : memory_string(".");
	if (!s->root)
		status = STATUS_SYSTEM;
	while (!status && (n = getline(&line, &room, f)) >= 0) {
		at++;
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			line[--n] = 0;
		if (n)
			status = error_context(list_line(c, line, &numbers, &largest),
				"%s: line %lld", s->path, (long long)at);
	}
	free(line);
	fclose(f);
	return !status && numbers == 0 ? list_sort(c, s) : status;
}

/* --- CIFAR-100 batches --- */

/* fine_label_names.txt beside the batch, or numbers; -1 for labels beyond the names */
static int cifar_classes(struct collection *c, struct source *s, int64_t ids[CIFAR_FINE])
{
	const char *slash = strrchr(s->path, '/');
	char *path = memory_format(
		"%.*sfine_label_names.txt", slash ? (int)(slash - s->path) + 1 : 0, s->path);
	FILE *f = path ? fopen(path, "r") : NULL;
	char name[128];
	int status = path ? 0 : STATUS_SYSTEM;

	for (int i = 0; i < CIFAR_FINE && !status; i++) {
		ids[i] = -1;
		snprintf(name, sizeof(name), "%d", i);
		if (f && !fgets(name, sizeof(name), f))
			continue;
		name[strcspn(name, "\r\n")] = 0;
		if (!name[0])
			continue;
		status = source_class(c, name, &ids[i]);
		if (!status && s->class_count != i + 1)
			status = error(STATUS_DATA,
				"%s: '%s' is there twice, or after an empty line", path, name);
	}
	if (f)
		fclose(f);
	free(path);
	return status;
}

int add_cifar(struct collection *c, struct source *s)
{
	const char *slash = strrchr(s->path, '/'), *base = slash ? slash + 1 : s->path;
	int64_t ids[CIFAR_FINE] = {0}, count;
	struct stat st;
	char name[160];

	s->fd = open(s->path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0 || fstat(s->fd, &st))
		return error(STATUS_NOINPUT, "%s: %s", s->path, strerror(errno));
	if (st.st_size == 0 || st.st_size % CIFAR_RECORD)
		return error(STATUS_DATA,
			"%s: %lld bytes are not records of %d: truncated, or no CIFAR-100 batch",
			s->path, (long long)st.st_size, CIFAR_RECORD);
	if (c->labelled)
		TRY(cifar_classes(c, s, ids));
	count = st.st_size / CIFAR_RECORD;
	for (int64_t i = 0; i < count; i++) {
		uint8_t label[2]; /* coarse, fine */

		if (pread(s->fd, label, 2, i * CIFAR_RECORD) != 2)
			return error(
				STATUS_DATA, "%s: cannot read record %lld", s->path, (long long)i);
		if (label[1] >= CIFAR_FINE || label[0] >= CIFAR_COARSE || ids[label[1]] < 0)
			return error(STATUS_DATA,
				"%s: record %lld has labels %d and %d: they end at 19 and 99, and "
				"where fine_label_names.txt does",
				s->path, (long long)i, label[0], label[1]);
		snprintf(name, sizeof(name), "%.100s/%05lld", base, (long long)i);
		TRY(collection_item(c, c->labelled ? ids[label[1]] : -1, i, name));
	}
	return 0;
}

/* --- packed files --- */

int add_packed(struct collection *c, struct source *s)
{
	struct dataset *d;
	int64_t *ids;
	int status;

	TRY(dataset_open(&s->data, s->path, 0));
	d = s->data;
	if (c->labelled && !d->labels)
		return error(
			STATUS_DATA, "%s: its images have no labels: use --no-labels", s->path);
	ids = memory_new((size_t)d->classes + 1, sizeof(*ids));
	status = ids ? 0 : STATUS_SYSTEM;
	for (int64_t i = 0; c->labelled && !status && i < d->classes; i++) {
		char number[32];
		const char *name = d->class_names ? d->class_names[i] : number;

		snprintf(number, sizeof(number), "%lld", (long long)i);
		status = source_class(c, name, &ids[i]);
		if (!status && s->class_count != i + 1)
			status = error(STATUS_DATA, "%s: class '%s' is there twice", s->path, name);
	}
	for (int64_t i = 0; !status && i < d->count; i++) {
		const char *name = dataset_full_name(d, i);
		char number[32];

		snprintf(number, sizeof(number), "%09lld", (long long)i);
		if (c->labelled && d->labels[i] < 0)
			status = error(STATUS_DATA, "%s: image %lld has no label: use --no-labels",
				s->path, (long long)i);
		else
			status = collection_item(c, c->labelled ? ids[d->labels[i]] : -1, i,
				name[0] ? name : number);
	}
	free(ids);
	return status;
}
