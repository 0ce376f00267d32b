/* Which of the teacher's units a student takes: scores, and the smallest of them. */
#include "kernels/philox.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/distill/subclone_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	subclone_note(w, "scores", "the teacher did not change, the first units are kept");
}

int choose_residual(struct work *w, int64_t keep, int64_t *J)
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

int choose_hidden(struct work *w, int64_t layer)
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
