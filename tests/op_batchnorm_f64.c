/*
 * Batch norm in its three modes against formulas: which statistics normalise, and what is added to
 * the buffers' slots.
 */
#include "lib/base/error.h"
#include "lib/program/ops.h"
#include "lib/program/program.h"
#include "tests/tap.h"

enum { ROWS = 300, DIM = 5 };

static double x[ROWS * DIM], y[ROWS * DIM], mean[DIM], square[DIM];

static void fill(struct model *m)
{
	for (int i = 0; i < ROWS * DIM; i++)
		x[i] = 3 + (i % DIM) + sin(1.7 * i) * (1 + i % DIM);
	for (int c = 0; c < DIM; c++) {
		mean[c] = square[c] = 0;
		for (int r = 0; r < ROWS; r++)
			mean[c] += x[r * DIM + c] / ROWS;
		for (int r = 0; r < ROWS; r++)
			square[c] += pow(x[r * DIM + c] - mean[c], 2);
	}
	for (int i = 0; i < m->count; i++) {
		double values[DIM];

		for (int c = 0; c < DIM; c++)
			values[c] = 0.5 + 0.25 * c + i;
		param_put(m, m->params[i], values);
	}
}

/* Largest error of y; used: mean and var that should have normalised */
static double output_error(const double *used_mean, const double *used_var)
{
	double worst = 0;

	for (int i = 0; i < ROWS * DIM; i++) {
		int c = i % DIM;
		double h = (x[i] - used_mean[c]) / sqrt(used_var[c] + 1e-5);
		double want = fmax(0, h * (0.5 + 0.25 * c) + 1.5 + 0.25 * c);

		if (!(fabs(y[i] - want) <= worst))
			worst = fabs(y[i] - want);
	}
	return worst;
}

static void walk(struct model *m, enum program_mode mode, const struct device *device, int times)
{
	struct program *p = program_new(mode);
	tensor in = program_input(p, "x", TYPE_REAL, 2, (int64_t[]){ROWS, DIM});
	tensor out = program_keep(p,
		batchnorm(p, in, program_param(p, m->params[0]), program_param(p, m->params[1]),
			program_param(p, m->params[2]), program_param(p, m->params[3]), 1e-5, 1),
		"y");
	struct step step = {.scale = 1};
	void *block;

	if (program_plan(p, device))
		diag("%s", error_message());
	block = device->alloc(program_bytes(p));
	program_bind(p, block);
	tensor_put(p, in, x);
	device->zero(m->stat, m->buffer_size * sizeof(*m->stat));
	for (int i = 0; i < times; i++)
		program_forward(p, &step);
	tensor_get(p, out, y);
	program_free(p);
	device->release(block);
}

/* Whether the slots hold `times` the batch's statistics. */
static int recorded(const struct model *m, double times)
{
	for (int c = 0; c < DIM; c++)
		if (!(fabs(m->params[2]->grad[c] - times * mean[c]) < 1e-10 &&
			    fabs(m->params[3]->grad[c] - times * square[c] / (ROWS - 1)) < 1e-10))
			return 0;
	return 1;
}

static void check(const struct device *device, const char *name)
{
	struct model *m = model_new();
	double var[DIM], running_mean[DIM], running_var[DIM];

	model_param(m, 0, INIT_ONE, 0, "weight", 1, (int64_t)DIM);
	model_param(m, 0, INIT_ZERO, 0, "bias", 1, (int64_t)DIM);
	model_param(m, PARAM_BUFFER, INIT_ZERO, 0, "running_mean", 1, (int64_t)DIM);
	model_param(m, PARAM_BUFFER, INIT_ONE, 0, "running_var", 1, (int64_t)DIM);
	model_allocate(m, device, 1);
	fill(m);
	for (int c = 0; c < DIM; c++) {
		var[c] = square[c] / ROWS;
		running_mean[c] = 2.5 + 0.25 * c;
		running_var[c] = 3.5 + 0.25 * c;
	}
	walk(m, PROGRAM_TRAIN, device, 3);
	ok(output_error(mean, var) <= 1e-10, "%s train: the batch's statistics normalise", name);
	ok(recorded(m, 3), "%s train: mean and unbiased variance are added, shard by shard", name);
	walk(m, PROGRAM_FROZEN, device, 1);
	ok(output_error(mean, var) <= 1e-10, "%s frozen: the batch's statistics normalise", name);
	ok(recorded(m, 0), "%s frozen: and are not recorded", name);
	walk(m, PROGRAM_EVAL, device, 1);
	ok(output_error(running_mean, running_var) <= 1e-10, "%s eval: the buffers normalise",
		name);
	ok(recorded(m, 0), "%s eval: nothing is recorded", name);
	model_free(m);
}

int main(void)
{
	struct program *p = program_new(PROGRAM_TRAIN);
	tensor v = program_input(p, "v", TYPE_REAL, 1, (int64_t[]){DIM});

	check(device_cpu_plain(), "plain");
	check(device_cpu(), "fast");
	batchnorm(p, program_input(p, "x", TYPE_REAL, 2, (int64_t[]){1, DIM}), v, v, v, v, 1e-5, 0);
	ok(program_plan(p, device_cpu()) == STATUS_DATA, "one row has no variance: refused");
	program_free(p);
	return done();
}
