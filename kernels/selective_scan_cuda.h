/*
 * CUDA launchers of selective_scan.h.
 *
 * Three forms. The plain one takes any orders, states, directions and segments: a thread walks one
 * channel of one sample, sixteen states at a time. The set form takes four directions that share
 * step sizes (param_at_scan 0), or one alone without direction_B, and N of 8 or 16: four lanes
 * walk two channels (four, in the backward of one direction), each with a quarter of the states of
 * all directions, so that one set of exponentials serves all directions. With four directions
 * tokens' sums lie in shared memory, which bounds L (about 620); longer rows take the plain form,
 * as does a walk in pieces (state). The form for one state takes one direction without
 * direction_B: a thread walks two channels (one, in float), with the next steps' values on their
 * way. Scans with parameters of their own (selective_scans.h) go side by side in one grid where
 * one of the latter two takes them.
 *
 * Exponentials are ex2.approx of A scaled by log2(e) (relative error 2^-22); softplus and its
 * derivative are series around them. Sums have a fixed order; bits do not depend on the number of
 * multiprocessors.
 */
#ifndef KERNELS_SELECTIVE_SCAN_CUDA_H
#define KERNELS_SELECTIVE_SCAN_CUDA_H

#include "kernels/array.h"
#include "kernels/selective_scans.h"

#ifdef __cplusplus
extern "C" {
#endif

/* beta, A_log, D, direction_B are parameters; everything as in struct scan_inputs. */
struct scan_arrays {
	struct array u, r, beta, A_log, B, C, D, direction_B;
	const int32_t *order, *code, *segments;
	float *state;
};

/* data NULL: not wanted. Those of parameters are added to. */
struct scan_array_grads {
	struct array u, r, beta, A_log, B, C, D, direction_B;
	int acc_u, acc_r, acc_B, acc_C;
};

void selective_scan_cuda(
	const struct selective_scan *p, struct array y, const struct scan_arrays *in, float *work);
void selective_scan_cuda_backward(const struct selective_scan *p, const struct scan_array_grads *d,
	struct array dy, const struct scan_arrays *in, float *work);

/*
 * Work in floats. Forward, plain form alone: a y in float (none if y is float, or one direction of
 * up to 16 states). Backward, with T = ceil(E / 32) (set form: 64 channels a tile, 96 with one
 * direction; one state: 64, in float 32): b T L 2 N for dB and dC, b (E N + 2 E + 5 N) for
 * parameters, b T 5 N; and states. Set form: those before every sixth step, b ceil(L / 6) K N times
 * E rounded up to whole tiles; one state: before every eighth step, b ceil(L / 8) E. Plain form: a
 * block's ceil(L / 8) 64 times 8 or 16 for the blocks that are resident at once, up to 5 a
 * multiprocessor; 2 b L E more where several directions or groups of states add.
 */
int64_t selective_scan_cuda_work(
	const struct selective_scan *p, const struct scan_arrays *in, int half, int backward);

/* Several scans of one u. */
struct scans_arrays {
	struct array u, beta, A_log, D;
	struct array r[SCANS_MAX], B[SCANS_MAX], C[SCANS_MAX];
	const int32_t *order;
};

struct scans_array_grads {
	struct array u, beta, A_log, D;
	struct array r[SCANS_MAX], B[SCANS_MAX], C[SCANS_MAX];
	int acc_u, acc_r[SCANS_MAX], acc_B[SCANS_MAX], acc_C[SCANS_MAX];
};

/* y, dy: one array if merged, else one for each scan. */
void selective_scans_cuda(const struct selective_scans *p, const struct array *y,
	const struct scans_arrays *in, float *work);
void selective_scans_cuda_backward(const struct selective_scans *p,
	const struct scans_array_grads *d, const struct array *dy, const struct scans_arrays *in,
	float *work);
/*
 * Besides what the scans need: forward, if merged, a y of its type for each scan; backward a
 * gradient of u for each. half: of y. Of the inputs, which arrays are halves and that the order is
 * there is enough.
 */
int64_t selective_scans_cuda_work(
	const struct selective_scans *p, const struct scans_arrays *in, int half, int backward);

/* 1: the plain form alone, as the check of the other; before programs are planned. */
void selective_scan_cuda_plain(int on);

#ifdef __cplusplus
}
#endif
#endif
