#include "lib/program/ops.h"
#include "kernels/batchnorm.h"
#include "kernels/conv2d.h"

static int is_vector(tensor t, int64_t n)
{
	return !t || (t->dims == 1 && t->count == n);
}

static tensor conv2d_shapes(struct program *p, tensor x, tensor weight, tensor bias, int64_t stride,
	int64_t pad, struct conv2d *s)
{
	if (x->dims != 4 || weight->dims != 4 || weight->shape[1] != x->shape[3] ||
		weight->shape[2] != weight->shape[3])
		return program_refuse(p, "conv2d: weight %s does not fit %s",
			shape_text(weight->dims, weight->shape), shape_text(x->dims, x->shape));
	*s = (struct conv2d){x->shape[0], x->shape[1], x->shape[2], x->shape[3], weight->shape[0],
		weight->shape[2], stride, pad};
	if (!is_vector(bias, s->cout))
		return program_refuse(p, "conv2d: bias %s does not fit weight %s",
			shape_text(bias->dims, bias->shape),
			shape_text(weight->dims, weight->shape));
	if (stride < 1 || pad < 0 || pad >= s->kernel || s->height + 2 * pad < s->kernel ||
		s->width + 2 * pad < s->kernel)
		return program_refuse(p, "conv2d: %s with kernel %lld, stride %lld, padding %lld",
			shape_text(x->dims, x->shape), (long long)s->kernel, (long long)stride,
			(long long)pad);
	return NULL;
}

tensor conv2d(struct program *p, tensor x, tensor weight, tensor bias, int64_t stride, int64_t pad)
{
	struct conv2d s;
	tensor y, bad;

	if (program_failed(p))
		return x;
	if ((bad = conv2d_shapes(p, x, weight, bias, stride, pad, &s)))
		return bad;
	y = program_tensor(p, TYPE_REAL, 4,
		(int64_t[]){s.batch, conv2d_out(&s, s.height), conv2d_out(&s, s.width), s.cout});
	return program_call(p,
		&(struct call){.op = OP_conv2d,
			.n_in = 3,
			.in = (tensor[]){x, weight, bias},
			.n_out = 1,
			.out = &y,
			.params = &s,
			.reads_in = 1 | 2,
			.adds = 2 | 4},
		sizeof(s));
}

tensor batchnorm(struct program *p, tensor x, tensor weight, tensor bias, tensor mean, tensor var,
	real eps, int relu)
{
	struct batchnorm s = {.rows = tensor_rows(x),
		.dim = tensor_last(x),
		.eps = eps,
		.relu = relu,
		.running = program_mode(p) == PROGRAM_EVAL,
		.record = program_mode(p) == PROGRAM_TRAIN};
	const tensor vectors[] = {weight, bias, mean, var};
	tensor out[2];

	if (program_failed(p))
		return x;
	for (int i = 0; i < 4; i++)
		if (!is_vector(vectors[i], s.dim))
			return program_refuse(p, "batchnorm: %s does not fit %s",
				shape_text(vectors[i]->dims, vectors[i]->shape),
				shape_text(x->dims, x->shape));
	if (!s.running && s.rows < 2)
		return program_refuse(
			p, "batchnorm: one value a channel has no variance: use a larger batch");
	out[0] = program_tensor(p, TYPE_REAL, x->dims, x->shape);
	out[1] = program_tensor(p, TYPE_REAL, 2, (int64_t[]){2, s.dim});
	return program_call(p,
		&(struct call){.op = OP_batchnorm,
			.n_in = 5,
			.in = (tensor[]){x, weight, bias, mean, var},
			.n_out = 1,
			.n_kept = 1,
			.out = out,
			.params = &s,
			.reads_in = 1 | 2 | 4,
			.reads_out = 2,
			.adds = 2 | 4},
		sizeof(s));
}
