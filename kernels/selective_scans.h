/*
 * Several selective scans (selective_scan.h) of one u, each in an order of its own and with its own
 * step, B, C, A and D: VMamba's four directions in one call.
 *
 * Scan k < K is that of selective_scan.h in one direction, order[k], with rows k of beta, A_log and
 * D; r, B and C are read at the token (param_at_scan 1). y_k (b, L, E) has tokens in place. If
 * merged there is one y, the sum over k: the even ones in order, plus the odd ones in order,
 * (y_0 + y_2) + (y_1 + y_3).
 *
 * Shapes: u (b, L, E); r_k (b, L, E); B_k, C_k (b, L, N); beta, D (K, E); A_log (K, E, N); order
 * int32 (K, L).
 *
 * Gradients of u, r, B, C are set or added to (acc_*); those of parameters are added to; NULL ones
 * are not wanted. On the CPU scans follow each other, the last first on the way back, and u's
 * gradient gathers in that order: the bits are those of K calls of selective_scan whose outputs are
 * added.
 *
 * Source: VMamba (arXiv 2401.10166), SS2D.
 */
#ifndef KERNELS_SELECTIVE_SCANS_H
#define KERNELS_SELECTIVE_SCANS_H

#include "kernels/selective_scan.h"

#define SCANS_MAX 4

struct selective_scans {
	struct selective_scan one; /* directions 1, param_at_scan 1, merged 1 */
	int64_t count;		   /* K, 1 to SCANS_MAX */
	int merged;
};

struct scans_inputs {
	const real *u, *beta, *A_log, *D;
	const real *r[SCANS_MAX], *B[SCANS_MAX], *C[SCANS_MAX];
	const int32_t *order;
};

struct scans_grads {
	real *u, *beta, *A_log, *D;
	real *r[SCANS_MAX], *B[SCANS_MAX], *C[SCANS_MAX];
	int acc_u, acc_r[SCANS_MAX], acc_B[SCANS_MAX], acc_C[SCANS_MAX];
};

/* y, dy: one if merged, else one for each scan. */
void selective_scans_forward(
	const struct selective_scans *p, real *const *y, const struct scans_inputs *in, real *work);
void selective_scans_backward(const struct selective_scans *p, const struct scans_grads *d,
	const real *const *dy, const struct scans_inputs *in, real *work);
/* Forward: two y if merged. Backward: that of one scan. */
int64_t selective_scans_work(const struct selective_scans *p, int backward);

/* The same by the fast forms of one scan. */
void selective_scans_forward_fast(
	const struct selective_scans *p, real *const *y, const struct scans_inputs *in, real *work);
void selective_scans_backward_fast(const struct selective_scans *p, const struct scans_grads *d,
	const real *const *dy, const struct scans_inputs *in, real *work);
int64_t selective_scans_work_fast(const struct selective_scans *p, int backward);

#endif
