#include "lib/distill/subclone.h"
#include "kernels/philox.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/positions.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Work of one call. */
struct work {
	const struct network *before, *after;
	struct network *student;
	const struct subclone_settings *settings;
	uint64_t seed;
	struct subclone_report *report;
	int64_t first, layers; /* the student's layers that take from the teacher's first */
	int64_t dim_t, dim_s, hidden_t, hidden_s;
	int64_t *J, *hidden; /* dim_s residual units; hidden_s of the layer at hand */
	real *a, *b;	     /* room for the largest tensor, twice */
};

static void note(struct work *w, const char *what, const char *why)
{
	char *text = w->report->notes;
	size_t used = strlen(text), room = sizeof(w->report->notes) - used;

	snprintf(text + used, room, "%s%s: %s", used ? "; " : "", what, why);
}

/* --- choosing units --- */

struct scored {
	double score;
	int64_t unit;
};

static int by_score(const void *x, const void *y)
{
	const struct scored *a = x, *b = y;

	if (a->score != b->score)
		return a->score < b->score ? -1 : 1;
	return a->unit < b->unit ? -1 : 1;
}

static int by_unit(const void *x, const void *y)
{
	const int64_t *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

void subclone_select(const double *scores, int64_t n, int64_t keep, int64_t *out)
{
	struct scored *all = memory_new(n, sizeof(*all));

	for (int64_t i = 0; all && i < n; i++)
		all[i] = (struct scored){scores[i], i};
	if (all)
		qsort(all, n, sizeof(*all), by_score);
	for (int64_t i = 0; i < keep; i++)
		out[i] = all ? all[i].unit : i;
	qsort(out, keep, sizeof(*out), by_unit);
	free(all);
}

/* What a tensor's elements count: how far they moved, or how large they are. */
static int measure(struct work *w, const char *name, struct param **p)
{
	struct param *after = model_find(w->after->model, name);
	struct param *before = model_find(w->before->model, name);

	*p = after;
	if (!after || !before || after->count != before->count)
		return error(STATUS_BUG, "subcloning: %s is not in both teachers", name);
	param_get(w->after->model, after, w->a);
	if (w->settings->score == SCORE_MAGNITUDE) {
		for (int64_t i = 0; i < after->count; i++)
			w->a[i] = REAL_M(fabs)(w->a[i]);
		return 0;
	}
	param_get(w->before->model, before, w->b);
	for (int64_t i = 0; i < after->count; i++)
		w->a[i] = REAL_M(fabs)(w->a[i] - w->b[i]);
	return 0;
}

/*
 * Adds mean(G in slice j) / mean(G) to scores[j] for slices along the first (axis 0) or last axis.
 * rows (n_rows) or NULL restricts the other axis of a matrix.
 */
static int add_scores(struct work *w, const char *name, int last, const int64_t *only,
	int64_t n_only, double *scores, int64_t units)
{
	struct param *p;
	int64_t others, counted;
	double all = 0, sign = w->settings->score == SCORE_MAGNITUDE ? -1 : 1;

	TRY(measure(w, name, &p));
	others = p->count / units;
	counted = only ? n_only : others;
	for (int64_t i = 0; i < p->count; i++)
		all += w->a[i];
	all /= p->count;
	if (!isfinite(all))
		return error(STATUS_NUMBERS, "subcloning: %s is not finite in a teacher", name);
	if (!(all > 0))
		return 0; /* it did not move: says nothing */
	for (int64_t j = 0; j < units; j++) {
		double sum = 0;

		for (int64_t i = 0; i < counted; i++) {
			int64_t o = only ? only[i] : i;

			sum += w->a[last ? o * units + j : j * others + o];
		}
		scores[j] += sign * sum / counted / all;
	}
	return 0;
}

static void simple_scores(struct work *w, double *scores, int64_t units, uint64_t which)
{
	for (int64_t j = 0; j < units; j++) {
		struct philox r = philox(w->seed, PURPOSE_SUBCLONE, 0, which, (uint32_t)j);

		scores[j] = w->settings->score == SCORE_FIRST ? (double)j
							      : philox_uniform53(r.v[0], r.v[1]);
	}
}

static int measured(const struct work *w)
{
	return w->settings->score == SCORE_LEAST_CHANGE || w->settings->score == SCORE_MAGNITUDE;
}

static int residual_block(struct work *w, int64_t i, double *s)
{
	static const struct {
		const char *name;
		int last;
	} parts[] = {{"norm1.weight", 0}, {"norm1.bias", 0}, {"attn.qkv.weight", 1},
		{"attn.proj.weight", 0}, {"attn.proj.bias", 0}, {"norm2.weight", 0},
		{"norm2.bias", 0}, {"mlp.fc1.weight", 1}, {"mlp.fc2.weight", 0},
		{"mlp.fc2.bias", 0}};
	char name[128];

	for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
		snprintf(name, sizeof(name), "blocks.%d.%s", (int)i, parts[k].name);
		TRY(add_scores(w, name, parts[k].last, NULL, 0, s, w->dim_t));
	}
	return 0;
}

static int residual_scores(struct work *w, double *s)
{
	static const struct {
		const char *name;
		int last;
	} parts[] = {{"patch_embed.proj.weight", 0}, {"patch_embed.proj.bias", 0}, {"cls_token", 1},
		{"dist_token", 1}, {"pos_embed", 1}, {"norm.weight", 0}, {"norm.bias", 0},
		{"head.weight", 1}, {"head_dist.weight", 1}};

	for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++)
		if (model_find(w->after->model, parts[k].name))
			TRY(add_scores(w, parts[k].name, parts[k].last, NULL, 0, s, w->dim_t));
	for (int64_t i = 0; i < w->after->config.depth; i++)
		TRY(residual_block(w, i, s));
	return 0;
}

/* Without a change every unit is as good as another. */
static void note_no_change(struct work *w, const double *scores)
{
	for (int64_t j = 0; j < w->dim_t; j++)
		if (scores[j] != 0)
			return;
	note(w, "scores", "the teacher did not change, the first units are kept");
}

/* The `keep` residual units to take, in J. */
static int choose_residual(struct work *w, int64_t keep, int64_t *J)
{
	double *s = memory_new(w->dim_t, sizeof(*s));
	int status = s ? 0 : STATUS_SYSTEM;

	if (!status && measured(w)) {
		status = residual_scores(w, s);
		if (!status && J == w->J && keep < w->dim_t)
			note_no_change(w, s);
	}
	if (!status && !measured(w))
		simple_scores(w, s, w->dim_t, 0);
	if (!status)
		subclone_select(s, w->dim_t, keep, J);
	free(s);
	return status;
}

static int choose_hidden(struct work *w, int64_t layer)
{
	double *s = memory_new(w->hidden_t, sizeof(*s));
	int status = s ? 0 : STATUS_SYSTEM;
	char name[64];

#define NAME(what) (snprintf(name, sizeof(name), "blocks.%d.mlp." what, (int)layer), name)
	if (!status && measured(w)) {
		status = add_scores(w, NAME("fc1.weight"), 0, w->J, w->dim_s, s, w->hidden_t);
		if (!status)
			status = add_scores(w, NAME("fc1.bias"), 0, NULL, 0, s, w->hidden_t);
		if (!status)
			status = add_scores(
				w, NAME("fc2.weight"), 1, w->J, w->dim_s, s, w->hidden_t);
	} else if (!status) {
		simple_scores(w, s, w->hidden_t, 1 + layer);
	}
#undef NAME
	if (!status)
		subclone_select(s, w->hidden_t, w->hidden_s, w->hidden);
	free(s);
	return status;
}

/* --- copying --- */

/* The teacher's values of a tensor in w->a; NULL when it has none of that name. */
static struct param *teacher_values(struct work *w, const char *name)
{
	const struct network *from = w->settings->from_before ? w->before : w->after;
	struct param *p = model_find(from->model, name);

	if (p)
		param_get(from->model, p, w->a);
	return p;
}

static void put(struct work *w, struct param *p)
{
	param_put(w->student->model, p, w->b);
	w->report->copied++;
}

/*
 * student[r][c] = scale * teacher[rows[r]][cols[c]]; rows or cols NULL: all in order. A vector has
 * one column. Absent tensors on either side are left alone.
 */
static void copy_matrix(struct work *w, const char *to, const char *from, const int64_t *rows,
	const int64_t *cols, double scale)
{
	struct param *s = model_find(w->student->model, to), *t = teacher_values(w, from);
	int64_t n_rows, n_cols, t_cols;

	if (!s || !t)
		return;
	n_rows = s->shape[0];
	n_cols = s->count / n_rows;
	t_cols = t->count / t->shape[0];
	for (int64_t r = 0; r < n_rows; r++)
		for (int64_t c = 0; c < n_cols; c++)
			w->b[r * n_cols + c] =
				(real)(scale *
					w->a[(rows ? rows[r] : r) * t_cols + (cols ? cols[c] : c)]);
	put(w, s);
}

static void copy_pair(struct work *w, const char *to, const char *from, const int64_t *rows,
	const int64_t *cols, double scale)
{
	char a[128], b[128];

	snprintf(a, sizeof(a), "%s.weight", to);
	snprintf(b, sizeof(b), "%s.weight", from);
	copy_matrix(w, a, b, rows, cols, scale);
	snprintf(a, sizeof(a), "%s.bias", to);
	snprintf(b, sizeof(b), "%s.bias", from);
	copy_matrix(w, a, b, rows, NULL, 1);
}

static void copy_positions(struct work *w)
{
	struct param *s = model_find(w->student->model, "pos_embed");
	struct param *t = teacher_values(w, "pos_embed");
	int64_t from = network_grid(&w->after->config), to = network_grid(&w->student->config);
	struct position_table old = positions_of(&w->after->config, from);
	struct position_table new = positions_of(&w->student->config, to);
	real *small;

	if (!s || !t)
		return;
	small = memory_new(positions_rows(&new) * w->dim_t, sizeof(*small));
	if (!small)
		return;
	positions_resize(w->a, &old, small, &new, w->dim_t, 1);
	for (int64_t i = 0; i < positions_rows(&new); i++)
		for (int64_t c = 0; c < w->dim_s; c++)
			w->b[i * w->dim_s + c] = small[i * w->dim_t + w->J[c]];
	free(small);
	if (from != to)
		note(w, "pos_embed",
			from % to ? "resized bicubically from the teacher's grid"
				  : "pooled from the teacher's grid");
	put(w, s);
}

/* The student's layer that takes from the teacher's layer i. */
static const char *student_layer(const struct work *w, int64_t i, char name[48])
{
	if (w->student->config.family == NETWORK_VMAMBA)
		snprintf(name, 48, "layers.%d.blocks.%d",
			(int)network_stage(&w->student->config, w->first), (int)i);
	else
		snprintf(name, 48, "layers.%d", (int)i);
	return name;
}

static int copy_layer(struct work *w, int64_t i)
{
	double ratio = sqrt((double)w->dim_t / w->dim_s);
	double hidden_ratio = sqrt((double)w->hidden_t / (w->hidden_s ? w->hidden_s : 1));
	char layer[48], to[64], from[64];

	student_layer(w, i, layer);
#define TO(what) (snprintf(to, sizeof(to), "%s." what, layer), to)
#define FROM(what) (snprintf(from, sizeof(from), "blocks.%d." what, (int)i), from)
	copy_pair(w, TO("norm"), FROM("norm1"), w->J, NULL, 1);
	if (!w->hidden_s)
		return 0;
	TRY(choose_hidden(w, i));
	copy_pair(w, TO("norm2"), FROM("norm2"), w->J, NULL, 1);
	copy_pair(w, TO("mlp.fc1"), FROM("mlp.fc1"), w->hidden, w->J,
		w->settings->rescale ? ratio : 1);
	copy_pair(w, TO("mlp.fc2"), FROM("mlp.fc2"), w->J, w->hidden,
		w->settings->rescale ? hidden_ratio : 1);
#undef TO
#undef FROM
	return 0;
}

/* What a student calls its last parts. */
static const struct names {
	const char *norm, *head;
} names_of[] = {
	[NETWORK_PLAINMAMBA] = {"ln1", "head.fc"},
	[NETWORK_VIM] = {"norm_f", "head"},
	[NETWORK_VMAMBA] = {"classifier.norm", "classifier.head"},
};

/* Patches of one convolution, where the teacher's kernel is as large. */
static void copy_patches(struct work *w)
{
	const struct network_config *s = &w->student->config;

	if (s->family != NETWORK_VIM)
		note(w, "patch_embed", "fresh, a convolutional stem has no counterpart");
	else if (s->patch != w->after->config.patch)
		note(w, "patch_embed", "fresh, the teacher's kernel is of another size");
	else
		copy_pair(w, "patch_embed.proj", "patch_embed.proj", w->J, NULL, 1);
}

/* One row; absent on either side, nothing. */
static void copy_class_token(struct work *w)
{
	struct param *s = model_find(w->student->model, "cls_token");

	if (!s || !teacher_values(w, "cls_token"))
		return;
	for (int64_t c = 0; c < w->dim_s; c++)
		w->b[c] = w->a[w->J[c]];
	put(w, s);
}

/*
 * A network in stages has a stream of its own in each: its last norm takes as many units as it is
 * wide, if the teacher has them; its head stays fresh, as does what joins the stages.
 */
static int copy_staged_ends(struct work *w)
{
	const struct names *names = &names_of[w->student->config.family];
	int64_t width = network_out_dim(&w->student->config);
	int64_t *J = width <= w->dim_t ? memory_new(width, sizeof(*J)) : NULL;
	int status = 0;

	note(w, "patch_embed", "fresh, the teacher's kernel is of another size");
	if (width > w->dim_t)
		note(w, names->norm, "fresh, wider than the teacher");
	else
		status = J ? choose_residual(w, width, J) : STATUS_SYSTEM;
	if (J && !status)
		copy_pair(w, names->norm, "norm", J, NULL, 1);
	note(w, names->head, "fresh");
	free(J);
	return status;
}

static void copy_ends(struct work *w)
{
	const struct names *names = &names_of[w->student->config.family];

	copy_positions(w);
	copy_patches(w);
	copy_class_token(w);
	copy_pair(w, names->norm, "norm", w->J, NULL, 1);
	if (w->student->config.classes == w->after->config.classes)
		copy_pair(w, names->head, "head", NULL, w->J, 1);
	else
		note(w, "head", "fresh, another number of classes");
	if (w->student->config.family == NETWORK_VIM && !w->student->config.layer_norm)
		note(w, "norms", "without bias, RMSNorms have none");
}

/* --- the whole --- */

static int check(const struct work *w)
{
	const struct network_config *b = &w->before->config, *a = &w->after->config;
	const struct network_config *s = &w->student->config;

	if (a->family != NETWORK_DEIT || b->family != NETWORK_DEIT)
		return error(STATUS_DATA, "subcloning takes from a DeiT, %s is none",
			a->family != NETWORK_DEIT ? a->arch : b->arch);
	if (s->family == NETWORK_DEIT)
		return error(STATUS_DATA, "subcloning into %s is not known", s->arch);
	if (a->dim != b->dim || a->depth != b->depth || a->image != b->image ||
		a->patch != b->patch || a->classes != b->classes || a->mlp_ratio != b->mlp_ratio ||
		a->distilled != b->distilled)
		return error(STATUS_DATA, "the teachers before (%s) and after (%s) differ in shape",
			b->arch, a->arch);
	return 0;
}

static int64_t largest(const struct model *m)
{
	int64_t most = 1;

	for (int i = 0; i < m->count; i++)
		if (m->params[i]->count > most)
			most = m->params[i]->count;
	return most;
}

/* Of a network in stages the third takes: its grid is the teacher's at the published size. */
static void find_layers(struct work *w)
{
	const struct network_config *s = &w->student->config;

	w->layers = s->depth;
	if (s->stages[0]) {
		w->first = s->stages[0] + s->stages[1];
		w->layers = s->stages[2];
	}
	if (w->layers > w->after->config.depth)
		w->layers = w->after->config.depth;
	if (w->settings->n_init_layers >= 0 && w->settings->n_init_layers < w->layers)
		w->layers = w->settings->n_init_layers;
}

static int open_work(struct work *w)
{
	int64_t t = largest(w->after->model), s = largest(w->student->model);
	int64_t room = t > s ? t : s;

	find_layers(w);
	w->dim_t = w->after->config.dim;
	w->dim_s = network_layer_dim(&w->student->config, w->first);
	w->hidden_t = (int64_t)(w->dim_t * w->after->config.mlp_ratio);
	w->hidden_s = (int64_t)(w->dim_s * w->student->config.mlp_ratio);
	w->a = memory_new(room, sizeof(*w->a));
	w->b = memory_new(room, sizeof(*w->b));
	w->J = memory_new(w->dim_s, sizeof(*w->J));
	w->hidden = memory_new(w->hidden_s, sizeof(*w->hidden));
	return w->a && w->b && w->J && w->hidden ? 0 : STATUS_SYSTEM;
}

static int run(struct work *w)
{
	if (w->dim_s > w->dim_t || w->hidden_s > w->hidden_t) {
		note(w, "everything", "fresh, the student is wider than the teacher");
		w->report->fresh = w->student->model->count;
		return 0;
	}
	TRY(choose_residual(w, w->dim_s, w->J));
	if (w->student->config.stages[0])
		TRY(copy_staged_ends(w));
	else
		copy_ends(w);
	for (int64_t i = 0; i < w->layers; i++)
		TRY(copy_layer(w, i));
	w->report->layers = w->layers;
	w->report->residual = w->dim_s;
	w->report->hidden = w->hidden_s;
	w->report->fresh = w->student->model->count - w->report->copied;
	return 0;
}

int subclone(struct network *student, const struct network *before, const struct network *after,
	const struct subclone_settings *s, uint64_t seed, struct subclone_report *report)
{
	struct work w = {before, after, student, s, seed, report};
	int status;

	memset(report, 0, sizeof(*report));
	status = check(&w);
	if (!status)
		status = open_work(&w);
	if (!status)
		status = run(&w);
	free(w.a);
	free(w.b);
	free(w.J);
	free(w.hidden);
	return status;
}
