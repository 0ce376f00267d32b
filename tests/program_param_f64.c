/*
 * Gradients of parameters add, whatever op reads them: on top of what an earlier program or an
 * earlier shard left there.
 */
#include "lib/program/ops.h"
#include "lib/program/program.h"
#include "tests/tap.h"

enum { L = 3, C = 4 };

int main(void)
{
	const int64_t shape[] = {1, L, C};
	struct program *p = program_new(PROGRAM_TRAIN);
	struct model *m = model_new();
	struct step step = {.scale = 1, .divisor = 1};
	double dy[L * C], got[L * C];
	int wrong = 0;
	struct param *rows;
	tensor x, y;
	void *block;

	rows = model_param(m, 0, INIT_ONE, 0, "rows", 3, (int64_t)1, (int64_t)L, (int64_t)C);
	model_allocate(m, device_cpu(), 1);
	x = program_input_grad(p, "x", 3, shape);
	y = add(p, add(p, x, program_param(p, rows)), residual(p, program_param(p, rows), x, 0, 0));
	program_seed(p, y);
	program_plan(p, device_cpu());
	block = device_cpu()->alloc(program_bytes(p));
	program_bind(p, block);
	for (int i = 0; i < L * C; i++) {
		dy[i] = i + 1;
		rows->grad[i] = 100;
	}
	for (int shard = 1; shard <= 2; shard++) {
		program_forward(p, &step);
		tensor_put_grad(p, y, dy);
		program_backward(p, &step);
		tensor_get_grad(p, x, got);
		wrong = 0;
		for (int i = 0; i < L * C; i++)
			wrong += !(rows->grad[i] == 100 + 2 * shard * dy[i] && got[i] == 2 * dy[i]);
		ok(!wrong, "shard %d adds to the parameter's gradient, and sets the input's",
			shard);
	}
	program_free(p);
	model_free(m);
	device_cpu()->release(block);
	return done();
}
