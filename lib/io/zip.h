/* Zip archives whose members are stored, read from memory: what torch.save writes. */
#ifndef IO_ZIP_H
#define IO_ZIP_H

#include <stddef.h>
#include <stdint.h>

#define ZIP_MAX 200000 /* members */

struct zip_member {
	const char *name; /* not terminated */
	size_t name_length;
	const unsigned char *data; /* NULL: compressed or encrypted, so not to be had */
	uint64_t size;
	uint32_t crc;
	int checked; /* the checksum was found right */
};

struct zip {
	struct zip_member *members; /* sorted by name */
	int count;
};

/* Reads the central directory (zip64 too) and every local header. STATUS_DATA. */
int zip_parse(struct zip *zip, const unsigned char *file, size_t size);
void zip_release(struct zip *zip);

/* prefix followed by name; NULL when absent. */
struct zip_member *zip_find(
	const struct zip *zip, const char *prefix, size_t prefix_length, const char *name);

/* Compares the checksum, once. STATUS_DATA when it is wrong or the member is compressed. */
int zip_check(struct zip_member *member);

#endif
