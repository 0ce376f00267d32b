/* Several scans of one u: side by side in one grid, or one after another by the plain form. */
#include "kernels/scan.cuh"

/* x of all scans, each after the other: (K, count values). */
struct planes {
	int count, half;
	int64_t size; /* of one */
	const char *data;
};

static __device__ __forceinline__ float4 plane4(const struct planes &x, int k, int64_t i)
{
	struct array a = {(void *)(x.data + k * x.size * (x.half ? 2 : 4)), x.half};

	return value4(a, i);
}

static __device__ __forceinline__ float4 every_second(const struct planes &x, int k, int64_t i)
{
	float4 sum = plane4(x, k, i);

	for (k += 2; k < x.count; k += 2)
		sum = axpy4(1, plane4(x, k, i), sum);
	return sum;
}

/* The even planes in order, plus the odd ones in order; values in fours. */
static __global__ void sum_planes(struct array y, int acc, struct planes x)
{
	GRID_STRIDE(i, x.size / 4)
	{
		float4 sum = every_second(x, 0, 4 * i);

		if (x.count > 1)
			sum = axpy4(1, every_second(x, 1, 4 * i), sum);
		set_value4(y, 4 * i, sum, acc);
	}
}

/* The same where the size is no multiple of four. */
static __global__ void sum_values(struct array y, int acc, struct planes x)
{
	GRID_STRIDE(i, x.size)
	{
		float sum[2] = {0, 0};

		for (int k = 0; k < x.count; k++) {
			struct array a = {(void *)(x.data + k * x.size * (x.half ? 2 : 4)), x.half};

			sum[k % 2] += value(a, i);
		}
		set_value(y, i, sum[0] + sum[1], acc);
	}
}

static int64_t values_of(const struct selective_scans *p)
{
	return p->one.batch * p->one.len * p->one.dim;
}

/* Floats that hold a plane for each scan. */
static int64_t plane_floats(const struct selective_scans *p, int half)
{
	int64_t bytes = p->count * values_of(p) * (half ? 2 : 4);

	return p->count < 2 ? 0 : (bytes + 127) / 128 * 32;
}

static struct array plane_of(const struct selective_scans *p, float *work, int half, int64_t k)
{
	struct array a = {(char *)work + k * values_of(p) * (half ? 2 : 4), half};

	return a;
}

static void gather(const struct selective_scans *p, struct array y, int acc, const float *work)
{
	struct planes x = {(int)p->count, y.half, values_of(p), (const char *)work};

	if (x.size % 4)
		sum_values<<<grid_for(x.size, 256), 256, 0, cuda_stream>>>(y, acc, x);
	else
		sum_planes<<<grid_for(x.size / 4, 256), 256, 0, cuda_stream>>>(y, acc, x);
}

/* Floats from element i on of a parameter or its gradient. */
static struct array rows_from(struct array a, int64_t i)
{
	struct array b = {a.data ? (float *)a.data + i : NULL, a.half};

	return b;
}

static struct scan_arrays arrays_of(
	const struct selective_scans *p, const struct scans_arrays *in, int64_t k)
{
	int64_t E = p->one.dim;
	struct scan_arrays a = {in->u, in->r[k], rows_from(in->beta, k * E),
		rows_from(in->A_log, k * E * p->one.state), in->B[k], in->C[k],
		rows_from(in->D, k * E)};

	a.order = in->order ? in->order + k * p->one.len : NULL;
	return a;
}

/* du: where the scan's own gradient of u goes. */
static struct scan_array_grads grads_of(const struct selective_scans *p,
	const struct scans_array_grads *d, int64_t k, struct array du, int acc_u)
{
	int64_t E = p->one.dim;
	struct scan_array_grads g = {du, d->r[k], rows_from(d->beta, k * E),
		rows_from(d->A_log, k * E * p->one.state), d->B[k], d->C[k],
		rows_from(d->D, k * E)};

	g.acc_u = acc_u;
	g.acc_r = d->acc_r[k];
	g.acc_B = d->acc_B[k];
	g.acc_C = d->acc_C[k];
	return g;
}

void selective_scans_cuda(const struct selective_scans *p, const struct array *y,
	const struct scans_arrays *in, float *work)
{
	struct scan_jobs jobs = {(int)p->count};
	int apart = p->merged && p->count > 1;
	float *rest = work + (apart ? plane_floats(p, y->half) : 0);
	enum scan_form form;

	for (int k = 0; k < p->count; k++) {
		jobs.of[k].in = arrays_of(p, in, k);
		jobs.of[k].y = apart ? plane_of(p, work, y->half, k) : y[k];
	}
	form = scan_form_of(p->one, jobs.of[0].in, 0);
	if (form)
		scan_jobs_forward(p->one, form, jobs);
	for (int k = 0; k < p->count && !form; k++)
		selective_scan_cuda(&p->one, jobs.of[k].y, &jobs.of[k].in, rest);
	if (apart)
		gather(p, *y, 0, work);
}

void selective_scans_cuda_backward(const struct selective_scans *p,
	const struct scans_array_grads *d, const struct array *dy, const struct scans_arrays *in,
	float *work)
{
	struct scan_jobs jobs = {(int)p->count};
	int apart = p->count > 1 && d->u.data;
	float *rest = work + (apart ? plane_floats(p, d->u.half) : 0);
	enum scan_form form;

	for (int k = 0; k < p->count; k++) {
		jobs.of[k].in = arrays_of(p, in, k);
		jobs.of[k].y = dy[p->merged ? 0 : k];
		jobs.of[k].d = apart ? grads_of(p, d, k, plane_of(p, work, d->u.half, k), 0)
				     : grads_of(p, d, k, d->u, d->acc_u);
	}
	form = scan_form_of(p->one, jobs.of[0].in, 1);
	for (int k = 0; k < p->count && form; k++)
		rest += scan_parts_of(&jobs.of[k].parts, p->one, form, rest);
	if (form)
		scan_jobs_backward(p->one, form, jobs);
	for (int k = 0; k < p->count && !form; k++)
		selective_scan_cuda_backward(
			&p->one, &jobs.of[k].d, jobs.of[k].y, &jobs.of[k].in, rest);
	if (apart)
		gather(p, d->u, d->acc_u, work);
}

int64_t selective_scans_cuda_work(const struct selective_scans *p, const struct scans_arrays *in,
	int half, int backward)
{
	struct scan_arrays one = arrays_of(p, in, 0);
	int64_t scan = selective_scan_cuda_work(&p->one, &one, half, backward);

	if (!backward)
		return scan + (p->merged ? plane_floats(p, half) : 0);
	if (scan_form_of(p->one, one, 1))
		scan *= p->count;
	return scan + plane_floats(p, in->u.half);
}
