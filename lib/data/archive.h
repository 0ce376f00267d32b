/*
 * Image archives, as ImageNet is published: a tar of tars, one a class (named after it), or a tar
 * of files whose classes a list gives, or which lie in a folder a class.
 *
 * They are read once, from front to back, and become part files: whole `images` files, one for each
 * inner archive, or for every ARCHIVE_PART members of a plain one. A part appears when it is whole;
 * a run that was killed goes on after the parts that are there, and then reads their headers alone.
 * Parts note what they were made from (`made_from`), and are refused where that is something else.
 *
 * Names are CLASS/FILE, as of a folder of class folders, so that shares are those of the folder.
 */
#ifndef DATA_ARCHIVE_H
#define DATA_ARCHIVE_H

#include "lib/data/collection.h"
#include "lib/data/pack.h"

#define ARCHIVE_PART 1000

struct archive_settings {
	const char *path;   /* of the archive; "-" is standard input */
	const char *parts;  /* folder of the part files, made where it is not there */
	const char *labels; /* list of lines "FILE CLASS" for a plain archive, or NULL */
	enum pack_check check;
	int threads;
	int64_t skip_damaged;
	void (*on_damaged)(const char *message);
	void (*on_progress)(void *data, int64_t images);
	void *data;
};

struct archive_result {
	int64_t images, bytes, damaged; /* read, not those of parts that were there */
	int64_t parts, parts_kept;
	char hash[32]; /* "xxh64:...": of all headers of the (outer) archive */
	char **paths;  /* of the parts, in order */
};

/*
 * Makes the parts of those classes that the collection wants and adds them to it, as packed files.
 * Before anything is packed, the headers of an archive that is a file are read: a name that is
 * refused or there twice, a class that is wanted and missing, a cut end are found in a moment.
 * STATUS_DATA, by name; more damaged images than skip_damaged are all named first.
 */
int archive_pack(struct collection *c, const struct archive_settings *s, struct archive_result *r);
/* Adds names and classes alone, for --dry-run. */
int archive_list(struct collection *c, const struct archive_settings *s, struct archive_result *r);
/* Removes the parts, and their folder where nothing else is in it. */
void archive_remove_parts(const struct archive_settings *s, const struct archive_result *r);
void archive_release(struct archive_result *r);

/* --- a set of names, and the list of labels: archive_names.c --- */

struct name_set {
	void *tree;
};
/* *fresh: it was not there. value (may be NULL) is kept with it. */
int name_set_add(struct name_set *s, const char *name, const char *value, int *fresh);
/* The value; NULL when the name is not there. */
const char *name_set_find(const struct name_set *s, const char *name);
void name_set_release(struct name_set *s);

/*
 * Lines "FILE CLASS", by blanks or a tab; files by their last part. STATUS_DATA: a file that is
 * named twice, a line of another form; numbers alone, as the development kit has them.
 */
int labels_read(struct name_set *labels, const char *path, int64_t *count);

#endif
