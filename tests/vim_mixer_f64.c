/*
 * ViM's mixer (no norm, no residual) put together from kernels, plain and fast, in double, against
 * golden numbers of the official module: six tokens in their order.
 */
#include "kernels/dwconv1d.h"
#include "kernels/gate.h"
#include "kernels/orders.h"
#include "kernels/selective_scan.h"
#include "tests/layer_parts.h"

enum { d = 4, E = 8, N = 16, R = 1, L = 6, K = 2, ROWS = R + 2 * N, W = DWCONV1D_WIDTH };

/* The parameters in the golden's order, and x. Those of the backward direction: at BACK more. */
enum which { A_LOG, SKIP, A_B_LOG, SKIP_B, IN_W, CONV_W, CONV_B, X_PROJ, DT_W, DT_B };
enum { BACK = 5, OUT_W = DT_B + BACK + 1, X, MANY };

static const int sizes[MANY] = {E * N, E, E *N, E, 2 * E *d, E *W, E, ROWS *E, E *R, E, E *W, E,
	ROWS *E, E *R, E, d *E, L *d};
static const double want_norm[MANY] = {0.0068083979, 0.1660506, 0.011487178, 0.37386172, 0.8344531,
	0.75946278, 0.35797477, 0.088612026, 0.0024517171, 0.012515518, 0.60340731, 0.49078586,
	0.34604052, 0.017034279, 0.025412256, 0.60394317, 0.52895993};
static const char *const names[MANY] = {"A_log", "D", "A_b_log", "D_b", "in_proj.weight",
	"conv1d.weight", "conv1d.bias", "x_proj.weight", "dt_proj.weight", "dt_proj.bias",
	"conv1d_b.weight", "conv1d_b.bias", "x_proj_b.weight", "dt_proj_b.weight", "dt_proj_b.bias",
	"out_proj.weight", "x"};

static double value[MANY][ROWS * E], grad[MANY][ROWS * E];

static void fill(void)
{
	for (int j = 0; j < MANY; j++)
		for (int i = 0; i < sizes[j]; i++) {
			double v = sin(0.7 * i + j);

			value[j][i] = 0.5 * v;
			if (j == SKIP || j == SKIP_B)
				value[j][i] += 1;
			if (j == A_LOG || j == A_B_LOG)
				value[j][i] = 0.1 * v + log(i % N + 1);
			if (j == X)
				value[j][i] = sin(0.9 * i);
		}
	memset(grad, 0, sizeof(grad));
}

/* Everything of one direction that backward needs. */
static struct direction {
	double u[L * E], c[L * E], dbl[L * ROWS], dt[L * R], B[L * N], C[L * N], r[L * E];
	int32_t order[L];
} paths[K];
static double xz[L * 2 * E], x[L * E], z[L * E], y[K * L * E], o[K * L * E], half[L * E],
	out[L * d], work[1 << 20];

static const struct selective_scan scan = {1, L, E, N, 1, 1, 1, 1};
static const struct gate gating = {1, K, L, E};

static struct dwconv1d conv_of(int k)
{
	return (struct dwconv1d){1, L, E, k};
}

static struct scan_inputs inputs_of(int k)
{
	const struct direction *s = &paths[k];

	return (struct scan_inputs){s->u, s->r, value[DT_B + k * BACK], value[k ? A_B_LOG : A_LOG],
		s->B, s->C, value[k ? SKIP_B : SKIP], NULL, s->order, NULL, NULL};
}

/* Columns of (L, n) from `from` on, to or from (L, m). */
static void columns(double *part, double *all, int m, int from, int n, int back)
{
	for (int t = 0; t < L; t++)
		for (int i = 0; i < m; i++)
			if (back)
				all[t * n + from + i] = part[t * m + i];
			else
				part[t * m + i] = all[t * n + from + i];
}

static void forward_path(int k, int fast)
{
	struct direction *s = &paths[k];
	struct dwconv1d conv = conv_of(k);
	struct scan_inputs in = inputs_of(k);

	dwconv1d_forward(&conv, s->u, s->c, x, value[CONV_W + k * BACK], value[CONV_B + k * BACK],
		NULL, NULL);
	linear(L, ROWS, E, s->dbl, s->u, value[X_PROJ + k * BACK], NULL);
	columns(s->dt, s->dbl, R, 0, ROWS, 0);
	columns(s->B, s->dbl, N, R, ROWS, 0);
	columns(s->C, s->dbl, N, R + N, ROWS, 0);
	linear(L, E, R, s->r, s->dt, value[DT_W + k * BACK], NULL);
	if (fast)
		selective_scan_forward_fast(&scan, y + k * L * E, &in, work);
	else
		selective_scan_forward(&scan, y + k * L * E, &in);
}

static void forward(int fast)
{
	int32_t order[K * L];

	order_fill(ORDER_BOTH, 1, L, order, NULL);
	linear(L, 2 * E, d, xz, value[X], value[IN_W], NULL);
	columns(x, xz, E, 0, 2 * E, 0);
	columns(z, xz, E, E, 2 * E, 0);
	for (int k = 0; k < K; k++) {
		memcpy(paths[k].order, order + k * L, sizeof(paths[k].order));
		forward_path(k, fast);
	}
	gate_forward(&gating, o, y, NULL, z);
	for (int i = 0; i < L * E; i++)
		half[i] = (o[i] + o[L * E + i]) / 2;
	linear(L, d, E, out, half, value[OUT_W], NULL);
}

/* dx is added to. */
static void backward_path(int k, int fast, double *dx, const double *dy)
{
	static double du[L * E], dr[L * E], dB[L * N], dC[L * N], ddt[L * R], ddbl[L * ROWS];
	struct direction *s = &paths[k];
	struct dwconv1d conv = conv_of(k);
	struct scan_inputs in = inputs_of(k);
	struct scan_grads g = {du, dr, grad[DT_B + k * BACK], grad[k ? A_B_LOG : A_LOG], dB, dC,
		grad[k ? SKIP_B : SKIP], NULL, 0, 0, 0, 0};

	(fast ? selective_scan_backward_fast : selective_scan_backward)(&scan, &g, dy, &in, work);
	memset(ddt, 0, sizeof(ddt));
	linear_back(L, E, R, ddt, grad[DT_W + k * BACK], NULL, dr, s->dt, value[DT_W + k * BACK]);
	columns(ddt, ddbl, R, 0, ROWS, 1);
	columns(dB, ddbl, N, R, ROWS, 1);
	columns(dC, ddbl, N, R + N, ROWS, 1);
	linear_back(L, ROWS, E, du, grad[X_PROJ + k * BACK], NULL, ddbl, s->u,
		value[X_PROJ + k * BACK]);
	dwconv1d_backward(&conv, dx, k, grad[CONV_W + k * BACK], grad[CONV_B + k * BACK], du, s->c,
		x, value[CONV_W + k * BACK], NULL, work);
}

static void backward(int fast)
{
	static double dout[L * d], dhalf[L * E], dob[K * L * E], dy[K * L * E], dz[L * E],
		dx[L * E], dxz[L * 2 * E];

	for (int i = 0; i < L * d; i++)
		dout[i] = cos(0.3 * i);
	memset(dhalf, 0, sizeof(dhalf));
	linear_back(L, d, E, dhalf, grad[OUT_W], NULL, dout, half, value[OUT_W]);
	for (int i = 0; i < K * L * E; i++)
		dob[i] = dhalf[i % (L * E)] / 2;
	gate_backward(&gating, &(struct gate_grads){.y = dy, .z = dz}, dob, y, NULL, z);
	for (int k = 0; k < K; k++)
		backward_path(k, fast, dx, dy + k * L * E);
	columns(dx, dxz, E, 0, 2 * E, 1);
	columns(dz, dxz, E, E, 2 * E, 1);
	linear_back(L, 2 * E, d, grad[X], grad[IN_W], NULL, dxz, value[X], value[IN_W]);
}

int main(void)
{
	const double out0[4] = {-0.072265796, -0.062190403, -0.024199713, 0.02465346};
	const double out5[4] = {-0.025665218, -0.052526744, -0.055810683, -0.034042979};

	for (int fast = 0; fast < 2; fast++) {
		const char *loops = fast ? "fast" : "plain";

		fill();
		forward(fast);
		backward(fast);
		compare_output(loops, out, L, -0.32056558, out0, out5);
		for (int j = 0; j < MANY; j++)
			compare_gradient(loops, names[j], grad[j], sizes[j], want_norm[j]);
	}
	return done();
}
