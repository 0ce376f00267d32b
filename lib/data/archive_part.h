/* One part file of an archive while its members are read, a block of them at a time. */
#ifndef DATA_ARCHIVE_PART_H
#define DATA_ARCHIVE_PART_H

#include "lib/data/archive.h"
#include "lib/io/tar.h"

struct part_image {
	char *name;
	size_t at, size; /* in the block */
	int32_t label;
	int status;
	char message[300];
};

struct part_writer {
	const struct archive_settings *s;
	struct archive_result *r;
	int labelled;
	char *path; /* NULL: no part is begun */
	struct pack_file file;
	char **classes;
	int64_t class_count, damaged;
	uint8_t *block;
	size_t used, room;
	struct part_image *images;
	int count;
};

int part_writer_begin(struct part_writer *p, const char *path);
/* Reads the tar's current member. */
int part_writer_add(struct part_writer *p, struct tar *t, const struct tar_member *m,
	const char *name, const char *class_name);
/*
 * *whole 0: so many images are damaged that the part is not kept. made_from is noted in it, and
 * what part_kept compares.
 */
int part_writer_end(struct part_writer *p, const char *made_from, int *whole);
void part_writer_release(struct part_writer *p);

/* STATUS_DATA when a part that is there was made from something else; counts its damaged images. */
int part_kept(const char *path, const char *made_from, struct archive_result *r);

#endif
