/* Both forms of torch.save's files: zip directory, pickle machine, tensors. */
#include "lib/io/pth.h"
#include "tests/fuzz/views.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tensor_views list = {0};
	struct pth_found found;

	if (!pth_parse(&list, &found, data, size, NULL) && !views_sort(&list))
		touch(&list);
	views_release(&list);
	return 0;
}
