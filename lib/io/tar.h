/*
 * Tar archives, read once from front to back, from a file or a pipe: POSIX ustar, with the long
 * names and large sizes of GNU tar (types L and K, base 256) and of pax (path, size).
 *
 * Everything is checked: the sum of each header, that data are there whole, and the mark at the end
 * (two blocks of zeros), by whose absence a cut archive is known. Refused by name (STATUS_DATA):
 * absolute paths, paths with "..", links, devices, sparse and continued files. Nothing is ever
 * unpacked: names are words here, not places.
 */
#ifndef IO_TAR_H
#define IO_TAR_H

#include <stddef.h>
#include <stdint.h>

#define TAR_BLOCK 512

struct tar;

struct tar_member {
	char *name; /* without "./" before it; until the next call */
	int is_folder;
	int64_t size;
	uint64_t mark; /* hash of its header: name, size, owner, time */
};

/* Whether these are the first bytes of a tar archive; at least one block is needed to tell. */
int tar_begins(const void *data, size_t size);

/* "-" is standard input. STATUS_NOINPUT. */
int tar_open(struct tar **t, const char *path);
/* The outer archive's current member as an archive. Close it before the outer moves on. */
int tar_open_member(struct tar **t, struct tar *outer);
void tar_close(struct tar **t);
/* "FILE", or "FILE: MEMBER": what messages begin with. */
const char *tar_path(const struct tar *t);

/* The next member; *found is 0 at the end. What was not read of the last one is passed over. */
int tar_next(struct tar *t, struct tar_member *m, int *found);
/* The next bytes of the current member. */
int tar_read(struct tar *t, void *data, size_t size);

#endif
