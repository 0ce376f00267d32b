/*
 * What the tests of subcloning share: the rule, written down again, and networks before and after.
 */
#ifndef TESTS_SUBCLONE_RULE_H
#define TESTS_SUBCLONE_RULE_H

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

/*
 * The student's layer of that name against layer l of `source`: norms and MLP. Units chosen by what
 * changed from score_before, or (NULL, sign -1) by magnitude; matrices times `scale`.
 */
static int is_layer(const struct trio *t, const char *layer, int l, const struct network *source,
	const struct network *score_before, double sign, const int *J, double scale)
{
	char to[64], from[64];
	int H[256], good = 1;
	int64_t hidden, dim;

#define TO(a) (snprintf(to, sizeof(to), "%s." a, layer), to)
#define PART(a, b, rows, cols, factor)                                                             \
	(snprintf(from, sizeof(from), "blocks.%d." b, l),                                          \
		is_part(t->student, TO(a), source, from, rows, cols, factor))
	values(t->student, TO("mlp.fc1.weight"), &hidden, &dim);
	hidden_units(score_before, t->after, sign, l, J, hidden, H);
	good &= PART("norm.weight", "norm1.weight", J, NULL, 1);
	good &= PART("norm.bias", "norm1.bias", J, NULL, 1);
	good &= PART("norm2.weight", "norm2.weight", J, NULL, 1);
	good &= PART("norm2.bias", "norm2.bias", J, NULL, 1);
	good &= PART("mlp.fc1.weight", "mlp.fc1.weight", H, J, scale);
	good &= PART("mlp.fc1.bias", "mlp.fc1.bias", H, NULL, 1);
	good &= PART("mlp.fc2.weight", "mlp.fc2.weight", J, H, scale);
	good &= PART("mlp.fc2.bias", "mlp.fc2.bias", J, NULL, 1);
#undef TO
#undef PART
	return good;
}

#endif
