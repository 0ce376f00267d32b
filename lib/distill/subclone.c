/* From the teacher's chosen units to the student's tensors. */
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/distill/subclone_internal.h"
#include "lib/models/positions.h"
#include "lib/models/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void subclone_note(struct work *w, const char *what, const char *why)
{
	char *text = w->report->notes;
	size_t used = strlen(text), room = sizeof(w->report->notes) - used;

	snprintf(text + used, room, "%s%s: %s", used ? "; " : "", what, why);
}

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
		subclone_note(w, "pos_embed",
			from % to ? "resized bicubically from the teacher's grid"
				  : "pooled from the teacher's grid");
	put(w, s);
}

/* The teacher's layer i to the student's. */
static int copy_layer(struct work *w, int64_t i)
{
	double ratio = sqrt((double)w->dim_t / w->dim_s);
	double hidden_ratio = sqrt((double)w->hidden_t / (w->hidden_s ? w->hidden_s : 1));
	char layer[NETWORK_NAME], to[64], from[64];

	network_layer_name(&w->student->config, w->first + i, layer);
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
		subclone_note(w, "patch_embed", "fresh, a convolutional stem has no counterpart");
	else if (s->patch != w->after->config.patch)
		subclone_note(w, "patch_embed", "fresh, the teacher's kernel is of another size");
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

	subclone_note(w, "patch_embed", "fresh, the teacher's kernel is of another size");
	if (width > w->dim_t)
		subclone_note(w, names->norm, "fresh, wider than the teacher");
	else
		status = J ? choose_residual(w, width, J) : STATUS_SYSTEM;
	if (J && !status)
		copy_pair(w, names->norm, "norm", J, NULL, 1);
	subclone_note(w, names->head, "fresh");
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
		subclone_note(w, "head", "fresh, another number of classes");
	if (w->student->config.family == NETWORK_VIM && !w->student->config.layer_norm)
		subclone_note(w, "norms", "without bias, RMSNorms have none");
}

/* --- the whole --- */

static int check(const struct work *w)
{
	const struct network_config *b = &w->before->config, *a = &w->after->config;
	const struct network_config *s = &w->student->config;

	if (a->family != NETWORK_DEIT || b->family != NETWORK_DEIT)
		return error(STATUS_DATA, "subcloning takes from a DeiT, %s is none",
			a->family != NETWORK_DEIT ? a->arch : b->arch);
	if (s->family == NETWORK_DEIT || s->family == NETWORK_MAMBAOUT ||
		s->family == NETWORK_VIDEOMAMBA)
		return error(STATUS_DATA, "subcloning into %s is not known", s->arch);
	TRY(error_context(networks_match(w->before, "the one before", w->after, "the one after"),
		"the teachers before (%s) and after (%s) differ", b->arch, a->arch));
	if (a->image != b->image || a->heads != b->heads)
		return error(STATUS_DATA,
			"the teachers before (%s) and after (%s) differ in input or heads", b->arch,
			a->arch);
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
		subclone_note(w, "everything", "fresh, the student is wider than the teacher");
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
