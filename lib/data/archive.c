#include "lib/data/archive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/data/archive_part.h"
#include "lib/io/file_hash.h"
#include "lib/io/tar.h"
#include "lib/io/utf8.h"

#define PARTS_OPEN 64

/* What a walk through the archive does with images. */
enum mode {
	WALK_HEADERS, /* of the outer archive alone: names and classes are checked */
	WALK_LIST,    /* all names into the collection */
	WALK_PACK,
};

enum form { FORM_UNKNOWN, FORM_NESTED, FORM_PLAIN };

struct archive {
	struct collection *c;
	const struct archive_settings *s;
	struct archive_result *r;
	enum mode mode;
	enum form form;
	struct tar *tar;
	struct name_set labels, wanted, classes, members, inner; /* the last: of an inner archive */
	int64_t labels_count, labels_used;
	uint64_t choice; /* hash of labels and wanted classes */
	uint64_t hash;	 /* of all headers so far */
	/* the part of a plain archive that is being made, or passed over since it is there */
	uint64_t part_mark;
	int64_t part_members;
	int part_there;
	struct part_writer part;
};

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
	return XXH64(data, size, hash);
}

/* --- parts --- */

static int add_path(struct archive_result *r, char *path)
{
	char **grown = memory_grow(r->paths, (size_t)r->parts + 1, sizeof(*grown));

	if (!grown) {
		free(path);
		return STATUS_SYSTEM;
	}
	r->paths = grown;
	r->paths[r->parts++] = path;
	return 0;
}

static char *part_path(const struct archive *a, const char *name)
{
	return memory_format("%s/%s.h5", a->s->parts, name);
}

static int part_begin(struct archive *a, char *path, int *there)
{
	struct stat st;

	*there = !stat(path, &st);
	return *there ? 0 : part_writer_begin(&a->part, path);
}

/* Takes the path over. */
static int part_end(struct archive *a, char *path, int there, const char *made_from)
{
	int whole = 1, status;

	if (there)
		status = part_kept(path, made_from, a->r);
	else
		status = part_writer_end(&a->part, made_from, &whole);
	if (!status && whole)
		return add_path(a->r, path);
	free(path);
	return status;
}

/* --- names --- */

static int twice(const struct tar *t, const char *name)
{
	return error(STATUS_DATA, "%s: %.200s is there twice: the archive is refused", tar_path(t),
		name);
}

static int add_name(struct name_set *set, const struct tar *t, const char *name)
{
	int fresh;

	if (!utf8_valid(name)) {
		char text[256];

		snprintf(text, sizeof(text), "%s", name);
		utf8_clean(text);
		return error(STATUS_DATA, "%s: the name '%s' is not UTF-8", tar_path(t), text);
	}
	TRY(name_set_add(set, name, NULL, &fresh));
	return fresh ? 0 : twice(t, name);
}

/* Hidden files and folders, and what is no image by its name, are passed over, as in folders. */
static int is_image(const char *name)
{
	return name[0] != '.' && !strstr(name, "/.") && image_name(name);
}

static int is_archive(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && !strcmp(name + n - 4, ".tar");
}

static const char *last_part(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

static int is_wanted(const struct archive *a, const char *class_name)
{
	return !a->c->wanted || name_set_find(&a->wanted, class_name);
}

static int set_form(struct archive *a, enum form form, const char *name)
{
	if (a->form != FORM_UNKNOWN && a->form != form)
		return error(STATUS_DATA, "%s: %.200s: images and archives side by side",
			tar_path(a->tar), name);
	if (form == FORM_NESTED && a->s->labels)
		return error(STATUS_DATA,
			"%s: holds an archive a class, which need no --labels: leave them out",
			tar_path(a->tar));
	a->form = form;
	return 0;
}

/* An image into the collection, for WALK_LIST. */
static int list_image(struct archive *a, const char *name, const char *class_name)
{
	int64_t id = -1;

	if (a->c->labelled)
		TRY(source_class(a->c, class_name, &id));
	return collection_item(a->c, id, 0, name);
}

/* --- an archive a class --- */

static int inner_image(
	struct archive *a, struct tar *t, const struct tar_member *m, const char *class_name)
{
	char *name;
	int status;

	if (m->is_folder || !is_image(m->name))
		return 0;
	TRY(add_name(&a->inner, t, m->name));
	name = memory_format("%s/%s", class_name, m->name);
	if (!name)
		return STATUS_SYSTEM;
	status = a->mode == WALK_LIST ? list_image(a, name, class_name)
				      : part_writer_add(&a->part, t, m, name, class_name);
	free(name);
	return status;
}

static int inner_walk(struct archive *a, const char *class_name)
{
	struct tar_member m;
	struct tar *t;
	int status, found = 1;

	TRY(tar_open_member(&t, a->tar));
	do {
		status = tar_next(t, &m, &found);
		if (!status && found)
			status = inner_image(a, t, &m, class_name);
	} while (!status && found);
	tar_close(&t);
	name_set_release(&a->inner);
	return status;
}

static int inner_pack(struct archive *a, const struct tar_member *m, const char *class_name)
{
	char made_from[200], *path = part_path(a, class_name);
	int there, status;

	if (!path)
		return STATUS_SYSTEM;
	snprintf(made_from, sizeof(made_from), "%s.tar, %lld bytes, %016llx, check %s", class_name,
		(long long)m->size, (unsigned long long)m->mark, pack_checks[a->s->check]);
	status = part_begin(a, path, &there);
	if (!status && !there)
		status = inner_walk(a, class_name);
	if (!status)
		return part_end(a, path, there, made_from);
	free(path);
	return status;
}

static int inner_archive(struct archive *a, const struct tar_member *m)
{
	const char *name = last_part(m->name);
	char class_name[128];
	int fresh;

	TRY(set_form(a, FORM_NESTED, m->name));
	if (strlen(name) >= sizeof(class_name))
		return error(STATUS_DATA, "%s: %.200s: its name is too long for a class",
			tar_path(a->tar), m->name);
	snprintf(class_name, sizeof(class_name), "%.*s", (int)strlen(name) - 4, name);
	TRY(add_name(&a->members, a->tar, name));
	TRY(name_set_add(&a->classes, class_name, "", &fresh));
	if (!is_wanted(a, class_name) || a->mode == WALK_HEADERS)
		return 0;
	return a->mode == WALK_LIST ? inner_walk(a, class_name) : inner_pack(a, m, class_name);
}

/* --- a plain archive --- */

/* Its class and its name in the packed file; malloc'ed, the class within the name */
static int plain_name(struct archive *a, const char *member, char **name, char class_name[128])
{
	const char *slash = strchr(member, '/'), *label;

	class_name[0] = 0;
	if (!a->c->labelled) {
		*name = memory_string(member);
		return *name ? 0 : STATUS_SYSTEM;
	}
	if (!a->s->labels && !slash)
		return error(STATUS_DATA,
			"%s: %.200s: of which class is it? Give lines 'FILE CLASS' by --labels, or "
			"--no-labels",
			tar_path(a->tar), member);
	if (!a->s->labels) {
		*name = memory_string(member);
		if (*name && slash - member < 128)
			snprintf(class_name, 128, "%.*s", (int)(slash - member), member);
		else if (*name)
			return error(STATUS_DATA, "%s: %.200s: too long a name for a class",
				tar_path(a->tar), member);
		return *name ? 0 : STATUS_SYSTEM;
	}
	label = name_set_find(&a->labels, last_part(member));
	if (!label || strlen(label) >= 128)
		return error(STATUS_DATA, "%s: %.200s: %s does not name it", tar_path(a->tar),
			member, a->s->labels);
	a->labels_used++;
	snprintf(class_name, 128, "%s", label);
	*name = memory_format("%s/%s", label, last_part(member));
	return *name ? 0 : STATUS_SYSTEM;
}

static int plain_part_end(struct archive *a)
{
	char made_from[200], name[32], *path;

	if (!a->part_members)
		return 0;
	a->part_members = 0;
	snprintf(name, sizeof(name), "%06lld", (long long)a->r->parts);
	snprintf(made_from, sizeof(made_from),
		"members of part %s, %016llx, classes %016llx, check %s", name,
		(unsigned long long)a->part_mark, (unsigned long long)a->choice,
		pack_checks[a->s->check]);
	path = part_path(a, name);
	return path ? part_end(a, path, a->part_there, made_from) : STATUS_SYSTEM;
}

static int plain_part_begin(struct archive *a)
{
	char name[32], *path;
	int status;

	snprintf(name, sizeof(name), "%06lld", (long long)a->r->parts);
	path = part_path(a, name);
	a->part_mark = 0;
	status = path ? part_begin(a, path, &a->part_there) : STATUS_SYSTEM;
	free(path);
	return status;
}

static int plain_pack(
	struct archive *a, const struct tar_member *m, const char *name, const char *class_name)
{
	if (!a->part_members)
		TRY(plain_part_begin(a));
	a->part_members++;
	a->part_mark = mix(a->part_mark, &m->mark, sizeof(m->mark));
	if (!a->part_there)
		TRY(part_writer_add(&a->part, a->tar, m, name, class_name));
	return a->part_members == ARCHIVE_PART ? plain_part_end(a) : 0;
}

static int plain_image(struct archive *a, const struct tar_member *m)
{
	char *name = NULL, class_name[128];
	int status, fresh;

	TRY(set_form(a, FORM_PLAIN, m->name));
	TRY(add_name(&a->members, a->tar, a->s->labels ? last_part(m->name) : m->name));
	status = plain_name(a, m->name, &name, class_name);
	if (!status && a->c->labelled)
		status = name_set_add(&a->classes, class_name, "", &fresh);
	if (!status && is_wanted(a, class_name)) {
		if (a->mode == WALK_LIST)
			status = list_image(a, name, class_name);
		else if (a->mode == WALK_PACK)
			status = plain_pack(a, m, name, class_name);
	}
	free(name);
	return status;
}

/* --- the whole --- */

static int check_classes(const struct archive *a)
{
	for (int64_t i = 0; i < a->c->wanted_count; i++)
		if (!name_set_find(&a->classes, a->c->wanted[i]))
			return error(STATUS_DATA, "%s: has no class '%s', which the list names",
				a->s->path, a->c->wanted[i]);
	if (a->labels_used < a->labels_count)
		return error(STATUS_DATA,
			"%s: %lld of the %lld files that it names are not in the archive",
			a->s->labels, (long long)(a->labels_count - a->labels_used),
			(long long)a->labels_count);
	if (a->form == FORM_UNKNOWN)
		return error(STATUS_DATA, "%s: no images there", a->s->path);
	return 0;
}

static int walk_members(struct archive *a)
{
	struct tar_member m;
	int found;

	for (;;) {
		TRY(tar_next(a->tar, &m, &found));
		if (!found)
			break;
		a->hash = mix(a->hash, &m.mark, sizeof(m.mark));
		if (m.is_folder)
			continue;
		if (is_archive(m.name) && last_part(m.name)[0] != '.')
			TRY(inner_archive(a, &m));
		else if (is_image(m.name))
			TRY(plain_image(a, &m));
	}
	TRY(plain_part_end(a));
	return check_classes(a);
}

static int walk(struct archive *a, enum mode mode)
{
	int status;

	a->mode = mode;
	a->form = FORM_UNKNOWN;
	a->hash = 0;
	a->labels_used = 0;
	TRY(tar_open(&a->tar, a->s->path));
	status = walk_members(a);
	tar_close(&a->tar);
	name_set_release(&a->members);
	name_set_release(&a->classes);
	return status;
}

/* Labels and wanted classes into sets, and into the hash that parts of plain archives note. */
static int read_choice(struct archive *a)
{
	char hash[80];
	int fresh;

	if (a->s->labels && !a->c->labelled)
		return error(STATUS_USAGE, "--labels and --no-labels exclude each other");
	if (a->s->labels)
		TRY(labels_read(&a->labels, a->s->labels, &a->labels_count));
	if (a->s->labels && !file_hash(a->s->labels, hash))
		a->choice = mix(a->choice, hash, strlen(hash));
	for (int64_t i = 0; i < a->c->wanted_count; i++) {
		const char *name = a->c->wanted[i];

		a->choice = mix(a->choice, name, strlen(name) + 1);
		TRY(name_set_add(&a->wanted, name, "", &fresh));
	}
	return 0;
}

/* Where they are many, their files do not stay open. */
static int add_parts(struct archive *a)
{
	for (int64_t i = 0; i < a->r->parts; i++) {
		TRY(collection_add(a->c, a->r->paths[i], SOURCE_PACKED));
		if (a->r->parts > PARTS_OPEN)
			TRY(dataset_rest(a->c->sources[a->c->source_count - 1].data));
	}
	return 0;
}

static int is_file(const char *path)
{
	struct stat st;

	return strcmp(path, "-") && !stat(path, &st) && S_ISREG(st.st_mode);
}

static int pack(struct archive *a)
{
	TRY(read_choice(a));
	if (is_file(a->s->path))
		TRY(walk(a, WALK_HEADERS));
	if (mkdir(a->s->parts, 0777) && errno != EEXIST)
		return error(STATUS_CANTCREATE, "%s: %s", a->s->parts, strerror(errno));
	TRY(walk(a, WALK_PACK));
	TRY(pack_allows(a->r->damaged, a->s->skip_damaged));
	snprintf(a->r->hash, sizeof(a->r->hash), "xxh64:%016llx", (unsigned long long)a->hash);
	return add_parts(a);
}

static int run(struct collection *c, const struct archive_settings *s, struct archive_result *r,
	int (*work)(struct archive *a))
{
	struct archive a = {.c = c, .s = s, .r = r};
	int status;

	*r = (struct archive_result){0};
	c->sorted = 1;
	a.part = (struct part_writer){.s = s, .r = r, .labelled = c->labelled};
	status = work(&a);
	tar_close(&a.tar);
	part_writer_release(&a.part);
	name_set_release(&a.labels);
	name_set_release(&a.wanted);
	name_set_release(&a.classes);
	name_set_release(&a.members);
	name_set_release(&a.inner);
	return status;
}

int archive_pack(struct collection *c, const struct archive_settings *s, struct archive_result *r)
{
	int status = run(c, s, r, pack);

	if (status)
		rmdir(s->parts); /* where nothing is in it */
	return status;
}

static int list(struct archive *a)
{
	TRY(read_choice(a));
	TRY(collection_source(a->c, a->s->path, SOURCE_TAR));
	return walk(a, WALK_LIST);
}

int archive_list(struct collection *c, const struct archive_settings *s, struct archive_result *r)
{
	return run(c, s, r, list);
}

void archive_remove_parts(const struct archive_settings *s, const struct archive_result *r)
{
	for (int64_t i = 0; i < r->parts; i++)
		unlink(r->paths[i]);
	rmdir(s->parts);
}

void archive_release(struct archive_result *r)
{
	for (int64_t i = 0; i < r->parts; i++)
		free(r->paths[i]);
	free(r->paths);
	*r = (struct archive_result){0};
}
