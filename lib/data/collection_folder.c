/* Inputs that are folders of class folders. */
#include "lib/data/collection.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

#define DEPTH_MAX 32

struct paths {
	char **path;
	int64_t count, room;
};

static void paths_release(struct paths *p)
{
	for (int64_t i = 0; i < p->count; i++)
		free(p->path[i]);
	free(p->path);
}

/* Takes the string over. */
static int paths_add(struct paths *p, char *path)
{
	char **grown;

	if (!path)
		return STATUS_SYSTEM;
	if (p->count == p->room) {
		p->room = 2 * p->room + 64;
		grown = memory_grow(p->path, (size_t)p->room, sizeof(*p->path));
		if (!grown) {
			free(path);
			return STATUS_SYSTEM;
		}
		p->path = grown;
	}
	p->path[p->count++] = path;
	return 0;
}

int image_name(const char *name)
{
	static const char *const endings[] = {
		"jpg", "jpeg", "png", "ppm", "bmp", "pgm", "tif", "tiff", "webp"};
	const char *slash = strrchr(name, '/'), *dot = strrchr(name, '.');

	if ((slash ? slash[1] : name[0]) == '.')
		return 0;
	for (size_t i = 0; dot && i < sizeof(endings) / sizeof(endings[0]); i++)
		if (!strcasecmp(dot + 1, endings[i]))
			return 1;
	return 0;
}

/* Entries of root/below: folders and image files, as paths below root. */
static int folder_read(
	const char *root, const char *below, struct paths *folders, struct paths *files)
{
	char *path = memory_format("%s/%s", root, below);
	DIR *dir = path ? opendir(path) : NULL;
	struct dirent *entry;
	int status = 0;

	if (!dir) {
		status = path ? error(STATUS_NOINPUT, "%s: %s", path, strerror(errno))
			      : STATUS_SYSTEM;
		free(path);
		return status;
	}
	while (!status && (entry = readdir(dir))) {
		struct stat st;

		if (entry->d_name[0] == '.' || fstatat(dirfd(dir), entry->d_name, &st, 0))
			continue;
		if (!S_ISDIR(st.st_mode) && !image_name(entry->d_name))
			continue;
		status = paths_add(S_ISDIR(st.st_mode) ? folders : files,
			memory_format("%s%s%s", below, below[0] ? "/" : "", entry->d_name));
	}
	closedir(dir);
	free(path);
	return status;
}

static int folder_walk(const char *root, const char *below, int depth, struct paths *files)
{
	struct paths folders = {0};
	int status;

	if (depth > DEPTH_MAX)
		return error(STATUS_DATA, "%s/%s: folders are nested too deep", root, below);
	status = folder_read(root, below, &folders, files);
	for (int64_t i = 0; !status && i < folders.count; i++)
		status = folder_walk(root, folders.path[i], depth + 1, files);
	paths_release(&folders);
	return status;
}

int image_path_order(const char *a, const char *b)
{
	const char *end_a = strrchr(a, '/'), *end_b = strrchr(b, '/');
	size_t na = end_a ? (size_t)(end_a - a) : 0, nb = end_b ? (size_t)(end_b - b) : 0;
	int order = memcmp(a, b, na < nb ? na : nb);

	if (order || na != nb)
		return order ? order : na < nb ? -1 : 1;
	return strcmp(a + na, b + nb);
}

static int path_order(const void *x, const void *y)
{
	return image_path_order(*(char *const *)x, *(char *const *)y);
}

static int byte_order(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

/* The images below root/folder as items of one class */
static int folder_items(struct collection *c, const char *root, const char *folder, int64_t id)
{
	struct paths files = {0};
	int status = folder_walk(root, folder, 0, &files);

	if (files.count)
		qsort(files.path, (size_t)files.count, sizeof(*files.path), path_order);
	if (!status && !files.count && !c->wanted)
		status = error(STATUS_DATA, "%s%s%s: no images there: remove the folder or fill it",
			root, folder[0] ? "/" : "", folder);
	for (int64_t i = 0; !status && i < files.count; i++)
		status = collection_item(c, id, 0, files.path[i]);
	paths_release(&files);
	return status;
}

int add_folder(struct collection *c, struct source *s)
{
	struct paths folders = {0}, files = {0};
	int status;

	s->root = memory_string(s->path);
	if (!s->root)
		return STATUS_SYSTEM;
	if (!c->labelled)
		return folder_items(c, s->root, "", -1);
	status = folder_read(s->root, "", &folders, &files);
	if (folders.count)
		qsort(folders.path, (size_t)folders.count, sizeof(*folders.path), byte_order);
	if (!status && !folders.count)
		status = error(STATUS_DATA,
			"%s: no class folders there: one folder for each class, or --no-labels",
			s->path);
	else if (!status && files.count)
		status = error(STATUS_DATA,
			"%s/%s: an image outside the class folders: move it, or --no-labels",
			s->path, files.path[0]);
	for (int64_t i = 0; !status && i < folders.count; i++) {
		int64_t id;

		status = source_class(c, folders.path[i], &id);
		if (!status)
			status = folder_items(c, s->root, folders.path[i], id);
	}
	paths_release(&folders);
	paths_release(&files);
	return status;
}
