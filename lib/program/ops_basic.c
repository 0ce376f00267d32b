#include "lib/program/ops.h"
#include "kernels/add.h"

#include <string.h>

static tensor scaled_sum(struct program *p, tensor a, tensor b, real scale)
{
	struct add s = {a->count, scale};
	tensor y = program_tensor(p, TYPE_REAL, a->dims, a->shape);

	if (a->dims != b->dims || memcmp(a->shape, b->shape, a->dims * sizeof(a->shape[0])))
		return program_refuse(p, "add: %s and %s differ", shape_text(a->dims, a->shape),
			shape_text(b->dims, b->shape));
	return program_call(p,
		&(struct call){.op = OP_add,
			.n_in = 2,
			.in = (tensor[]){a, b},
			.n_out = 1,
			.out = &y,
			.params = &s},
		sizeof(s));
}

tensor add(struct program *p, tensor a, tensor b)
{
	return scaled_sum(p, a, b, 1);
}

tensor mean_of_two(struct program *p, tensor a, tensor b)
{
	return scaled_sum(p, a, b, (real)0.5);
}
