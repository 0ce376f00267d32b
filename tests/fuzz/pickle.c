/* The pickle machine alone, which the checksums of a zip would hide from random bytes. */
#include "lib/io/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pickle *p;
	size_t used;

	if (!pickle_read(&p, data, size, &used))
		value_member(pickle_root(p), "model");
	pickle_free(p);
	return 0;
}
