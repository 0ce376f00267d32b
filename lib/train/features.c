#include "lib/train/features.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/weights.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int features_mixing(const struct settings *s)
{
	return s->augment.mixup > 0 || s->augment.cutmix > 0;
}

static int64_t used_samples(const struct settings *s, int64_t samples)
{
	int64_t n = samples - s->train.first;

	if (s->train.limit > 0 && n > s->train.limit)
		n = s->train.limit;
	return n < 0 ? 0 : n;
}

/* Positions of an epoch, which drops its last incomplete batch; or samples of the whole file. */
int64_t features_rows(const struct settings *s, int64_t samples)
{
	int64_t n = used_samples(s, samples);

	return features_mixing(s) ? n / s->train.batch * s->train.batch : samples;
}

int64_t features_views(const struct settings *s, int64_t samples)
{
	int64_t per_epoch = used_samples(s, samples) / s->train.batch;

	if (s->train.views)
		return s->train.views;
	if (s->train.steps > 0 && per_epoch > 0)
		return (s->train.steps + per_epoch - 1) / per_epoch;
	return s->train.epochs;
}

static int64_t token_count(const struct network_config *t)
{
	return network_extra_tokens(t) + network_grid(t) * network_grid(t);
}

int64_t features_bytes(const struct network_config *t, int64_t rows, int64_t views)
{
	return rows * views * (token_count(t) * t->dim + t->classes) * 4;
}

/* What decides the views, as JSON. */
static char *views_text(const struct settings *s, uint64_t seed)
{
	char *augment = augment_text(&s->augment), *text = NULL;
	int mixing = features_mixing(s);
	json_t *o;

	if (!augment)
		return NULL;
	o = json_pack("{s:I, s:o, s:I, s:I, s:I, s:s}", "seed", (json_int_t)seed, "augment",
		json_loads(augment, 0, NULL), "first", (json_int_t)s->train.first, "limit",
		(json_int_t)s->train.limit, "repeat_aug", (json_int_t)s->train.repeat_aug, "target",
		s->distill.target == TARGET_PRENORM ? "prenorm" : "tokens");
	free(augment);
	if (o && mixing) {
		json_object_set_new(o, "batch", json_integer(s->train.batch));
		json_object_set_new(o, "shards", json_integer(s->train.shards));
	}
	if (o)
		text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(12));
	json_decref(o);
	if (!text)
		error(STATUS_SYSTEM, "out of memory describing views");
	return text;
}

static int read_shapes(struct features *f)
{
	int64_t tokens[H5_DIMS], logits[H5_DIMS];
	enum h5_type type;
	int dims;

	TRY(h5_shape(f->file, "tokens", &type, &dims, tokens));
	if (dims != 4)
		return error(STATUS_DATA, "%s: tokens has %d axes, not 4", h5_path(f->file), dims);
	TRY(h5_shape(f->file, "logits", &type, &dims, logits));
	if (dims != 3 || logits[0] != tokens[0] || logits[1] != tokens[1])
		return error(STATUS_DATA, "%s: logits do not fit tokens", h5_path(f->file));
	f->count = tokens[0];
	f->views = tokens[1];
	f->tokens = tokens[2];
	f->dim = tokens[3];
	f->classes = logits[2];
	if (f->tokens != token_count(&f->teacher) || f->dim != f->teacher.dim ||
		f->classes != f->teacher.classes)
		return error(STATUS_DATA, "%s: tokens do not fit its teacher", h5_path(f->file));
	return 0;
}

static int check_views(struct features *f, const struct settings *s, uint64_t seed, int64_t samples)
{
	char *ours = views_text(s, seed), *theirs = NULL;
	int64_t rows = features_rows(s, samples), views = features_views(s, samples);
	int status = ours ? h5_get_text(f->file, "views", &theirs) : STATUS_SYSTEM;

	if (!status)
		status = error_context(settings_compare(ours, theirs), "%s", h5_path(f->file));
	free(ours);
	free(theirs);
	if (status)
		return status;
	if (f->count != rows)
		return error(STATUS_DATA,
			"%s: features of %lld rows, this run has %lld: extract them again from the "
			"same data",
			h5_path(f->file), (long long)f->count, (long long)rows);
	if (s->train.views ? views != f->views : views > f->views)
		return error(STATUS_DATA,
			"%s: holds %lld views, this run needs %lld: set views=%lld to repeat them",
			h5_path(f->file), (long long)f->views, (long long)views,
			(long long)f->views);
	return 0;
}

int features_open(struct features **out, const char *path, const struct settings *s, uint64_t seed,
	int64_t samples)
{
	struct features *f = memory_new(1, sizeof(*f));
	char *config = NULL;
	int status;

	*out = NULL;
	if (!f)
		return STATUS_SYSTEM;
	status = h5_open(&f->file, path, "features");
	if (!status)
		status = h5_get_text(f->file, "config", &config);
	if (!status)
		status = error_context(network_config_read(&f->teacher, config), "%s", path);
	free(config);
	if (!status)
		status = read_shapes(f);
	f->mixing = features_mixing(s);
	if (!status)
		status = check_views(f, s, seed, samples);
	if (status)
		features_close(f);
	else
		*out = f;
	return status;
}

void features_close(struct features *f)
{
	if (!f)
		return;
	h5_close(&f->file);
	free(f);
}

int features_read(struct features *f, int64_t epoch, int64_t position, const int64_t *index,
	int64_t count, real *tokens, real *logits)
{
	int64_t view = epoch % f->views, size = f->tokens * f->dim;

	for (int64_t i = 0; i < count; i++) {
		int64_t row = f->mixing ? position + i : index[i];

		if (row < 0 || row >= f->count)
			return error(STATUS_DATA, "%s: has no row %lld", h5_path(f->file),
				(long long)row);
		if (tokens)
			TRY(h5_read_part(f->file, "tokens", H5_REAL, 4,
				(int64_t[]){row, view, 0, 0}, (int64_t[]){1, 1, f->tokens, f->dim},
				tokens + i * size));
		if (logits)
			TRY(h5_read_part(f->file, "logits", H5_REAL, 3, (int64_t[]){row, view, 0},
				(int64_t[]){1, 1, f->classes}, logits + i * f->classes));
	}
	return 0;
}

int features_create(struct h5 **out, const char *path, const struct network_config *teacher,
	const struct settings *s, uint64_t seed, int64_t rows, int64_t views)
{
	const int64_t tokens[] = {rows, views, token_count(teacher), teacher->dim};
	const int64_t logits[] = {rows, views, teacher->classes};
	struct h5_layout layout = {.chunk_rows = 1,
		.long_name = "tokens of the teacher, class tokens first",
		.units = "1",
		.axes = "sample view token channel"};
	char *config = network_config_text(teacher), *text = views_text(s, seed);
	int status = config && text ? h5_create(out, path, "features") : STATUS_SYSTEM;

	if (!status)
		status = h5_put_text(*out, "arch", teacher->arch);
	if (!status)
		status = h5_put_text(*out, "config", config);
	if (!status)
		status = h5_put_text(*out, "views", text);
	if (!status)
		status = h5_dataset(*out, "tokens", H5_F32, 4, tokens, &layout);
	layout.long_name = "logits of the teacher";
	layout.axes = "sample view class";
	if (!status)
		status = h5_dataset(*out, "logits", H5_F32, 3, logits, &layout);
	layout = (struct h5_layout){.long_name = "epoch word that keyed the augmentation",
		.units = "1",
		.axes = "sample view"};
	if (!status && !features_mixing(s))
		status = h5_dataset(*out, "view_seed", H5_I64, 2, tokens, &layout);
	free(config);
	free(text);
	if (status)
		h5_close(out);
	return status;
}

int features_write(struct h5 *out, const struct network_config *teacher, int64_t view, int64_t from,
	int64_t count, const real *tokens, const real *logits)
{
	TRY(h5_write_part(out, "tokens", H5_REAL, 4, (int64_t[]){from, view, 0, 0},
		(int64_t[]){count, 1, token_count(teacher), teacher->dim}, tokens));
	TRY(h5_write_part(out, "logits", H5_REAL, 3, (int64_t[]){from, view, 0},
		(int64_t[]){count, 1, teacher->classes}, logits));
	for (int64_t i = 0; i < count && h5_has(out, "view_seed"); i++)
		TRY(h5_write_part(out, "view_seed", H5_I64, 2, (int64_t[]){from + i, view},
			(int64_t[]){1, 1}, &view));
	return 0;
}
