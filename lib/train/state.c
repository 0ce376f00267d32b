#include "lib/train/state.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/weights.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A slice of a flat optimiser array under prefix + name. */
static int put_moment(const struct trainer *t, struct h5 *f, const char *prefix,
	const struct param *p, const real *array)
{
	real *host = memory_new(p->count, sizeof(*host));
	char name[256];
	int status;

	if (!host)
		return STATUS_SYSTEM;
	snprintf(name, sizeof(name), "%s%s", prefix, p->name);
	t->in.device->get(host, array + p->offset, p->count * sizeof(*host));
	status = h5_put(f, name, H5_REAL, p->dims, p->shape, host);
	free(host);
	return status;
}

static int get_moment(
	struct trainer *t, struct h5 *f, const char *prefix, const struct param *p, real *array)
{
	real *host = memory_new(p->count, sizeof(*host));
	char name[256];
	int status;

	if (!host)
		return STATUS_SYSTEM;
	snprintf(name, sizeof(name), "%s%s", prefix, p->name);
	status = h5_get(f, name, H5_REAL, p->dims, p->shape, host);
	if (!status)
		t->in.device->put(array + p->offset, host, p->count * sizeof(*host));
	free(host);
	return status;
}

static int moved(const struct param *p)
{
	return !(p->flags & (PARAM_BUFFER | PARAM_FROZEN));
}

static int put_arrays(const struct trainer *t, struct h5 *f)
{
	const struct model *m = t->model;

	for (int i = 0; i < m->count; i++)
		TRY(weights_put(m, m->params[i], f, "weight:"));
	for (int i = 0; i < m->count; i++)
		if (moved(m->params[i]))
			TRY(put_moment(t, f, "exp_avg:", m->params[i], t->moment1));
	for (int i = 0; i < m->count && t->moment2; i++)
		if (moved(m->params[i]))
			TRY(put_moment(t, f, "exp_avg_sq:", m->params[i], t->moment2));
	return 0;
}

static int put_attributes(const struct trainer *t, const struct run_state *r, struct h5 *f)
{
	char *text = settings_text(t->in.settings);
	int status = text ? h5_put_text(f, "settings", text) : STATUS_SYSTEM;

	free(text);
	TRY(status);
	TRY(weights_save_config(&t->student->config, f));
	TRY(h5_put_text(f, "files", t->in.files ? t->in.files : "{}"));
	TRY(h5_put_int(f, "seed", (int64_t)t->in.seed));
	TRY(h5_put_int(f, "step", t->step));
	TRY(h5_put_int(f, "steps_per_epoch", t->per_epoch));
	TRY(h5_put_int(f, "best_step", r->best_step));
	TRY(h5_put_int(f, "best_hits", r->best_hits));
	TRY(h5_put_int(f, "valid_count", r->valid_count));
	return h5_put_int(f, "metrics_lines", r->metrics_lines);
}

int state_save(const struct trainer *t, const struct run_state *r, const char *path,
	const struct provenance *provenance, const struct h5_guard *guard)
{
	struct h5 *f;
	int status;

	TRY(h5_create(&f, path, "state"));
	if (guard)
		h5_set_guard(f, guard);
	status = put_attributes(t, r, f);
	if (!status)
		status = put_arrays(t, f);
	if (!status)
		status = h5_put(f, "epoch_sums", H5_F64, 1, &r->n_sums, r->sums);
	return provenance_commit(provenance, &f, status);
}

static int get_arrays(struct trainer *t, struct h5 *f)
{
	struct model *m = t->model;

	for (int i = 0; i < m->count; i++)
		if (m->params[i]->group)
			TRY(weights_get(m, m->params[i], f, "weight:"));
	TRY(weights_load(t->student, f, "weight:"));
	for (int i = 0; i < m->count; i++)
		if (moved(m->params[i]))
			TRY(get_moment(t, f, "exp_avg:", m->params[i], t->moment1));
	for (int i = 0; i < m->count && t->moment2; i++)
		if (moved(m->params[i]))
			TRY(get_moment(t, f, "exp_avg_sq:", m->params[i], t->moment2));
	return 0;
}

/* The first role whose file is another one in b, or is not there. */
static const char *other_file(json_t *a, json_t *b)
{
	const char *role;
	json_t *hash;

	json_object_foreach(a, role, hash)
	{
		if (!json_equal(hash, json_object_get(b, role)))
			return role;
	}
	return NULL;
}

/* The run began with the files that it has now. */
static int check_files(const struct trainer *t, struct h5 *f)
{
	json_t *ours, *theirs;
	const char *role;
	int status = 0;
	char *text;

	if (!t->in.files)
		return 0;
	TRY(h5_get_text(f, "files", &text));
	ours = json_loads(t->in.files, 0, NULL);
	theirs = json_loads(text, 0, NULL);
	free(text);
	if (!json_is_object(ours) || !json_is_object(theirs))
		status = error(STATUS_DATA, "%s: its list of files is damaged", h5_path(f));
	else if ((role = other_file(ours, theirs)) || (role = other_file(theirs, ours)))
		status = error(STATUS_DATA,
			"%s: began with another file as --%s: give that one, or another --state",
			h5_path(f), role);
	json_decref(ours);
	json_decref(theirs);
	return status;
}

static int check_run(const struct trainer *t, struct h5 *f)
{
	char *ours, *theirs;
	int64_t seed, per_epoch;
	int status;

	TRY(h5_get_int(f, "seed", &seed));
	if ((uint64_t)seed != t->in.seed)
		return error(STATUS_DATA, "%s: began with seed %lld, this run has %llu", h5_path(f),
			(long long)seed, (unsigned long long)t->in.seed);
	TRY(h5_get_int(f, "steps_per_epoch", &per_epoch));
	if (per_epoch != t->per_epoch)
		return error(STATUS_DATA,
			"%s: began with %lld steps an epoch, this data gives %lld: use the same "
			"data",
			h5_path(f), (long long)per_epoch, (long long)t->per_epoch);
	TRY(h5_get_text(f, "settings", &theirs));
	ours = settings_text(t->in.settings);
	status = ours ? error_context(settings_compare(ours, theirs), "%s", h5_path(f))
		      : STATUS_SYSTEM;
	free(ours);
	free(theirs);
	if (!status)
		status = weights_match(
			t->student->model, 0, 0, f, "weight:", t->student->config.arch);
	return status ? status : check_files(t, f);
}

static int get_attributes(struct trainer *t, struct run_state *r, struct h5 *f)
{
	TRY(h5_get_int(f, "step", &t->step));
	TRY(h5_get_int(f, "best_step", &r->best_step));
	TRY(h5_get_int(f, "best_hits", &r->best_hits));
	TRY(h5_get_int(f, "valid_count", &r->valid_count));
	TRY(h5_get_int(f, "metrics_lines", &r->metrics_lines));
	if (t->step < 0 || t->step > t->total || r->metrics_lines < 0)
		return error(STATUS_DATA, "%s: step %lld is not within this run's %lld", h5_path(f),
			(long long)t->step, (long long)t->total);
	return h5_get(f, "epoch_sums", H5_F64, 1, &r->n_sums, r->sums);
}

int state_check(const struct trainer *t, const char *path)
{
	struct h5 *f;
	int status;

	TRY(h5_open(&f, path, "state"));
	status = check_run(t, f);
	h5_close(&f);
	return status;
}

int state_load(
	struct trainer *t, struct run_state *r, const char *path, struct provenance *provenance)
{
	struct h5 *f;
	int status;

	TRY(h5_open(&f, path, "state"));
	status = check_run(t, f);
	if (!status)
		status = get_attributes(t, r, f);
	if (!status)
		status = get_arrays(t, f);
	if (!status)
		status = provenance_input(provenance, f);
	h5_close(&f);
	return status;
}
