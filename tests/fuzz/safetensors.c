/*
 * The header of a safetensors file, at most 1 MiB of it. The bytes are taken as a whole file, and
 * also as a header alone that is put before data of a length in its last two bytes: random changes
 * would seldom keep the three lengths in step.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/io/safetensors.h"
#include "tests/fuzz/views.h"

static void parse(const uint8_t *data, size_t size)
{
	struct tensor_views list = {0};

	if (!safetensors_parse(&list, data, size) && !views_sort(&list))
		touch(&list);
	views_release(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t header = size - 2, length;
	uint8_t *file;

	if (size > 1 << 20)
		return 0;
	parse(data, size);
	if (size < 4)
		return 0;
	length = data[size - 2] | data[size - 1] << 8;
	file = calloc(1, 8 + header + length);
	if (file) {
		memcpy(file, &header, 8);
		memcpy(file + 8, data, header);
		parse(file, 8 + header + length);
	}
	free(file);
	return 0;
}
