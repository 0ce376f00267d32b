/*
 * VMamba's SS2D (v0) on a 2 x 3 grid, which a network with its square input cannot have, put
 * together from ops in double, against golden numbers of the official module.
 */
#include "kernels/orders.h"
#include "lib/base/error.h"
#include "lib/program/ops.h"
#include "tests/tap.h"

enum { d = 4, E = 8, N = 16, R = 1, H = 2, W = 3, L = 6, K = 4, ROWS = R + 2 * N };

/* The parameters in the golden's order, and x. Those of each direction are K tensors. */
static const struct weight {
	const char *name;
	int each, dims;
	int64_t shape[4];
	double norm; /* of its gradient */
} weights[] = {
	{"x_proj_weight", 1, 2, {ROWS, E}, 0.16544182},
	{"dt_projs_weight", 1, 2, {E, R}, 0.016182168},
	{"dt_projs_bias", 1, 1, {E}, 0.067279513},
	{"A_logs", 1, 2, {E, N}, 0.053632631},
	{"Ds", 1, 1, {E}, 0.49805561},
	{"in_proj.weight", 0, 2, {2 * E, d}, 2.7110668},
	{"conv2d.weight", 0, 4, {E, 1, 3, 3}, 6.2238355},
	{"conv2d.bias", 0, 1, {E}, 1.5895638},
	{"out_norm.weight", 0, 1, {E}, 1.4221388},
	{"out_norm.bias", 0, 1, {E}, 0.97921031},
	{"out_proj.weight", 0, 2, {d, E}, 2.8646436},
	{"x", 0, 3, {1, L, d}, 1.588658},
};
enum { X_PROJ, DT, DT_BIAS, A_LOG, SKIP, IN, CONV, CONV_BIAS, NORM, NORM_BIAS, OUT, X, MANY };

static double value_of(int j, int64_t i)
{
	double v = 0.5 * sin(0.7 * i + j);

	switch (j) {
	case X:
		return sin(0.9 * i);
	case CONV:
		return 0.4 * v;
	case NORM:
	case SKIP:
		return v + 1;
	case A_LOG:
		return 0.2 * v + log(i % N + 1);
	}
	return v;
}

static tensor in[MANY][K];

static void declare(struct program *p)
{
	char name[64];

	for (int j = 0; j < MANY; j++)
		for (int k = 0; k < (weights[j].each ? K : 1); k++) {
			snprintf(name, sizeof(name), "%s.%d", weights[j].name, k);
			in[j][k] = program_input_grad(p, name, weights[j].dims, weights[j].shape);
		}
}

static void fill(struct program *p)
{
	double host[E * ROWS];

	for (int j = 0; j < MANY; j++)
		for (int k = 0; k < K && in[j][k]; k++) {
			int64_t n = in[j][k]->count;

			for (int64_t i = 0; i < n; i++)
				host[i] = value_of(j, k * n + i);
			tensor_put(p, in[j][k], host);
		}
}

static tensor build(struct program *p)
{
	int32_t order[K * L];
	tensor xz[2], part[3], u, y[K];

	order_fill(ORDER_CROSS, H, W, order, NULL);
	split(p, linear(p, in[X][0], in[IN][0], NULL, 1), 2, (int64_t[]){E, E}, xz);
	u = dwconv2d_silu(p, xz[0], H, W, in[CONV][0], in[CONV_BIAS][0]);
	for (int k = 0; k < K; k++) {
		struct scan_settings one = {1, 1, 1, 1, order + k * L, NULL};

		split(p, linear(p, u, in[X_PROJ][k], NULL, 1), 3, (int64_t[]){R, N, N}, part);
		y[k] = selective_scan(p, &one, u, linear(p, part[0], in[DT][k], NULL, 1),
			in[DT_BIAS][k], in[A_LOG][k], part[1], part[2], in[SKIP][k], NULL, NULL);
	}
	u = add(p, add(p, y[0], y[2]), add(p, y[1], y[3]));
	u = gate(p, layernorm(p, u, in[NORM][0], in[NORM_BIAS][0], 1e-5), xz[1]);
	return linear(p, u, in[OUT][0], NULL, 1);
}

static void compare(struct program *p, tensor out, const char *loops)
{
	const double first[4] = {-0.29084681, -0.18157505, 0.0091999764, 0.19584543};
	const double last[4] = {-0.60792715, -0.38961598, 0.0035814412, 0.39517126};
	double host[E * ROWS], loss = 0, worst = 0;
	char text[96];

	tensor_get(p, out, host);
	for (int i = 0; i < L * d; i++)
		loss += host[i] * cos(0.3 * i);
	for (int c = 0; c < 4; c++) {
		worst = fmax(worst, fabs(host[c] - first[c]));
		worst = fmax(worst, fabs(host[5 * d + c] - last[c]));
	}
	snprintf(text, sizeof(text), "%s: loss", loops);
	near(loss, -0.96493436, 1e-7, text);
	ok(worst <= 1e-7, "%s: first and last token", loops);
	for (int j = 0; j < MANY; j++) {
		double sum = 0;

		for (int k = 0; k < K && in[j][k]; k++) {
			tensor_get_grad(p, in[j][k], host);
			for (int64_t i = 0; i < in[j][k]->count; i++)
				sum += host[i] * host[i];
		}
		snprintf(text, sizeof(text), "%s: gradient of %s", loops, weights[j].name);
		near(sqrt(sum), weights[j].norm, 1e-7, text);
	}
}

static void run(const struct device *device, const char *loops)
{
	struct step step = {.divisor = 1, .scale = 1};
	struct program *p = program_new(PROGRAM_TRAIN);
	double seed[L * d];
	void *block = NULL;
	tensor out;

	memset(in, 0, sizeof(in));
	declare(p);
	out = build(p);
	program_seed(p, out);
	if (!ok(!program_plan(p, device), "%s: planned", loops)) {
		diag("%s", error_message());
		return;
	}
	block = device->alloc(program_bytes(p));
	program_bind(p, block);
	fill(p);
	program_forward(p, &step);
	for (int i = 0; i < L * d; i++)
		seed[i] = cos(0.3 * i);
	tensor_put_grad(p, out, seed);
	program_backward(p, &step);
	compare(p, out, loops);
	program_free(p);
	device->release(block);
}

int main(void)
{
	run(device_cpu_plain(), "plain");
	run(device_cpu(), "fast");
	return done();
}
