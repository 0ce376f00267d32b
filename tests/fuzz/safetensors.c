/* The header of a safetensors file, at most 1 MiB of it. */
#include "lib/io/safetensors.h"
#include "tests/fuzz/views.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tensor_views list = {0};

	if (size > 1 << 20)
		return 0;
	if (!safetensors_parse(&list, data, size) && !views_sort(&list))
		touch(&list);
	views_release(&list);
	return 0;
}
