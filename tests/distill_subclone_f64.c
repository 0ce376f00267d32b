/*
 * Subcloning against an implementation of its own: scores, selection, what is copied from where.
 */
#include "lib/distill/subclone.h"
#include "tests/micro.h"

/* --- the rule, written down again --- */

static double *values(const struct network *n, const char *name, int64_t *rows, int64_t *cols)
{
	const struct param *p = model_find(n->model, name);

	*rows = p->shape[0];
	if (p->dims == 3) /* tokens by channels */
		*rows = p->shape[1];
	*cols = p->count / *rows;
	return p->data;
}

static double change(
	const struct network *before, const struct network *after, const char *name, int64_t i)
{
	int64_t r, c;
	double a = values(after, name, &r, &c)[i];

	return before ? fabs(a - values(before, name, &r, &c)[i]) : fabs(a);
}

/* mean over a row or column, of the whole; keep (n) restricts the other axis, or NULL */
static double share(const struct network *before, const struct network *after, const char *name,
	int by_column, int64_t unit, const int *keep)
{
	int64_t rows, cols, others, n = 0;
	double sum = 0, all = 0;

	values(after, name, &rows, &cols);
	for (int64_t i = 0; i < rows * cols; i++)
		all += change(before, after, name, i) / (rows * cols);
	others = by_column ? rows : cols;
	for (int64_t o = 0; o < others; o++) {
		if (keep && !keep[o])
			continue;
		n++;
		sum += change(before, after, name, by_column ? o * cols + unit : unit * cols + o);
	}
	return all > 0 ? sum / n / all : 0;
}

/* The `keep` smallest as a mask: one at a time, the lowest index first. */
static void smallest(const double *s, int64_t n, int64_t keep, int *mask)
{
	memset(mask, 0, n * sizeof(*mask));
	while (keep-- > 0) {
		int64_t best = -1;

		for (int64_t i = 0; i < n; i++)
			if (!mask[i] && (best < 0 || s[i] < s[best]))
				best = i;
		mask[best] = 1;
	}
}

static const struct {
	const char *name;
	int by_column;
} ends[] = {{"patch_embed.proj.weight", 0}, {"patch_embed.proj.bias", 0}, {"cls_token", 1},
	{"pos_embed", 1}, {"norm.weight", 0}, {"norm.bias", 0}, {"head.weight", 1}},
  inner[] = {{"norm1.weight", 0}, {"norm1.bias", 0}, {"attn.qkv.weight", 1},
	  {"attn.proj.weight", 0}, {"attn.proj.bias", 0}, {"norm2.weight", 0}, {"norm2.bias", 0},
	  {"mlp.fc1.weight", 1}, {"mlp.fc2.weight", 0}, {"mlp.fc2.bias", 0}};

static void residual_units(const struct network *before, const struct network *after, double sign,
	int64_t keep, int *J)
{
	int64_t D = after->config.dim;
	double s[64] = {0};
	char name[96];

	for (int64_t j = 0; j < D; j++) {
		for (size_t k = 0; k < sizeof(ends) / sizeof(ends[0]); k++)
			s[j] += sign *
				share(before, after, ends[k].name, ends[k].by_column, j, NULL);
		for (int l = 0; l < after->config.depth; l++)
			for (size_t k = 0; k < sizeof(inner) / sizeof(inner[0]); k++) {
				snprintf(name, sizeof(name), "blocks.%d.%s", l, inner[k].name);
				s[j] += sign *
					share(before, after, name, inner[k].by_column, j, NULL);
			}
	}
	smallest(s, D, keep, J);
}

static void hidden_units(const struct network *before, const struct network *after, double sign,
	int l, const int *J, int64_t keep, int *H)
{
	int64_t n = after->config.dim * after->config.mlp_ratio;
	double s[256] = {0};
	char name[64];

	for (int64_t k = 0; k < n; k++) {
		snprintf(name, sizeof(name), "blocks.%d.mlp.fc1.weight", l);
		s[k] += sign * share(before, after, name, 0, k, J);
		snprintf(name, sizeof(name), "blocks.%d.mlp.fc1.bias", l);
		s[k] += sign * share(before, after, name, 0, k, NULL);
		snprintf(name, sizeof(name), "blocks.%d.mlp.fc2.weight", l);
		s[k] += sign * share(before, after, name, 1, k, J);
	}
	smallest(s, n, keep, H);
}

/* Compares a student's matrix with rows and columns of a teacher's; masks NULL: all. */
static int is_part(const struct network *student, const char *to, const struct network *teacher,
	const char *from, const int *rows, const int *cols, double scale)
{
	int64_t sr, sc, tr, tc, at = 0;
	const double *s = values(student, to, &sr, &sc), *t = values(teacher, from, &tr, &tc);

	for (int64_t i = 0; i < tr; i++)
		for (int64_t j = 0; j < tc; j++) {
			if ((rows && !rows[i]) || (cols && !cols[j]))
				continue;
			if (at >= sr * sc || !(fabs(s[at++] - scale * t[i * tc + j]) <= 1e-15))
				return 0;
		}
	return at == sr * sc;
}

/* --- networks --- */

static struct network *filled(struct network_config c, uint64_t seed)
{
	struct network *n;

	micro_state = seed * 2654435761u + 88172645463325252ull;
	network_new(&n, &c, NULL);
	model_allocate(n->model, device_cpu(), 0);
	micro_fill(n->model);
	return n;
}

struct trio {
	struct network *before, *after, *student, *fresh;
	struct subclone_report report;
	int status;
};

static void trio_run(struct trio *t, const struct network_config *teacher,
	const struct network_config *student, const char *settings)
{
	struct settings s;

	t->before = filled(*teacher, 1);
	t->after = filled(*teacher, 2);
	t->student = filled(*student, 3);
	t->fresh = filled(*student, 3);
	micro_settings(&s, settings);
	t->status = subclone(t->student, t->before, t->after, &s.subclone, 9, &t->report);
}

static void trio_free(struct trio *t)
{
	network_free(t->before);
	network_free(t->after);
	network_free(t->student);
	network_free(t->fresh);
}

static int kept_fresh(const struct trio *t, const char *name)
{
	const struct param *p = model_find(t->student->model, name);

	return !memcmp(
		p->data, model_find(t->fresh->model, name)->data, p->count * sizeof(*p->data));
}

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

static void check_layer(const struct trio *t, const struct network *source, const int *J,
	const struct network *score_before, double sign, int l, double *scale)
{
	int H[256];
	char to[64], from[64];
	int good = 1;

	hidden_units(score_before, t->after, sign, l, J,
		t->student->config.dim * t->student->config.mlp_ratio, H);
#define PART(a, b, rows, cols, factor)                                                             \
	(snprintf(to, sizeof(to), "layers.%d." a, l),                                              \
		snprintf(from, sizeof(from), "blocks.%d." b, l),                                   \
		is_part(t->student, to, source, from, rows, cols, factor))
	good &= PART("norm.weight", "norm1.weight", J, NULL, 1);
	good &= PART("norm.bias", "norm1.bias", J, NULL, 1);
	good &= PART("norm2.weight", "norm2.weight", J, NULL, 1);
	good &= PART("norm2.bias", "norm2.bias", J, NULL, 1);
	good &= PART("mlp.fc1.weight", "mlp.fc1.weight", H, J, scale[0]);
	good &= PART("mlp.fc1.bias", "mlp.fc1.bias", H, NULL, 1);
	good &= PART("mlp.fc2.weight", "mlp.fc2.weight", J, H, scale[1]);
	good &= PART("mlp.fc2.bias", "mlp.fc2.bias", J, NULL, 1);
	ok(good, "layer %d: norms and MLP", l);
}

static void check_rule(const char *settings)
{
	struct network_config teacher = micro_deit(10, 2, 4), student = micro_plainmamba(6);
	const struct network *source, *score_before;
	int magnitude = strstr(settings, "magnitude") != NULL, J[64], no_cls[64];
	double scale[2] = {1, 1};
	struct trio t;

	trio_run(&t, &teacher, &student, settings);
	if (strstr(settings, "rescale=on"))
		scale[0] = scale[1] = sqrt(10 / 6.0);
	source = strstr(settings, "before") ? t.before : t.after;
	score_before = magnitude ? NULL : t.before;
	residual_units(score_before, t.after, magnitude ? -1 : 1, 6, J);
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
	for (int l = 0; l < 2; l++)
		check_layer(&t, source, J, score_before, magnitude ? -1 : 1, l, scale);
	ok(ssm_fresh(&t), "all inside the SSM and the stem is as it was");
	trio_free(&t);
}

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
	double scale[2] = {1, 1};
	int J[64];
	struct trio t;

	trio_run(&t, &teacher, &student, "");
	residual_units(t.before, t.after, 1, 6, J);
	for (int l = 0; l < 2 && !distilled; l++)
		check_layer(&t, t.after, J, t.before, 1, l, scale);
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

/* layers.2.blocks.b <- blocks.b: the third stage, whose width counts. */
static int staged_layer(const struct trio *t, const int *J, int b)
{
	char to[64], from[64];
	int H[256], good = 1;

	hidden_units(t->before, t->after, 1, b, J, 2 * 4 * t->student->config.dim, H);
#define STAGED(a, c, rows, cols)                                                                   \
	(snprintf(to, sizeof(to), "layers.2.blocks.%d." a, b),                                     \
		snprintf(from, sizeof(from), "blocks.%d." c, b),                                   \
		is_part(t->student, to, t->after, from, rows, cols, 1))
	good &= STAGED("norm.weight", "norm1.weight", J, NULL);
	good &= STAGED("norm.bias", "norm1.bias", J, NULL);
	good &= STAGED("norm2.weight", "norm2.weight", J, NULL);
	good &= STAGED("norm2.bias", "norm2.bias", J, NULL);
	good &= STAGED("mlp.fc1.weight", "mlp.fc1.weight", H, J);
	good &= STAGED("mlp.fc1.bias", "mlp.fc1.bias", H, NULL);
	good &= STAGED("mlp.fc2.weight", "mlp.fc2.weight", J, H);
	good &= STAGED("mlp.fc2.bias", "mlp.fc2.bias", J, NULL);
	return good;
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
	check_vim(0);
	check_vim(1);
	check_vim_shapes();
	check_vmamba(0);
	check_vmamba(1);
	check_vmamba_widths();
	check_simple_scores();
	check_layers();
	check_widths();
	check_no_change();
	check_pooled();
	check_refusals();
	return done();
}
