/*
 * ViM's first values, where a reader of the papers would guess otherwise: the backward direction's
 * step bias is 0, out_proj is scaled by the depth, normal draws are not truncated.
 */
#include "tests/first_values.h"

int main(void)
{
	struct network_config c;
	const double E = 384;

	network_find("vim-t", &c);
	c.depth = 6;
	ok(!network_new(&n, &c, NULL) && !model_allocate(n->model, device_cpu(), 0) &&
			!model_init(n->model, 0, 1),
		"vim-t of six layers");
	ok(steps_in_range("layers.2.mixer.dt_proj.bias"), "forward: steps of 0.001 to 0.1");
	ok(most("layers.2.mixer.dt_proj_b.bias") == 0, "backward: bias 0, steps of 0.69");
	ok(uniform("layers.2.mixer.dt_proj.weight", 1 / sqrt(12)) &&
			uniform("layers.2.mixer.dt_proj_b.weight", 1 / sqrt(12)),
		"dt_proj: the root of the rank");
	ok(uniform("layers.2.mixer.out_proj.weight", 1 / sqrt(E * 6)),
		"out_proj: scaled by the root of the depth");
	ok(uniform("layers.2.mixer.in_proj.weight", 1 / sqrt(192)) &&
			uniform("layers.2.mixer.x_proj.weight", 1 / sqrt(E)) &&
			uniform("layers.2.mixer.x_proj_b.weight", 1 / sqrt(E)),
		"in_proj and x_proj: the library's");
	ok(uniform("layers.2.mixer.conv1d.weight", 0.5) &&
			uniform("layers.2.mixer.conv1d_b.weight", 0.5) &&
			uniform("layers.2.mixer.conv1d_b.bias", 0.5),
		"convolutions: four taps");
	ok(normal("pos_embed", 0.02) && normal("head.weight", 0.02) && most("head.bias") == 0,
		"positions and head: N(0, 0.02), not truncated");
	ok(normal("patch_embed.proj.weight", 1.1368 / sqrt(768)) &&
			most("patch_embed.proj.bias") == 0,
		"patches: LeCun's, wider by timm's correction");
	ok(most("layers.2.mixer.D_b") == 1 && fabs(size("layers.2.mixer.D_b") - 1) < 1e-6 &&
			fabs(size("layers.2.mixer.D") - 1) < 1e-6 && most("norm_f.weight") == 1,
		"D and norms: 1");
	ok(find("layers.2.mixer.A_b_log") &&
			!memcmp(find("layers.2.mixer.A_b_log")->data,
				find("layers.2.mixer.A_log")->data, 384 * 16 * sizeof(real)) &&
			fabs(find("layers.2.mixer.A_b_log")->data[17] - log(2)) < 1e-6,
		"A_log: ln(n + 1) in both directions");
	network_free(n);
	return done();
}
