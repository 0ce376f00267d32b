#include "lib/data/archive.h"

#include <ctype.h>
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/utf8.h"

struct name_node {
	char *name, *value;
};

static int node_order(const void *a, const void *b)
{
	return strcmp(((const struct name_node *)a)->name, ((const struct name_node *)b)->name);
}

static void node_free(void *data)
{
	struct name_node *n = data;

	if (n) {
		free(n->name);
		free(n->value);
	}
	free(n);
}

int name_set_add(struct name_set *s, const char *name, const char *value, int *fresh)
{
	struct name_node *n = memory_new(1, sizeof(*n)), **found;

	*fresh = 0;
	if (!n)
		return STATUS_SYSTEM;
	n->name = memory_string(name);
	n->value = value ? memory_string(value) : NULL;
	if (!n->name || (value && !n->value)) {
		node_free(n);
		return STATUS_SYSTEM;
	}
	found = tsearch(n, &s->tree, node_order);
	*fresh = found && *found == n;
	if (!*fresh)
		node_free(n);
	return found ? 0 : error(STATUS_SYSTEM, "out of memory");
}

const char *name_set_find(const struct name_set *s, const char *name)
{
	struct name_node key = {(char *)name, NULL}, **found = tfind(&key, &s->tree, node_order);

	return found ? (*found)->value : NULL;
}

void name_set_release(struct name_set *s)
{
	tdestroy(s->tree, node_free);
	s->tree = NULL;
}

static int all_digits(const char *text)
{
	while (isdigit((unsigned char)*text))
		text++;
	return !*text;
}

static int line_wrong(char *line)
{
	if (all_digits(line))
		return error(STATUS_DATA,
			"a number alone, as in the development kit, whose order of classes is its "
			"own: make lines 'FILE SYNSET' of it and of the synsets in its meta.mat, "
			"as data/README.md shows");
	utf8_clean(line);
	return error(STATUS_DATA, "'%.80s': 'FILE CLASS' is wanted", line);
}

static int labels_line(struct name_set *labels, char *line)
{
	char *at = strrchr(line, '\t'), *name = line, *slash;
	int fresh;

	if (!at)
		at = strrchr(line, ' ');
	if (!at || !at[1] || at == line)
		return line_wrong(line);
	if (all_digits(at + 1))
		return error(STATUS_DATA,
			"class '%.40s' is a number: the class's name is wanted (of ImageNet its "
			"synset, n...)",
			at + 1);
	if (!utf8_valid(line) || strchr(at + 1, '/') || at[1] == '.')
		return line_wrong(line);
	*at++ = 0;
	for (char *end = at - 2; end > line && isspace((unsigned char)*end); end--)
		*end = 0;
	slash = strrchr(line, '/');
	if (slash)
		name = slash + 1;
	TRY(name_set_add(labels, name, at, &fresh));
	return fresh ? 0 : error(STATUS_DATA, "'%.200s' is named twice", name);
}

int labels_read(struct name_set *labels, const char *path, int64_t *count)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int64_t at = 0;
	int status = 0;

	*count = 0;
	if (!f)
		return error(STATUS_NOINPUT, "%s: %s", path, strerror(errno));
	while (!status && (n = getline(&line, &room, f)) >= 0) {
		at++;
		while (n > 0 && isspace((unsigned char)line[n - 1]))
			line[--n] = 0;
		if (!n || line[0] == '#')
			continue;
		status = error_context(
			labels_line(labels, line), "%s: line %lld", path, (long long)at);
		++*count;
	}
	free(line);
	fclose(f);
	if (!status && !*count)
		status = error(STATUS_DATA, "%s: it names no file", path);
	return status;
}
