/* Updates in float against plain loops in double, over several steps; gates; sums over a tree. */
#include <omp.h>
#include "lib/base/error.h"
#include "lib/program/ops.h"
#include "lib/program/program.h"
#include "tests/tap.h"

enum { COUNT = 200003, STEPS = 5 };

static float w[COUNT], m[COUNT], v[COUNT], g[COUNT];
static double w64[COUNT], m64[COUNT], v64[COUNT];
static float first[3][COUNT];
static float gate_value[2];

static double noise(int64_t i, int64_t salt)
{
	uint64_t x = ((uint64_t)i * 2654435761u + (uint64_t)salt * 40503u + 12345) *
		     0x9e3779b97f4a7c15ull;

	return (double)(x >> 11) / 4503599627370496.0 - 1;
}

static void fill_state(void)
{
	for (int64_t i = 0; i < COUNT; i++) {
		w64[i] = w[i] = (float)noise(i, 100);
		m64[i] = m[i] = 0;
		v64[i] = v[i] = 0;
	}
}

static void fill_grad(int step)
{
	for (int64_t i = 0; i < COUNT; i++)
		g[i] = (float)(noise(i, step) * (i % 3 ? 1 : 1e-4));
}

static double distance(const float *a, const double *b)
{
	double worst = 0;

	for (int64_t i = 0; i < COUNT; i++)
		if (!(fabs(a[i] - b[i]) <= worst))
			worst = fabs(a[i] - b[i]);
	return worst;
}

struct update {
	struct program *p;
	void *block;
};

static void update_open(struct update *u)
{
	if (program_plan(u->p, device_cpu()))
		diag("%s", error_message());
	u->block = device_cpu()->alloc(program_bytes(u->p));
	program_bind(u->p, u->block);
}

static void update_close(struct update *u)
{
	program_free(u->p);
	device_cpu()->release(u->block);
}

static tensor array(struct program *p, const char *name, float *data)
{
	return program_external(p, name, TYPE_REAL, COUNT, data);
}

static void adamw64(double lr, int t)
{
	const double b1 = 0.9, b2 = 0.999, eps = 1e-8, decay = 0.05;

	for (int64_t i = 0; i < COUNT; i++) {
		double d = 0.5 * g[i];

		w64[i] -= lr * decay * w64[i];
		m64[i] = b1 * m64[i] + (1 - b1) * d;
		v64[i] = b2 * v64[i] + (1 - b2) * d * d;
		w64[i] -=
			lr * (m64[i] / (1 - pow(b1, t))) / (sqrt(v64[i] / (1 - pow(b2, t))) + eps);
	}
}

static void sgd64(double lr, int t)
{
	for (int64_t i = 0; i < COUNT; i++) {
		double d = 0.5 * g[i] + 0.01 * w64[i];

		m64[i] = t == 1 ? d : 0.9 * m64[i] + d;
		w64[i] -= lr * m64[i];
	}
}

static void build(struct update *u, int is_sgd)
{
	const struct adamw_settings a = {0.9, 0.999, 1e-8, 0.05, 2};
	const struct sgd_settings s = {0.9, 0.01, 2};
	tensor gate;

	u->p = program_new(PROGRAM_EVAL);
	gate = program_external(u->p, "gate", TYPE_REAL, 2, gate_value);
	if (is_sgd)
		sgd(u->p, &s, array(u->p, "w", w), array(u->p, "m", m), array(u->p, "g", g), gate);
	else
		adamw(u->p, &a, array(u->p, "w", w), array(u->p, "m", m), array(u->p, "v", v),
			array(u->p, "g", g), gate);
	update_open(u);
}

static void check_optimiser(int is_sgd, int threads)
{
	const char *name = is_sgd ? "sgd" : "adamw";
	struct update u;

	omp_set_num_threads(threads);
	fill_state();
	gate_value[0] = 0.5f;
	gate_value[1] = 1;
	build(&u, is_sgd);
	for (int t = 1; t <= STEPS; t++) {
		struct step step = {.step = t - 1, .lr = 0.01f / t};

		fill_grad(t);
		program_forward(u.p, &step);
		(is_sgd ? sgd64 : adamw64)(2 * (double)step.lr, t);
	}
	ok(distance(w, w64) <= 2e-6 && distance(m, m64) <= 2e-6 && distance(v, v64) <= 1e-6,
		"%s: %d steps, %d threads, as in double", name, STEPS, threads);
	if (threads == 1) {
		memcpy(first[0], w, sizeof(w));
		memcpy(first[1], m, sizeof(m));
		memcpy(first[2], v, sizeof(v));
	} else {
		ok(!memcmp(first[0], w, sizeof(w)) && !memcmp(first[1], m, sizeof(m)) &&
				!memcmp(first[2], v, sizeof(v)),
			"%s: %d threads, the bits of one", name, threads);
	}
	gate_value[0] = gate_value[1] = 0;
	g[5] = NAN;
	memcpy(first[0], w, sizeof(w));
	program_forward(u.p, &(struct step){.step = 9, .lr = 1});
	ok(!memcmp(first[0], w, sizeof(w)), "%s: a shut gate writes nothing", name);
	update_close(&u);
}

/* norm2 of g, then the gate for max_norm, with the given loss. */
static void gate_of(double max_norm, float *loss, float *norm2, float gate[2])
{
	struct update u = {program_new(PROGRAM_EVAL), NULL};
	tensor n = program_keep(u.p, sumsq(u.p, array(u.p, "g", g)), "norm2");
	tensor t = program_keep(u.p,
		update_gate(u.p, n, program_external(u.p, "loss", TYPE_REAL, 1, loss), NULL,
			(real)max_norm),
		"gate");

	update_open(&u);
	program_forward(u.p, &(struct step){0});
	tensor_get(u.p, n, norm2);
	tensor_get(u.p, t, gate);
	update_close(&u);
}

static void check_gate(void)
{
	float loss = 1, norm2, again, gate[2];
	double want = 0;

	fill_grad(3);
	for (int64_t i = 0; i < COUNT; i++)
		want += (double)g[i] * g[i];
	omp_set_num_threads(1);
	gate_of(0, &loss, &norm2, gate);
	ok(fabs(norm2 / want - 1) < 1e-7, "sum of squares");
	ok(gate[0] == 1 && gate[1] == 1, "no clipping when max_norm is 0");
	omp_set_num_threads(3);
	gate_of(1, &loss, &again, gate);
	ok(again == norm2, "the same bits for three threads");
	near(gate[0], 1 / (sqrt(want) + 1e-6), 1e-7, "the factor that clips to 1");
	gate_of(1e6, &loss, &norm2, gate);
	ok(gate[0] == 1, "a short gradient is left alone");
	loss = NAN;
	gate_of(1, &loss, &norm2, gate);
	ok(gate[0] == 0 && gate[1] == 0, "shut for a loss that is not finite");
	loss = 1;
	g[COUNT - 1] = INFINITY;
	gate_of(1, &loss, &norm2, gate);
	ok(gate[0] == 0 && gate[1] == 0, "shut for a gradient that is not finite");
}

static void check_sums(void)
{
	float running[3] = {1, 2, 3}, stat[3] = {4, 6, 8}, gate[2] = {1, 1};
	struct update u = {program_new(PROGRAM_EVAL), NULL};

	accumulate(u.p, program_external(u.p, "a", TYPE_REAL, 3, stat),
		program_external(u.p, "b", TYPE_REAL, 3, stat));
	ema_buffer(u.p, 0.25f, program_external(u.p, "running", TYPE_REAL, 3, running),
		program_external(u.p, "stat", TYPE_REAL, 3, stat),
		program_external(u.p, "gate", TYPE_REAL, 2, gate));
	update_open(&u);
	program_forward(u.p, &(struct step){.scale = 0.5f});
	ok(stat[0] == 8 && stat[2] == 16, "accumulate");
	ok(running[0] == 0.75f + 1 && running[1] == 1.5f + 1.5f && running[2] == 2.25f + 2,
		"running averages of two shards");
	gate[1] = 0;
	program_forward(u.p, &(struct step){.scale = 0.5f});
	ok(running[0] == 1.75f, "and none behind a shut gate");
	update_close(&u);
	u.p = program_new(PROGRAM_EVAL);
	accumulate(u.p, program_external(u.p, "a", TYPE_REAL, 3, stat), array(u.p, "g", g));
	ok(program_plan(u.p, device_cpu()) == STATUS_DATA, "sizes that differ are refused");
	program_free(u.p);
}

int main(void)
{
	for (int is_sgd = 0; is_sgd < 2; is_sgd++)
		for (int threads = 1; threads <= 3; threads++)
			check_optimiser(is_sgd, threads);
	check_gate();
	check_sums();
	return done();
}
