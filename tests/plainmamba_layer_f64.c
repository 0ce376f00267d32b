/*
 * One PlainMamba layer (norm, mixer, residual) put together from kernels, plain and fast, in
 * double, against golden numbers of the official module.
 */
#include "kernels/directions.h"
#include "kernels/dwconv2d.h"
#include "kernels/gate.h"
#include "kernels/selective_scan.h"
#include "tests/layer_parts.h"

enum { d = 4, E = 8, N = 16, R = 1, H = 2, W = 3, L = 6, K = 4, ROWS = R + 2 * N };

/* The parameters in the golden's order, and x. */
enum which {
	NORM_W,
	NORM_B,
	A_LOG,
	SKIP,
	DIRECTION_B,
	IN_W,
	IN_B,
	CONV_W,
	CONV_B,
	X_PROJ,
	DT_W,
	DT_B,
	OUT_W,
	OUT_B,
	X,
	MANY
};

static const int sizes[MANY] = {
	d, d, E *N, E, 5 * N, 2 * E *d, 2 * E, E * 49, E, ROWS *E, E *R, E, d *E, d, L *d};
static const double want_norm[MANY] = {1.3017732, 2.9855839, 0.068227709, 3.0296082, 1.6121322,
	8.3553987, 3.7102379, 14.548069, 5.303135, 1.9067323, 0.12945727, 0.88712963, 4.9544297,
	1.4207479, 3.9033775};
static const char *const names[MANY] = {"norm.weight", "norm.bias", "A_log", "D", "direction_Bs",
	"in_proj.weight", "in_proj.bias", "conv2d.weight", "conv2d.bias", "x_proj.weight",
	"dt_proj.weight", "dt_proj.bias", "out_proj.weight", "out_proj.bias", "x"};

static double value[MANY][E * 49], grad[MANY][E * 49];

static void fill(void)
{
	for (int j = 0; j < MANY; j++)
		for (int i = 0; i < sizes[j]; i++) {
			double v = sin(0.7 * i + j);

			value[j][i] = 0.5 * v;
			if (j == CONV_W)
				value[j][i] *= 0.4;
			if (j == NORM_W || j == SKIP)
				value[j][i] += 1;
			if (j == A_LOG)
				value[j][i] = 0.1 * v + log(i % N + 1);
			if (j == X)
				value[j][i] = sin(0.9 * i);
		}
	memset(grad, 0, sizeof(grad));
}

static void norm(double *y, double *xhat, double *rstd, const double *x)
{
	for (int i = 0; i < L; i++) {
		double mean = 0, var = 0;

		for (int c = 0; c < d; c++)
			mean += x[i * d + c] / d;
		for (int c = 0; c < d; c++)
			var += (x[i * d + c] - mean) * (x[i * d + c] - mean) / d;
		rstd[i] = 1 / sqrt(var + 1e-5);
		for (int c = 0; c < d; c++) {
			xhat[i * d + c] = (x[i * d + c] - mean) * rstd[i];
			y[i * d + c] = xhat[i * d + c] * value[NORM_W][c] + value[NORM_B][c];
		}
	}
}

static void norm_back(double *dx, const double *dy, const double *xhat, const double *rstd)
{
	for (int i = 0; i < L; i++) {
		double mean = 0, mean_x = 0;

		for (int c = 0; c < d; c++) {
			double g = dy[i * d + c] * value[NORM_W][c];

			mean += g / d;
			mean_x += g * xhat[i * d + c] / d;
			grad[NORM_W][c] += dy[i * d + c] * xhat[i * d + c];
			grad[NORM_B][c] += dy[i * d + c];
		}
		for (int c = 0; c < d; c++)
			dx[i * d + c] += rstd[i] * (dy[i * d + c] * value[NORM_W][c] - mean -
							   xhat[i * d + c] * mean_x);
	}
}

/* Everything between that backward needs. */
static struct {
	double n[L * d], xhat[L * d], rstd[L], xz[L * 2 * E], x[L * E], z[L * E], u[L * E],
		c[L * E], dbl[L * ROWS], dt[L * R], B[L * N], C[L * N], r[L * E], y[K * L * E],
		o[K * L * E], branch[K * L * d], out[L * d];
	int32_t order[K * L], code[K * L];
	double work[1 << 20];
} s;

static struct scan_inputs inputs(void)
{
	return (struct scan_inputs){s.u, s.r, value[DT_B], value[A_LOG], s.B, s.C, value[SKIP],
		value[DIRECTION_B], s.order, s.code, NULL};
}

static const struct selective_scan scan = {1, L, E, N, K, 0, 0, 2};
static const struct dwconv2d conv = {1, H, W, E, 7};
static const struct gate gating = {1, K, L, E};
static const struct directions merge = {1, K, L, d};

/* The output bias is dealt to the directions: a quarter each. */
static void forward(int fast)
{
	struct scan_inputs in = inputs();
	double quarter[d];

	order_fill(ORDER_CONTINUOUS, H, W, s.order, s.code);
	norm(s.n, s.xhat, s.rstd, value[X]);
	linear(L, 2 * E, d, s.xz, s.n, value[IN_W], value[IN_B]);
	for (int t = 0; t < L; t++) {
		memcpy(s.x + t * E, s.xz + t * 2 * E, E * sizeof(double));
		memcpy(s.z + t * E, s.xz + t * 2 * E + E, E * sizeof(double));
	}
	if (fast)
		dwconv2d_forward_fast(&conv, s.u, s.c, s.x, value[CONV_W], value[CONV_B], s.work);
	else
		dwconv2d_forward(&conv, s.u, s.c, s.x, value[CONV_W], value[CONV_B]);
	linear(L, ROWS, E, s.dbl, s.u, value[X_PROJ], NULL);
	for (int t = 0; t < L; t++) {
		memcpy(s.dt + t * R, s.dbl + t * ROWS, R * sizeof(double));
		memcpy(s.B + t * N, s.dbl + t * ROWS + R, N * sizeof(double));
		memcpy(s.C + t * N, s.dbl + t * ROWS + R + N, N * sizeof(double));
	}
	linear(L, E, R, s.r, s.dt, value[DT_W], NULL);
	if (fast)
		selective_scan_forward_fast(&scan, s.y, &in, s.work);
	else
		selective_scan_forward(&scan, s.y, &in);
	gate_forward(&gating, s.o, s.y, NULL, s.z);
	for (int c = 0; c < d; c++)
		quarter[c] = value[OUT_B][c] / K;
	linear(K * L, d, E, s.branch, s.o, value[OUT_W], quarter);
	merge_directions_forward(&merge, s.out, value[X], s.branch, NULL);
}

static void backward(int fast)
{
	static double dout[L * d], dbranch[K * L * d], dob[K * L * E], dy[K * L * E], dz[L * E],
		du[L * E], dr[L * E], dB[L * N], dC[L * N], ddt[L * R], ddbl[L * ROWS], dx[L * E],
		dxz[L * 2 * E], dn[L * d];
	struct scan_inputs in = inputs();
	struct scan_grads g = {
		du, dr, grad[DT_B], grad[A_LOG], dB, dC, grad[SKIP], grad[DIRECTION_B], 0, 0, 0, 0};

	for (int i = 0; i < L * d; i++)
		dout[i] = cos(0.3 * i);
	merge_directions_backward(&merge, grad[X], 1, dbranch, 0, dout, NULL);
	memset(dob, 0, sizeof(dob));
	linear_back(K * L, d, E, dob, grad[OUT_W], NULL, dbranch, s.o, value[OUT_W]);
	for (int i = 0; i < K * L * d; i++)
		grad[OUT_B][i % d] += dbranch[i] / K;
	gate_backward(&gating, &(struct gate_grads){.y = dy, .z = dz}, dob, s.y, NULL, s.z);
	(fast ? selective_scan_backward_fast : selective_scan_backward)(&scan, &g, dy, &in, s.work);
	memset(ddt, 0, sizeof(ddt));
	linear_back(L, E, R, ddt, grad[DT_W], NULL, dr, s.dt, value[DT_W]);
	for (int t = 0; t < L; t++) {
		memcpy(ddbl + t * ROWS, ddt + t * R, R * sizeof(double));
		memcpy(ddbl + t * ROWS + R, dB + t * N, N * sizeof(double));
		memcpy(ddbl + t * ROWS + R + N, dC + t * N, N * sizeof(double));
	}
	linear_back(L, ROWS, E, du, grad[X_PROJ], NULL, ddbl, s.u, value[X_PROJ]);
	if (fast)
		dwconv2d_backward_fast(&conv, dx, 0, grad[CONV_W], grad[CONV_B], du, s.c, s.x,
			value[CONV_W], s.work);
	else
		dwconv2d_backward(
			&conv, dx, 0, grad[CONV_W], grad[CONV_B], du, s.c, s.x, value[CONV_W]);
	for (int t = 0; t < L; t++) {
		memcpy(dxz + t * 2 * E, dx + t * E, E * sizeof(double));
		memcpy(dxz + t * 2 * E + E, dz + t * E, E * sizeof(double));
	}
	memset(dn, 0, sizeof(dn));
	linear_back(L, 2 * E, d, dn, grad[IN_W], grad[IN_B], dxz, s.n, value[IN_W]);
	norm_back(grad[X], dn, s.xhat, s.rstd);
}

int main(void)
{
	const double out0[4] = {0.17236779, 1.1292173, 1.3282862, 0.62091498};
	const double out5[4] = {-0.34235497, 0.3981586, 0.93471049, 0.79080535};

	for (int fast = 0; fast < 2; fast++) {
		const char *loops = fast ? "fast" : "plain";

		fill();
		forward(fast);
		backward(fast);
		compare_output(loops, s.out, L, 3.2945398, out0, out5);
		for (int j = 0; j < MANY; j++)
			compare_gradient(loops, names[j], grad[j], sizes[j], want_norm[j]);
	}
	return done();
}
