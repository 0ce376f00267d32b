/* Subcloning into a ViM: its class token in the middle, its norms, its patches. */
#include "tests/subclone_rule.h"

/* Row 8 of 17 is the class token's, which the teacher has first. */
static int middle_positions(const struct trio *t, const int *J)
{
	const double *s = model_find(t->student->model, "pos_embed")->data;
	const struct param *p = model_find(t->after->model, "pos_embed");
	int64_t D = p->shape[2], extra = p->shape[1] - 16;

	for (int i = 0; i < 17; i++) {
		int64_t from = i == 8 ? 0 : i - (i > 8) + extra;

		for (int c = 0; c < D; c++)
			if (J[c] && !(fabs(*s++ - p->data[from * D + c]) <= 1e-15))
				return 0;
	}
	return 1;
}

static void check_vim(int distilled)
{
	struct network_config teacher = micro_deit(10, 2, 4), student = micro_vim(6);
	char layer[32];
	int J[64];
	struct trio t;

	trio_run(&t, &teacher, &student, "");
	residual_units(t.before, t.after, 1, 6, J);
	for (int l = 0; l < 2 && !distilled; l++) {
		snprintf(layer, sizeof(layer), "layers.%d", l);
		ok(is_layer(&t, layer, l, t.after, t.before, 1, J, 1), "layer %d: norms and MLP",
			l);
	}
	trio_free(&t);
	teacher.distilled = distilled;
	trio_run(&t, &teacher, &student, "score=first");
	for (int i = 0; i < 10; i++)
		J[i] = i < 6;
	ok(!t.status && is_part(t.student, "norm_f.weight", t.after, "norm.weight", J, NULL, 1) &&
			is_part(t.student, "norm_f.bias", t.after, "norm.bias", J, NULL, 1) &&
			is_part(t.student, "head.weight", t.after, "head.weight", NULL, J, 1) &&
			is_part(t.student, "head.bias", t.after, "head.bias", NULL, NULL, 1),
		"ViM: final norm and head");
	ok(is_part(t.student, "cls_token", t.after, "cls_token", NULL, J, 1) &&
			middle_positions(&t, J),
		"ViM: the class token, and its positions in the middle");
	ok(is_part(t.student, "patch_embed.proj.weight", t.after, "patch_embed.proj.weight", J,
		   NULL, 1) &&
			is_part(t.student, "patch_embed.proj.bias", t.after,
				"patch_embed.proj.bias", J, NULL, 1),
		"ViM: patches of equal kernel");
	for (int i = 0; i < t.student->model->count; i++)
		if (strstr(t.student->model->params[i]->name, ".mixer."))
			ok(kept_fresh(&t, t.student->model->params[i]->name), "ViM: %s is fresh",
				t.student->model->params[i]->name);
	ok(t.report.copied == 2 + 2 + 2 + 2 + 2 * 8, "ViM: so many tensors are said to be copied");
	trio_free(&t);
}

/* RMSNorms take the weight alone; a finer teacher's kernel and grid do not fit; 24 layers of 12. */
static void check_vim_shapes(void)
{
	struct network_config teacher = micro_deit(6, 2, 2), student = micro_vim(6);
	const double *s, *p;
	struct trio t;

	student.depth = 4;
	student.mlp_ratio = student.layer_norm = 0;
	trio_run(&t, &teacher, &student, "");
	ok(!t.status &&
			is_part(t.student, "norm_f.weight", t.after, "norm.weight", NULL, NULL,
				1) &&
			is_part(t.student, "layers.1.norm.weight", t.after, "blocks.1.norm1.weight",
				NULL, NULL, 1) &&
			kept_fresh(&t, "layers.2.norm.weight") &&
			strstr(t.report.notes, "RMSNorms"),
		"ViM with RMSNorms, deeper than its teacher");
	ok(kept_fresh(&t, "patch_embed.proj.weight") && kept_fresh(&t, "patch_embed.proj.bias") &&
			strstr(t.report.notes, "patch_embed: fresh"),
		"ViM: patches of another kernel stay fresh, which is said");
	s = model_find(t.student->model, "pos_embed")->data;
	p = model_find(t.after->model, "pos_embed")->data;
	/* place (2, 0) of 4 x 4, the first behind the class token, from (4, 0) of 8 x 8 */
	near(s[9 * 6 + 1], (p[33 * 6 + 1] + p[34 * 6 + 1] + p[41 * 6 + 1] + p[42 * 6 + 1]) / 4,
		1e-15, "ViM: positions are means of blocks");
	ok(!memcmp(s + 8 * 6, p, 6 * sizeof(*s)), "ViM: the class token's position");
	trio_free(&t);
	teacher = micro_deit(6, 2, 4);
	student = micro_vim(8);
	trio_run(&t, &teacher, &student, "");
	ok(!t.status && kept_fresh(&t, "cls_token") && kept_fresh(&t, "layers.0.norm.weight") &&
			strstr(t.report.notes, "wider"),
		"a ViM wider than its teacher stays fresh");
	trio_free(&t);
}

int main(void)
{
	check_vim(0);
	check_vim(1);
	check_vim_shapes();
	return done();
}
