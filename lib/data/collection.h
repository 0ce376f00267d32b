/*
 * Which images are to be packed, from which inputs, in which order and class; not their pixels.
 *
 * Inputs are added one after another, then collection_finish settles the classes: those of the
 * list if one is given, in its order; else, where all inputs agree, theirs; else all of them
 * sorted by bytes. A folder's classes are its subfolders sorted by bytes, files sorted by folder
 * and name, as torchvision's ImageFolder does; hidden folders and files that are no images by
 * their name are left out. A class may have no images, but for a folder without a list of classes.
 */
#ifndef DATA_COLLECTION_H
#define DATA_COLLECTION_H

#include <stdint.h>
#include "lib/base/part.h"
#include "lib/data/dataset.h"

enum source_format {
	SOURCE_AUTO,
	SOURCE_FOLDER,
	SOURCE_LIST,
	SOURCE_CIFAR100,
	SOURCE_PACKED,
	SOURCE_TAR, /* is made into packed files first: archive.h */
};
/* "auto", "folder", "list", "cifar100", "hdf5", "tar", NULL */
extern const char *const source_formats[];

#define CIFAR_SIDE 32
#define CIFAR_PIXELS (CIFAR_SIDE * CIFAR_SIDE * 3)
#define CIFAR_RECORD (2 + CIFAR_PIXELS)
#define CIFAR_COARSE 20
#define CIFAR_FINE 100

struct source {
	enum source_format format;
	char *path;	  /* as given */
	char *root;	  /* folder that names are relative to: folders and lists */
	int64_t *classes; /* ids in the source's order */
	int64_t class_count;
	struct dataset *data; /* packed */
	int fd;		      /* cifar100, else -1 */
};

struct item {
	int32_t source, label; /* label: id while adding, class after collection_finish; -1: none */
	int64_t index;	       /* in a packed file or a CIFAR batch */
	char *name;	       /* path below the root, or a name that is unique in its source */
};

struct collection {
	struct item *items;
	int64_t count, room;
	struct source *sources;
	int64_t source_count;
	char **classes; /* by id while adding, then in order */
	int64_t class_count, class_room;
	void *class_tree;
	char **wanted; /* --classes, or NULL */
	int64_t wanted_count;
	int labelled;
	int sorted;	  /* classes and images by bytes, as in folders, however they came */
	struct part part; /* which part of the images it is reduced to; count 0: all */
	char part_of[80]; /* and of what, as in lib/io/join.h */
};

void collection_init(struct collection *c, int labelled);
void collection_release(struct collection *c);

/* Reads a list of classes, one a line. STATUS_DATA: a class named twice, or none. Before adding. */
int collection_want(struct collection *c, const char *path);
/* What a path holds, by its kind, size and first bytes. STATUS_NOINPUT, STATUS_DATA. */
int source_format_find(const char *path, enum source_format *format);
/* STATUS_NOINPUT, STATUS_DATA with the path and what is wrong there. */
int collection_add(struct collection *c, const char *path, enum source_format format);
/* A source without a file of its own; items and classes are added by the caller. */
int collection_source(struct collection *c, const char *path, enum source_format format);
/* STATUS_DATA: no images; a wanted class that no input has. */
int collection_finish(struct collection *c);

/* --- for the files that add --- */
int64_t collection_class(struct collection *c, const char *name); /* its id; -1: out of memory */
int collection_item(struct collection *c, int64_t label, int64_t index, const char *name);
int source_class(struct collection *c, const char *name, int64_t *id); /* in the last source */
int image_name(const char *name); /* whether it ends as image files do, and is not hidden */
int image_path_order(const char *a, const char *b); /* by folder, then by name, both by bytes */
int add_folder(struct collection *c, struct source *s);
int add_list(struct collection *c, struct source *s);
int add_cifar(struct collection *c, struct source *s);
int add_packed(struct collection *c, struct source *s);

#endif
