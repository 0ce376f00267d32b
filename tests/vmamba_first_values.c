/*
 * VMamba's first values, where a reader of the papers would guess otherwise: each direction has
 * steps of its own, x_proj is a bare parameter that the blanket initialiser does not reach,
 * convolutions keep the library's draw, normal draws are not truncated.
 */
#include "tests/first_values.h"

#define OP "layers.1.blocks.1.op."

/* The four directions' parts differ: none is a copy. */
static int parts_differ(const char *name)
{
	const struct param *p = find(name);
	int64_t part = p ? p->count / 4 : 0;

	for (int k = 1; k < 4; k++)
		if (!p || !memcmp(p->data, p->data + k * part, part * sizeof(*p->data)))
			return 0;
	return 1;
}

static void check_scan(double E)
{
	const struct param *p = find(OP "A_logs");

	ok(steps_in_range(OP "dt_projs_bias") && parts_differ(OP "dt_projs_bias"),
		"steps of 0.001 to 0.1, drawn for each direction");
	ok(uniform(OP "dt_projs_weight", 1 / sqrt(16)) && parts_differ(OP "dt_projs_weight"),
		"dt_projs: the root of the rank");
	ok(uniform(OP "x_proj_weight", 1 / sqrt(E)) && parts_differ(OP "x_proj_weight"),
		"x_proj: the library's");
	ok(p && fabs(p->data[17] - log(2)) < 1e-6 && p->data[16] == 0 &&
			fabs(p->data[p->count - 1] - log(16)) < 1e-6,
		"A_logs: ln(n + 1)");
	ok(most(OP "Ds") == 1 && fabs(size(OP "Ds") - 1) < 1e-6, "Ds: 1");
	ok(uniform(OP "conv2d.weight", 1 / 3.0) && uniform(OP "conv2d.bias", 1 / 3.0),
		"depthwise convolution: nine taps");
	ok(normal(OP "in_proj.weight", 0.02) && normal(OP "out_proj.weight", 0.02),
		"in_proj and out_proj: N(0, 0.02), not truncated, not scaled by the depth");
}

static void check_ends(void)
{
	ok(uniform("patch_embed.0.weight", 1 / sqrt(48)) &&
			most("patch_embed.0.bias") <= 1 / sqrt(48) &&
			most("patch_embed.0.bias") > 0.1,
		"patches: the library's");
	ok(normal("layers.0.downsample.reduction.weight", 0.02), "merging: N(0, 0.02)");
	ok(normal("classifier.head.weight", 0.02) && most("classifier.head.bias") == 0,
		"head: N(0, 0.02), no bias");
	ok(most("classifier.norm.weight") == 1 && most("classifier.norm.bias") == 0 &&
			size(OP "out_norm.weight") == 1,
		"norms: 1 and 0");
}

static int make(const char *arch)
{
	struct network_config c;

	network_find(arch, &c);
	network_set_depth(&c, 7);
	return network_new(&n, &c, NULL) || model_allocate(n->model, device_cpu(), 0) ||
	       model_init(n->model, 0, 1);
}

int main(void)
{
	ok(!make("vmamba-t"), "vmamba-t of seven layers");
	check_scan(512);
	check_ends();
	network_free(n);
	ok(!make("vmamba-t-s2l5"), "v05_noz of seven layers");
	ok(uniform("layers.0.downsample.1.weight", 1 / sqrt(9 * 96)) &&
			uniform("layers.0.downsample.1.bias", 1 / sqrt(9 * 96)) &&
			uniform("patch_embed.5.weight", 1 / sqrt(9 * 48)),
		"convolutions between stages: the library's");
	ok(normal("layers.0.blocks.0.mlp.fc1.weight", 0.02) &&
			most("layers.0.blocks.0.mlp.fc1.bias") == 0,
		"MLP: N(0, 0.02), no bias");
	ok(!model_find(n->model, OP "conv2d.bias"), "no bias in the depthwise convolution");
	network_free(n);
	return done();
}
