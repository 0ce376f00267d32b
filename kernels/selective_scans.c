#include "kernels/selective_scans.h"

#include <stddef.h>

static int64_t values_of(const struct selective_scans *p)
{
	return p->one.batch * p->one.len * p->one.dim;
}

static struct scan_inputs inputs_of(
	const struct selective_scans *p, const struct scans_inputs *in, int64_t k)
{
	int64_t E = p->one.dim;

	return (struct scan_inputs){.u = in->u,
		.r = in->r[k],
		.beta = in->beta + k * E,
		.A_log = in->A_log + k * E * p->one.state,
		.B = in->B[k],
		.C = in->C[k],
		.D = in->D + k * E,
		.order = in->order + k * p->one.len};
}

/* The last scan goes first: it alone may set u's gradient. */
static struct scan_grads grads_of(
	const struct selective_scans *p, const struct scans_grads *d, int64_t k)
{
	int64_t E = p->one.dim;

	return (struct scan_grads){.u = d->u,
		.r = d->r[k],
		.beta = d->beta ? d->beta + k * E : NULL,
		.A_log = d->A_log ? d->A_log + k * E * p->one.state : NULL,
		.B = d->B[k],
		.C = d->C[k],
		.D = d->D ? d->D + k * E : NULL,
		.acc_u = k < p->count - 1 || d->acc_u,
		.acc_r = d->acc_r[k],
		.acc_B = d->acc_B[k],
		.acc_C = d->acc_C[k]};
}

static void scan(const struct selective_scans *p, int64_t k, real *y, const struct scans_inputs *in,
	int fast)
{
	struct scan_inputs own = inputs_of(p, in, k);

	if (fast)
		selective_scan_forward_fast(&p->one, y, &own, NULL);
	else
		selective_scan_forward(&p->one, y, &own);
}

static void add(real *sum, const real *x, int64_t count)
{
#pragma omp parallel for simd
	for (int64_t i = 0; i < count; i++)
		sum[i] += x[i];
}

/* sum = scans k, k + 2, ... */
static void scan_every_second(const struct selective_scans *p, int64_t k, real *sum,
	const struct scans_inputs *in, real *spare, int fast)
{
	scan(p, k, sum, in, fast);
	for (k += 2; k < p->count; k += 2) {
		scan(p, k, spare, in, fast);
		add(sum, spare, values_of(p));
	}
}

static void forward(const struct selective_scans *p, real *const *y, const struct scans_inputs *in,
	real *work, int fast)
{
	if (!p->merged) {
		for (int64_t k = 0; k < p->count; k++)
			scan(p, k, y[k], in, fast);
		return;
	}
	scan_every_second(p, 0, y[0], in, work, fast);
	if (p->count < 2)
		return;
	scan_every_second(p, 1, work, in, work + values_of(p), fast);
	add(y[0], work, values_of(p));
}

void selective_scans_forward(
	const struct selective_scans *p, real *const *y, const struct scans_inputs *in, real *work)
{
	forward(p, y, in, work, 0);
}

void selective_scans_forward_fast(
	const struct selective_scans *p, real *const *y, const struct scans_inputs *in, real *work)
{
	forward(p, y, in, work, 1);
}

void selective_scans_backward(const struct selective_scans *p, const struct scans_grads *d,
	const real *const *dy, const struct scans_inputs *in, real *work)
{
	for (int64_t k = p->count - 1; k >= 0; k--) {
		struct scan_inputs own = inputs_of(p, in, k);
		struct scan_grads grads = grads_of(p, d, k);

		selective_scan_backward(&p->one, &grads, dy[p->merged ? 0 : k], &own, work);
	}
}

void selective_scans_backward_fast(const struct selective_scans *p, const struct scans_grads *d,
	const real *const *dy, const struct scans_inputs *in, real *work)
{
	for (int64_t k = p->count - 1; k >= 0; k--) {
		struct scan_inputs own = inputs_of(p, in, k);
		struct scan_grads grads = grads_of(p, d, k);

		selective_scan_backward_fast(&p->one, &grads, dy[p->merged ? 0 : k], &own, work);
	}
}

static int64_t forward_work(const struct selective_scans *p)
{
	return p->merged && p->count > 1 ? 2 * values_of(p) : 0;
}

int64_t selective_scans_work(const struct selective_scans *p, int backward)
{
	return backward ? selective_scan_work(&p->one, 1) : forward_work(p);
}

int64_t selective_scans_work_fast(const struct selective_scans *p, int backward)
{
	return backward ? selective_scan_work_fast(&p->one, 1) : forward_work(p);
}
