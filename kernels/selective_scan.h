/*
 * Selective scan (Mamba's S6) in K directions over one set of tokens.
 *
 * Direction k visits token p = order[k][t] at step t. u is read and y written at p. Step size, B
 * and C are read at q = t (param_at_scan 0: PlainMamba's code, where the directions then share
 * every exponential) or at q = p (param_at_scan 1). Per channel e, with states n:
 *
 *	delta = softplus(r_q + kappa beta)	softplus(x) = x above 20, else log(1 + e^x)
 *	A_n   = -exp(A_log_n)
 *	h_n   = exp(delta A_n) h_n + delta u_p (B_q,n + direction_B[code[k][t]][n])
 *	y_p   = sum over n of C_q,n h_n + D u_p
 *
 * with h = 0 before the first step.
 *
 * Shapes: u, r (b, L, E); beta, D (E); A_log (E, N); B, C (b, L, N); direction_B (STEP_CODES, N) or
 * NULL; order, code int32 (K, L); order NULL: as they come, code NULL without direction_B;
 * segments int32 (b, L) or NULL: the first token of each token's segment; a state starts from zero
 * where the segment changes, so that samples share a row. y (b, K, L, E) with tokens in place
 * (raster order), or (b, L, E), the sum over k, if merged; D u counts once for each direction.
 *
 * state (b, E, N) or NULL, of one direction without segments, forward alone: h before the first
 * step, overwritten with h after the last, so that a row may be walked in pieces.
 *
 * With zoh the injected term is held over the step instead of taken at its end (zero-order hold, as
 * papers print it and public code does not do): phi_n = (e^{delta A_n} - 1) / A_n takes the place
 * of delta in front of u. The plain form alone does it.
 *
 * Nothing is kept: backward recomputes. Gradients of u, r, B, C are set or added to (acc_*),
 * those of parameters are added to; NULL ones are not wanted. With a_n = exp(delta A_n):
 *
 *	g_n = C_n dy + (a_n g_n of the step after)
 *	w_n = g_n a_n h_n(before)
 *	m   = sum over n of B_n g_n
 *	du  = D dy + delta m
 *	ddelta = u m + sum over n of A_n w_n
 *	dr     = ddelta (1 - e^-delta)
 *	dB_n   = ddirection_B[code]_n = sum over e of g_n delta u
 *	dC_n   = sum over e of dy h_n
 *	dA_log_n = A_n sum delta w_n
 *	dD       = sum dy u
 *	dbeta    = kappa sum dr
 *
 * and with zoh, where dphi/ddelta = a_n and A_n dphi/dA_n = delta a_n - phi_n,
 *
 *	du       = D dy + sum over n of phi_n B_n g_n
 *	ddelta   = sum over n of A_n w_n + a_n B_n u g_n
 *	dB_n     = sum over e of g_n phi_n u
 *	dA_log_n = sum A_n delta w_n + (delta a_n - phi_n) B_n u g_n
 *
 * The fast form works on blocks of 32 channels, one task per sample and block; its backward keeps
 * a state every sqrt(L) steps and recomputes between. Sums over channels add blocks in order, sums
 * over samples add samples in order: the bits depend neither on threads nor, for what belongs to a
 * sample, on the batch. Work of the fast backward in reals, with S = max(16, sqrt(L)), G = min(K,
 * 4), M = 32: up to 64 threads' (L/S + S) G N M + S N M + 4 L M and per sample and block
 * N M + 2 M + 5 N + 2 L N.
 *
 * Source: Gu and Dao, Mamba (arXiv 2312.00752), algorithm 2; PlainMamba (arXiv 2403.17695).
 */
#ifndef KERNELS_SELECTIVE_SCAN_H
#define KERNELS_SELECTIVE_SCAN_H

#include "kernels/orders.h"
#include "kernels/real.h"

#define SCAN_STATE_MAX 256

struct selective_scan {
	int64_t batch, len, dim, state, directions;
	int param_at_scan;
	int merged;
	real kappa;
	int zoh;
};

struct scan_inputs {
	const real *u, *r, *beta, *A_log, *B, *C, *D, *direction_B;
	const int32_t *order, *code, *segments;
	real *state;
};

struct scan_grads {
	real *u, *r, *beta, *A_log, *B, *C, *D, *direction_B;
	int acc_u, acc_r, acc_B, acc_C;
};

/* dy has the shape of y. */
void selective_scan_forward(const struct selective_scan *p, real *y, const struct scan_inputs *in);
void selective_scan_backward(const struct selective_scan *p, const struct scan_grads *d,
	const real *dy, const struct scan_inputs *in, real *work);
int64_t selective_scan_work(const struct selective_scan *p, int backward);

void selective_scan_forward_fast(
	const struct selective_scan *p, real *y, const struct scan_inputs *in, real *work);
void selective_scan_backward_fast(const struct selective_scan *p, const struct scan_grads *d,
	const real *dy, const struct scan_inputs *in, real *work);
int64_t selective_scan_work_fast(const struct selective_scan *p, int backward);

#endif
