/* One block of a tar archive, and what extended headers say about the next. For tar.c and tests. */
#ifndef IO_TAR_HEADER_H
#define IO_TAR_HEADER_H

#include <stddef.h>
#include <stdint.h>

#define TAR_EXTENSION_MAX (1 << 20)
#define TAR_NAME_MAX 4096
#define TAR_SIZE_MAX ((int64_t)1 << 60)

enum { TAR_END = 1, TAR_BAD = 2 };

struct tar_header {
	char name[257]; /* prefix and name */
	char magic[8];
	char type;
	int64_t size;
};

/* From a block of 512 bytes: 0, TAR_END (all zeros) or TAR_BAD (its sum or a number is wrong). */
int tar_header_read(struct tar_header *h, const unsigned char *block);
/*
 * Records of pax, a text that ends with 0 and is changed: `path` and `size` replace what is given.
 * TAR_BAD.
 */
int tar_pax_read(char *text, const char **name, int64_t *size);
/* Why a member is not taken; NULL: it is. */
const char *tar_refuses(const struct tar_header *h, const char *name);
int tar_is_folder(const struct tar_header *h);
/* Up to the next block. */
int64_t tar_padded(int64_t size);

#endif
