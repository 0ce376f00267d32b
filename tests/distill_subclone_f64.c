/*
 * Subcloning against an implementation of its own: scores, selection, what is copied from where
 * into a PlainMamba, and what is refused.
 */
#include "tests/subclone_rule.h"

/* Everything that subcloning may not touch. */
static int ssm_fresh(const struct trio *t)
{
	for (int i = 0; i < t->student->model->count; i++) {
		const char *name = t->student->model->params[i]->name;

		if ((strstr(name, ".mamba.") || strstr(name, "patch_embed")) &&
			!kept_fresh(t, name))
			return 0;
	}
	return 1;
}

static void check_rule(const char *settings)
{
	struct network_config teacher = micro_deit(10, 2, 4), student = micro_plainmamba(6);
	const struct network *source, *score_before;
	int magnitude = strstr(settings, "magnitude") != NULL, J[64], no_cls[64];
	double scale = strstr(settings, "rescale=on") ? sqrt(10 / 6.0) : 1;
	double sign = magnitude ? -1 : 1;
	struct trio t;
	char layer[32];

	trio_run(&t, &teacher, &student, settings);
	source = strstr(settings, "before") ? t.before : t.after;
	score_before = magnitude ? NULL : t.before;
	residual_units(score_before, t.after, sign, 6, J);
	ok(!t.status, "subclone: %s", settings);
	ok(is_part(t.student, "ln1.weight", source, "norm.weight", J, NULL, 1) &&
			is_part(t.student, "ln1.bias", source, "norm.bias", J, NULL, 1),
		"final norm");
	ok(is_part(t.student, "head.fc.weight", source, "head.weight", NULL, J, 1) &&
			is_part(t.student, "head.fc.bias", source, "head.bias", NULL, NULL, 1),
		"head");
	for (int i = 0; i < 17; i++)
		no_cls[i] = i > 0;
	ok(is_part(t.student, "pos_embed", source, "pos_embed", no_cls, J, 1),
		"positions without the class token's");
	for (int l = 0; l < 2; l++) {
		snprintf(layer, sizeof(layer), "layers.%d", l);
		ok(is_layer(&t, layer, l, source, score_before, sign, J, scale),
			"layer %d: norms and MLP", l);
	}
	ok(ssm_fresh(&t), "all inside the SSM and the stem is as it was");
	trio_free(&t);
}

static int count_of(const char *settings, const char *name, struct trio *t)
{
	struct network_config teacher = micro_deit(10, 2, 4), student = micro_plainmamba(6);

	trio_run(t, &teacher, &student, settings);
	return !t->status && !kept_fresh(t, name);
}

static void check_simple_scores(void)
{
	int first[64] = {1, 1, 1, 1, 1, 1}, seen[2] = {0, 0};
	struct trio t, u;

	ok(count_of("score=first", "ln1.weight", &t) &&
			is_part(t.student, "ln1.weight", t.after, "norm.weight", first, NULL, 1),
		"score=first: the first units");
	trio_free(&t);
	count_of("score=random", "ln1.weight", &t);
	count_of("score=random", "ln1.weight", &u);
	ok(!kept_fresh(&t, "ln1.weight") &&
			!memcmp(model_find(t.student->model, "ln1.weight")->data,
				model_find(u.student->model, "ln1.weight")->data,
				6 * sizeof(double)),
		"score=random: the same from the same seed");
	for (int i = 0; i < 6; i++) {
		double v = model_find(t.student->model, "ln1.weight")->data[i];

		for (int j = 0; j < 10; j++)
			if (v == model_find(t.after->model, "norm.weight")->data[j])
				seen[j >= 6]++;
	}
	ok(seen[0] + seen[1] == 6 && seen[1] > 0, "score=random: six units of the teacher");
	trio_free(&t);
	trio_free(&u);
}

static void check_layers(void)
{
	struct network_config teacher = micro_deit(10, 2, 4), student = micro_plainmamba(6);
	struct trio t;

	trio_run(&t, &teacher, &student, "n_init_layers=1");
	ok(!kept_fresh(&t, "layers.0.norm.weight") && kept_fresh(&t, "layers.1.norm.weight") &&
			kept_fresh(&t, "layers.1.mlp.fc1.weight") && t.report.layers == 1,
		"n_init_layers=1");
	trio_free(&t);
	trio_run(&t, &teacher, &student, "n_init_layers=0");
	ok(kept_fresh(&t, "layers.0.norm.weight") && !kept_fresh(&t, "ln1.weight"),
		"n_init_layers=0: the ends alone");
	trio_free(&t);
	student.depth = 4;
	trio_run(&t, &teacher, &student, "");
	ok(!t.status && t.report.layers == 2 && kept_fresh(&t, "layers.2.norm.weight"),
		"a deeper student: layers the teacher has");
	trio_free(&t);
	student.depth = 1;
	trio_run(&t, &teacher, &student, "");
	ok(!t.status && t.report.layers == 1, "a shallower student");
	trio_free(&t);
	student = micro_plainmamba(6);
	student.mlp_ratio = 0;
	trio_run(&t, &teacher, &student, "");
	ok(!t.status && !kept_fresh(&t, "layers.1.norm.weight"), "a student without MLP");
	trio_free(&t);
}

static void check_widths(void)
{
	struct network_config teacher = micro_deit(6, 2, 4), student = micro_plainmamba(6);
	struct trio t;
	int moved = 0;

	trio_run(&t, &teacher, &student, "");
	ok(is_part(t.student, "layers.1.mlp.fc1.weight", t.after, "blocks.1.mlp.fc1.weight", NULL,
		   NULL, 1) &&
			is_part(t.student, "layers.0.mlp.fc2.weight", t.after,
				"blocks.0.mlp.fc2.weight", NULL, NULL, 1) &&
			is_part(t.student, "head.fc.weight", t.after, "head.weight", NULL, NULL, 1),
		"equal widths: everything is copied in order");
	ok(t.report.copied == 1 + 2 + 2 + 2 * 8, "so many tensors are said to be copied");
	trio_free(&t);
	student = micro_plainmamba(8);
	trio_run(&t, &teacher, &student, "");
	for (int i = 0; i < t.student->model->count; i++)
		moved += !kept_fresh(&t, t.student->model->params[i]->name);
	ok(!t.status && !moved && strstr(t.report.notes, "wider"), "a wider student stays fresh");
	trio_free(&t);
	teacher = micro_deit(10, 2, 4);
	student = micro_plainmamba(6);
	student.classes = 7;
	trio_run(&t, &teacher, &student, "");
	ok(!t.status && kept_fresh(&t, "head.fc.weight") && kept_fresh(&t, "head.fc.bias") &&
			!kept_fresh(&t, "ln1.weight") && strstr(t.report.notes, "head"),
		"other classes: the head stays fresh");
	trio_free(&t);
}

/* Nothing moved: there is no least change, and it is said. */
static void check_no_change(void)
{
	struct network_config teacher = micro_deit(10, 2, 4), student = micro_plainmamba(6);
	struct subclone_settings s = {.n_init_layers = -1};
	struct subclone_report report;
	struct network *t = filled(teacher, 1), *n = filled(student, 3);
	int first[64] = {1, 1, 1, 1, 1, 1};

	ok(!subclone(n, t, t, &s, 9, &report) &&
			is_part(n, "ln1.weight", t, "norm.weight", first, NULL, 1),
		"before equals after: ties, the first units");
	ok(strstr(report.notes, "did not change") != NULL, "and a word about it: %s", report.notes);
	network_free(t);
	network_free(n);
}

/* Positions of an 8 x 8 teacher for a 4 x 4 student: the mean of 2 x 2 blocks. */
static void check_pooled(void)
{
	struct network_config teacher = micro_deit(6, 2, 2), student = micro_plainmamba(6);
	const double *s, *t;
	double worst = 0;
	struct trio x;

	trio_run(&x, &teacher, &student, "");
	s = model_find(x.student->model, "pos_embed")->data;
	t = model_find(x.after->model, "pos_embed")->data + 6;
	for (int i = 0; i < 16; i++)
		for (int c = 0; c < 6; c++) {
			int at = (i / 4 * 2) * 8 + i % 4 * 2;
			double want = t[at * 6 + c] + t[(at + 1) * 6 + c] + t[(at + 8) * 6 + c] +
				      t[(at + 9) * 6 + c];

			worst = fmax(worst, fabs(s[i * 6 + c] - want / 4));
		}
	ok(!x.status && worst <= 1e-15, "an 8 x 8 grid: means of blocks");
	trio_free(&x);
}

static void check_selection(void)
{
	/* V12: one norm and the columns of one matrix */
	const double ln[3] = {0.1, 0.3, 0.2}, fc1[3] = {0.4, 0.1, 0.1};
	double s[3], ties[5] = {1, 0, 1, 0, 1};
	int64_t J[5];

	for (int i = 0; i < 3; i++)
		s[i] = ln[i] / 0.2 + fc1[i] / 0.2;
	ok(fabs(s[0] - 2.5) <= 1e-12 && fabs(s[1] - 2) <= 1e-12 && fabs(s[2] - 1.5) <= 1e-12,
		"V12: scores");
	subclone_select(s, 3, 2, J);
	ok(J[0] == 1 && J[1] == 2, "V12: J = {1, 2}");
	subclone_select(ties, 5, 3, J);
	ok(J[0] == 0 && J[1] == 1 && J[2] == 3, "ties go to the lower index, ascending");
}

static void check_refusals(void)
{
	struct network_config teacher = micro_deit(10, 2, 4), student = micro_plainmamba(6);
	struct subclone_settings s = {.n_init_layers = -1};
	struct subclone_report report;
	struct network *a = filled(teacher, 1), *b, *n = filled(student, 3);

	teacher.depth = 3;
	b = filled(teacher, 2);
	ok(subclone(n, a, b, &s, 9, &report) == STATUS_DATA, "teachers of two depths");
	ok(subclone(n, n, n, &s, 9, &report) == STATUS_DATA, "a teacher that is no DeiT");
	ok(subclone(a, a, a, &s, 9, &report) == STATUS_DATA, "a DeiT as student");
	model_find(a->model, "blocks.0.norm1.weight")->data[0] = NAN;
	ok(subclone(n, a, a, &s, 9, &report) == STATUS_NUMBERS &&
			strstr(error_message(), "blocks.0.norm1.weight"),
		"a weight that is not finite is named");
	network_free(a);
	network_free(b);
	network_free(n);
}

int main(void)
{
	check_selection();
	check_rule("");
	check_rule("score=magnitude");
	check_rule("subclone_from=before");
	check_rule("rescale=on");
	check_simple_scores();
	check_layers();
	check_widths();
	check_no_change();
	check_pooled();
	check_refusals();
	return done();
}
