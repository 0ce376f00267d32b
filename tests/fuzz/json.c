/* The index of a sharded checkpoint. */
#include "lib/io/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shard_index index;

	if (!shard_index_parse(&index, data, size))
		shard_index_release(&index);
	return 0;
}
