/*
 * A collection's images into an `images` file, a block of them at a time: blocks are read, decoded
 * and checked by several threads and written in order.
 */
#ifndef DATA_PACK_H
#define DATA_PACK_H

#include "lib/data/collection.h"
#include "lib/data/pack_file.h"
#include "lib/io/provenance.h"

/*
 * How far images are looked at that are stored as they are: decoded, their markers and sizes
 * (decode.h), or not at all (they were before).
 */
enum pack_check { PACK_DECODED, PACK_STRUCTURE, PACK_UNCHECKED };
extern const char *const pack_checks[]; /* "decode", "structure", NULL */

struct pack_settings {
	enum pack_store store; /* PACK_CHOOSE: pixels when all inputs hold pixels */
	int64_t size;	       /* pixels: short side, then the centre square; 0: as they are */
	enum pack_check check;
	int64_t skip_damaged; /* how many may be left out */
	int threads;
	const char *split; /* "train", ... or NULL */
	const struct provenance *provenance;
	/* Called for each damaged image with the message, and after each block; may be NULL. */
	void (*on_damaged)(const char *message);
	void (*on_progress)(void *data, int64_t done);
	void *data;
};

struct pack_result {
	int64_t images, damaged, bytes; /* bytes of encoded or pixels */
};

/*
 * Damaged images are reported, counted and left out; more than skip_damaged of them: STATUS_DATA
 * after the last, and no output.
 */
int pack_write(struct collection *c, const struct pack_settings *s, const char *output,
	struct pack_result *result);

/* STATUS_DATA, and what to do, where that many damaged ones are too many. */
int pack_allows(int64_t damaged, int64_t skip);

/* What PACK_CHOOSE chooses. */
enum pack_store pack_store_of(const struct collection *c);

#endif
