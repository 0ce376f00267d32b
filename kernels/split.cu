#include "kernels/elementwise.cuh"

template <typename T, typename U>
static __global__ void split_kernel(T *part, U *x, int64_t rows, int64_t all, int64_t from,
	int64_t width, int backward, int acc)
{
	GRID_STRIDE(i, rows * width)
	{
		int64_t at = i / width * all + from + i % width;

		if (backward)
			put(x, at, load(part, i), acc);
		else
			store(part, i, load(x, at));
	}
}

void split_cuda(const struct split *p, struct array part, struct array x, int64_t from,
	int64_t width, int backward, int acc)
{
#define CALL(T, U)                                                                                 \
	split_kernel LAUNCH(p->rows *width)(                                                       \
		(T *)part.data, (U *)x.data, p->rows, p->width, from, width, backward, acc)
	BY_TYPES(part, x, CALL);
#undef CALL
}
