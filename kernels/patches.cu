#include "kernels/elementwise.cuh"

/* Block (x, y): patch x of images y, y + gridDim.y, ...; a thread N values of a row of the patch. */
template <int N, typename T, typename U>
static __global__ void patches_kernel(struct patches p, T *y, U *image, int backward, int acc)
{
	int k = (int)p.side, dim = (int)p.dim, width = (int)p.width, n = dim * k * k;
	int across = width / k, top = (int)blockIdx.x / across * k;
	int left = (int)blockIdx.x % across * k;

	for (int64_t b = blockIdx.y; b < p.batch; b += gridDim.y)
		for (int v = N * threadIdx.x; v < n; v += N * blockDim.x) {
			int e = v / (k * k), row = v / k % k, column = v % k;
			int64_t i = (b * gridDim.x + blockIdx.x) * n + v;
			int64_t at = ((b * p.height + top + row) * width + left + column) * dim + e;
			float f[N];

			if (backward) {
				load_pack<N>(f, y + i);
				for (int j = 0; j < N; j++)
					put(image, at + j * dim, f[j], acc);
			} else {
				for (int j = 0; j < N; j++)
					f[j] = load(image, at + j * dim);
				store_pack<N>(y + i, f);
			}
		}
}

void patches_cuda(
	const struct patches *p, struct array y, struct array image, int backward, int acc)
{
	int64_t patches = (p->height / p->side) * (p->width / p->side);
	dim3 grid((unsigned)patches, (unsigned)(p->batch < 1024 ? p->batch : 1024));

	if (p->side % 4 == 0) {
#define CALL(T, U)                                                                                 \
	patches_kernel<4>                                                                          \
		<<<grid, 192, 0, cuda_stream>>>(*p, (T *)y.data, (U *)image.data, backward, acc)
		BY_TYPES(y, image, CALL);
#undef CALL
	} else {
#define CALL(T, U)                                                                                 \
	patches_kernel<1>                                                                          \
		<<<grid, 192, 0, cuda_stream>>>(*p, (T *)y.data, (U *)image.data, backward, acc)
		BY_TYPES(y, image, CALL);
#undef CALL
	}
}
