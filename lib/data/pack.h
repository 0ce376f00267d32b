/*
 * A collection's images into an `images` file, a block of them at a time: blocks are read, decoded
 * and checked by several threads and written in order.
 */
#ifndef DATA_PACK_H
#define DATA_PACK_H

#include "lib/data/collection.h"
#include "lib/io/provenance.h"

enum pack_store { PACK_CHOOSE, PACK_ENCODED, PACK_PIXELS };

struct pack_settings {
	enum pack_store store; /* PACK_CHOOSE: pixels when all inputs hold pixels */
	int64_t size;	       /* pixels: short side, then the centre square; 0: as they are */
	int64_t skip_damaged;  /* how many may be left out */
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
 * Every image is decoded, also where its bytes are stored as they are. Damaged ones are reported,
 * counted and left out; more than skip_damaged of them: STATUS_DATA after the last, and no output.
 */
int pack_write(struct collection *c, const struct pack_settings *s, const char *output,
	struct pack_result *result);

/* What PACK_CHOOSE chooses. */
enum pack_store pack_store_of(const struct collection *c);

#endif
