/*
 * Checkpoints as the projects save and nest them: other names, averages, parts of larger networks,
 * positions of other grids and clips. model_goldens.c runs what is imported.
 */
#include "tests/golden_import.h"

static int equal_scaled(const struct model *a, const struct model *b, real scale)
{
	for (int i = 0; i < a->count; i++)
		for (int64_t k = 0; k < a->params[i]->count; k++)
			if (a->params[i]->data[k] != scale * b->params[i]->data[k])
				return 0;
	return 1;
}

/* VMamba as its first release saved it: other names, matrices as convolutions, beside averages. */
static void test_first_names(void)
{
	static const char file[] = GOLDEN "vmamba-first.pth";
	const struct network_config g = {"vmamba", .family = NETWORK_VMAMBA, .classes = 10,
		.image = 32, .patch = 4, .depth = 4, .stages = {1, 1, 1, 1}, .kernel = 3, .dim = 4,
		.expand = 2, .state = 3, .mlp_ratio = 2};
	struct network *want = opened(&g, GOLDEN "vmamba-mlp-tiny.safetensors", NULL);
	struct network *got = opened(&g, file, NULL), *average = opened(&g, file, "model_ema");

	ok(want && got && equal_scaled(got->model, want->model, 1),
		"VMamba's first names: every value in its place");
	ok(want && average && equal_scaled(average->model, want->model, (real)0.5),
		"the average instead, when asked for");
	network_free(want);
	network_free(got);
	network_free(average);
}

/* MambaOut as its first code names it. */
static void test_mambaout_names(void)
{
	const struct network_config g = {"mambaout", .family = NETWORK_MAMBAOUT, .classes = 10,
		.image = 36, .patch = 4, .depth = 5, .stages = {1, 1, 2, 1}, .kernel = 7, .dim = 6};
	struct network *want = opened(&g, GOLDEN "mambaout-tiny.safetensors", NULL);
	struct network *got = opened(&g, GOLDEN "mambaout-first.pth", NULL);

	ok(want && got && equal_scaled(got->model, want->model, 1),
		"MambaOut's first names: every value in its place");
	network_free(want);
	network_free(got);
}

/* One layer, as its training saves clips of two frames. */
static const struct network_config video_micro = {"videomamba", .family = NETWORK_VIDEOMAMBA,
	.classes = 10, .depth = 1, .expand = 2, .patch = 8, .image = 24, .dim = 32, .state = 8,
	.frames = 2};

static int64_t counted(const struct model *m, const char *unlike)
{
	int64_t n = 0;

	for (int i = 0; i < m->count; i++)
		n += strncmp(m->params[i]->name, unlike, strlen(unlike)) != 0;
	return n;
}

/* Parameters of b, and without those called `unlike`, that a holds too with the same values. */
static int same_but(const struct model *a, const struct model *b, const char *unlike)
{
	int64_t same = 0;

	for (int i = 0; i < b->count; i++) {
		const struct param *p = b->params[i], *q = model_find(a, p->name);

		same += strncmp(p->name, unlike, strlen(unlike)) && q && q->count == p->count &&
			!memcmp(q->data, p->data, p->count * sizeof(*p->data));
	}
	return same == counted(b, unlike);
}

/* Values of the positions that the project's loader makes for other clips. */
static void check_resized(const struct network *n)
{
	struct checkpoint *c;

	if (!ok(n && !checkpoint_open(&c, GOLDEN "videomamba-resized.safetensors", NULL),
		    "clips of other frames and another grid"))
		return;
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "temporal_pos_embedding" : "pos_embed";
		const struct param *p = model_find(n->model, name);

		golden_compare(c, "videomamba", name, p->data, p->count);
	}
	checkpoint_close(&c);
}

/* VideoMamba within what its pre-training and retrieval save; positions and patches of others. */
static void test_video_files(void)
{
	struct network_config other = video_micro;
	struct network *want = opened(&video_micro, GOLDEN "videomamba-micro.pth", NULL);
	struct network *average = opened(&video_micro, GOLDEN "videomamba-micro.pth", "model_ema");
	struct network *encoder, *retrieval, *resized;

	asked = (struct import_options){.new_classes = 1};
	encoder = opened(&video_micro, GOLDEN "videomamba-pretrain.pth", NULL);
	retrieval = opened(&video_micro, GOLDEN "videomamba-retrieval.pth", NULL);
	other.image = 16;
	other.frames = 5;
	asked = (struct import_options){.new_positions = 1};
	resized = opened(&other, GOLDEN "videomamba-micro.pth", NULL);
	asked = (struct import_options){.new_positions = 0};
	ok(want && average && equal_scaled(average->model, want->model, (real)0.5),
		"VideoMamba's averages, when asked for");
	ok(want && encoder && same_but(want->model, encoder->model, "head."),
		"VideoMamba from masked pre-training: all but the head, which is drawn");
	ok(want && retrieval && same_but(want->model, retrieval->model, "head."),
		"VideoMamba out of the retrieval network");
	ok(want && resized && same_but(want->model, resized->model, "pos_embed") == 0 &&
			!memcmp(model_find(resized->model, "pos_embed")->data,
				model_find(want->model, "pos_embed")->data, 32 * sizeof(real)),
		"the class token's position stays");
	check_resized(resized);
	network_free(want);
	network_free(average);
	network_free(encoder);
	network_free(retrieval);
	network_free(resized);
}

/* An image network's weights for clips: the same values, frames' positions 0. */
static void test_image_to_clip(void)
{
	struct network_config clip = {"videomamba", .family = NETWORK_VIDEOMAMBA, .classes = 10,
		.depth = 2, .expand = 2, .patch = 8, .image = 40, .dim = 24, .state = 16};
	struct network *image = opened(&clip, GOLDEN "videomamba-tiny.safetensors", NULL), *n;
	const struct param *time;
	int zero = 1;

	clip.frames = 4;
	ok(!opened(&clip, GOLDEN "videomamba-tiny.safetensors", NULL),
		"frames' positions are missed unless they may be made");
	asked.new_positions = 1;
	n = opened(&clip, GOLDEN "videomamba-tiny.safetensors", NULL);
	asked.new_positions = 0;
	time = n ? model_find(n->model, "temporal_pos_embedding") : NULL;
	for (int64_t i = 0; time && i < time->count; i++)
		zero &= time->data[i] == 0;
	ok(image && time && zero && time->count == 4 * 24 &&
			same_but(image->model, n->model, "temporal"),
		"VideoMamba of images for clips: every value in its place");
	network_free(image);
	network_free(n);
}

int main(void)
{
	test_first_names();
	test_mambaout_names();
	test_video_files();
	test_image_to_clip();
	ok(!remove_folder(test_folder()), "the folder is removed");
	return done();
}
