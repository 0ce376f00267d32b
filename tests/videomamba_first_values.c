/*
 * VideoMamba's first values, where a reader of the papers or of ViM's code would guess otherwise:
 * its blanket initialisation redraws the mixer's matrices and clears the steps' biases in both
 * directions.
 */
#include "tests/first_values.h"

static void check_mixer(void)
{
	ok(most("layers.2.mixer.dt_proj.bias") == 0 && most("layers.2.mixer.dt_proj_b.bias") == 0,
		"steps: bias 0 in both directions");
	ok(normal("layers.2.mixer.dt_proj.weight", 0.02) &&
			normal("layers.2.mixer.dt_proj_b.weight", 0.02) &&
			normal("layers.2.mixer.in_proj.weight", 0.02) &&
			normal("layers.2.mixer.x_proj.weight", 0.02) &&
			normal("layers.2.mixer.x_proj_b.weight", 0.02),
		"the mixer's matrices: N(0, 0.02), not truncated");
	ok(uniform("layers.2.mixer.out_proj.weight", 1 / sqrt(384.0 * 6)),
		"out_proj: scaled by the root of the depth");
	ok(uniform("layers.2.mixer.conv1d.weight", 0.5) &&
			uniform("layers.2.mixer.conv1d_b.bias", 0.5),
		"convolutions: four taps");
	ok(most("layers.2.mixer.D_b") == 1 && fabs(size("layers.2.mixer.D") - 1) < 1e-6 &&
			most("norm_f.weight") == 1 &&
			fabs(find("layers.2.mixer.A_b_log")->data[17] - log(2)) < 1e-6,
		"D and norms 1, A_log ln(n + 1)");
}

int main(void)
{
	struct network_config c;

	network_find("videomamba-t", &c);
	c.depth = 6;
	c.frames = 4;
	ok(!network_new(&n, &c, NULL) && !model_allocate(n->model, device_cpu(), 0) &&
			!model_init(n->model, 0, 1),
		"videomamba-t of six layers");
	check_mixer();
	ok(most("cls_token") == 0 && most("temporal_pos_embedding") == 0,
		"class token and positions of frames: 0");
	ok(normal("pos_embed", 0.02) && normal("head.weight", 0.02) && most("head.bias") == 0,
		"positions of places and head: N(0, 0.02)");
	ok(uniform("patch_embed.proj.weight", 1 / sqrt(768)) &&
			uniform("patch_embed.proj.bias", 1 / sqrt(768)),
		"patches: the library's");
	network_free(n);
	return done();
}
