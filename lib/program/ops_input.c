#include "lib/program/ops.h"
#include "kernels/image_input.h"

#include <string.h>

/* The program's input of that name, made on first use; NULL, after a refusal, if another has it. */
static tensor table_input(
	struct program *p, const char *name, enum type type, int64_t rows, int64_t columns)
{
	const int64_t shape[2] = {rows, columns};
	tensor t = program_find(p, name);

	if (!t)
		return program_input(p, name, type, 2, shape);
	if (t->type == type && t->dims == 2 && !memcmp(t->shape, shape, sizeof(shape)))
		return t;
	program_refuse(p, "the input %s is %s, here %s is needed", name,
		shape_text(t->dims, t->shape), shape_text(2, shape));
	return NULL;
}

static int is_shard(tensor t, int64_t shard)
{
	return shard >= 1 && t->shape[0] % shard == 0;
}

tensor image_input(struct program *p, tensor pixels, int64_t shard)
{
	struct image_input s;
	tensor erase, mix, y;

	if (program_failed(p))
		return pixels;
	if (pixels->type != TYPE_U8 || pixels->dims != 4 || pixels->shape[1] != pixels->shape[2] ||
		pixels->shape[3] != 3)
		return program_refuse(p, "image_input: %s are no bytes (B, S, S, 3)",
			shape_text(pixels->dims, pixels->shape));
	if (!is_shard(pixels, shard))
		return program_refuse(p, "image_input: %lld samples in shards of %lld",
			(long long)pixels->shape[0], (long long)shard);
	s = (struct image_input){pixels->shape[0], pixels->shape[1], shard};
	erase = table_input(p, "erase", TYPE_I32, s.batch, ERASE_COLUMNS);
	mix = table_input(p, "mix", TYPE_REAL, s.batch / shard, MIX_COLUMNS);
	y = program_tensor(p, TYPE_REAL, 4, pixels->shape);
	return program_call(p,
		&(struct call){.op = OP_image_input,
			.n_in = 3,
			.in = (tensor[]){pixels, erase, mix},
			.n_out = 1,
			.out = &y,
			.params = &s},
		sizeof(s));
}

tensor soft_target(struct program *p, tensor labels, int64_t classes, real smoothing, int64_t shard)
{
	struct soft_target s;
	tensor mix, y;

	if (program_failed(p))
		return labels;
	if (labels->type != TYPE_I32 || labels->dims != 1)
		return program_refuse(p, "soft_target: %s are no labels (B)",
			shape_text(labels->dims, labels->shape));
	if (!is_shard(labels, shard))
		return program_refuse(p, "soft_target: %lld samples in shards of %lld",
			(long long)labels->shape[0], (long long)shard);
	if (!(smoothing >= 0 && smoothing < 1))
		return program_refuse(
			p, "soft_target: smoothing %g is not in [0, 1)", (double)smoothing);
	s = (struct soft_target){labels->shape[0], classes, shard, smoothing};
	mix = table_input(p, "mix", TYPE_REAL, s.batch / shard, MIX_COLUMNS);
	y = program_tensor(p, TYPE_REAL, 2, (int64_t[]){s.batch, classes});
	return program_call(p,
		&(struct call){.op = OP_soft_target,
			.n_in = 2,
			.in = (tensor[]){labels, mix},
			.n_out = 1,
			.out = &y,
			.params = &s},
		sizeof(s));
}
