/* Subcloning into a VMamba: its third stage takes the teacher's layers. */
#include "tests/subclone_rule.h"

/* layers.2.blocks.b <- blocks.b: the third stage, whose width counts. */
static int staged_layer(const struct trio *t, const int *J, int b)
{
	char layer[32];

	snprintf(layer, sizeof(layer), "layers.2.blocks.%d", b);
	return is_layer(t, layer, b, t->after, t->before, 1, J, 1);
}

/* All but the third stage's norms and MLPs, and (if `ends`) the last norm. */
static int others_fresh(const struct trio *t, int blocks, int ends)
{
	for (int i = 0; i < t->student->model->count; i++) {
		const char *name = t->student->model->params[i]->name;
		int block = strncmp(name, "layers.2.blocks.", 16) ? blocks : atoi(name + 16);

		if (block < blocks && !strstr(name, ".op."))
			continue;
		if (ends && !strncmp(name, "classifier.norm", 15))
			continue;
		if (!kept_fresh(t, name))
			return 0;
	}
	return 1;
}

static void check_vmamba(int noz)
{
	struct network_config teacher = micro_deit(10, 2, 4), student = micro_vmamba(2, noz);
	struct trio t;
	int J[64];

	trio_run(&t, &teacher, &student, "");
	residual_units(t.before, t.after, 1, 8, J);
	ok(!t.status && staged_layer(&t, J, 0) && staged_layer(&t, J, 1),
		"VMamba: the third stage takes the teacher's first layers");
	ok(others_fresh(&t, 2, 0) && t.report.copied == 2 * 8 && t.report.residual == 8 &&
			t.report.hidden == 16 && t.report.layers == 2,
		"VMamba: all else is as it was, and so many tensors are said to be copied");
	ok(strstr(t.report.notes, "classifier.norm: fresh, wider") &&
			strstr(t.report.notes, "classifier.head: fresh") &&
			strstr(t.report.notes, "patch_embed: fresh"),
		"VMamba: what stays fresh is said");
	trio_free(&t);
	trio_run(&t, &teacher, &student, "n_init_layers=1");
	ok(!t.status && t.report.layers == 1 && staged_layer(&t, J, 0) && others_fresh(&t, 1, 0),
		"VMamba: n_init_layers=1");
	trio_free(&t);
	student.stages[2] = 4;
	student.depth = 7;
	trio_run(&t, &teacher, &student, "");
	ok(!t.status && t.report.layers == 2 && others_fresh(&t, 2, 0),
		"VMamba: a third stage deeper than the teacher");
	trio_free(&t);
}

static void check_vmamba_widths(void)
{
	struct network_config teacher = micro_deit(20, 2, 4), student = micro_vmamba(2, 0);
	struct trio t;
	int J[64];

	trio_run(&t, &teacher, &student, "");
	residual_units(t.before, t.after, 1, 16, J);
	ok(!t.status &&
			is_part(t.student, "classifier.norm.weight", t.after, "norm.weight", J,
				NULL, 1) &&
			is_part(t.student, "classifier.norm.bias", t.after, "norm.bias", J, NULL,
				1) &&
			others_fresh(&t, 2, 1) && t.report.copied == 2 * 8 + 2,
		"VMamba: the last norm takes units of its own where the teacher has as many");
	trio_free(&t);
	teacher = micro_deit(6, 2, 4);
	trio_run(&t, &teacher, &student, "");
	ok(!t.status && others_fresh(&t, 0, 0) && strstr(t.report.notes, "wider"),
		"VMamba: a third stage wider than the teacher stays fresh");
	trio_free(&t);
}

int main(void)
{
	check_vmamba(0);
	check_vmamba(1);
	check_vmamba_widths();
	return done();
}
