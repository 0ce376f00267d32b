#include "lib/distill/calibration.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const real EPS_STANDARD = (real)1e-6;

/* "map" and a dot: of all, of one width, or of one layer */
static void prefix_of(
	char prefix[32], const struct calibration *c, int64_t width, int several, int i)
{
	if (c->settings.calib_share == SHARE_LAYER)
		snprintf(prefix, 32, "map.%d.", i);
	else if (several)
		snprintf(prefix, 32, "map.width%lld.", (long long)width);
	else
		snprintf(prefix, 32, "map.");
}

static void new_map(
	struct calibration *c, struct calibration_map *g, const char *prefix, int64_t ds)
{
	int64_t dt = c->teacher_dim, P = ds > dt ? ds : dt;
	struct model *m = c->model;
	char name[64];

#define NAME(what) (snprintf(name, sizeof(name), "%s" what, prefix), name)
	if (c->settings.calib_form == CALIB_LINEAR1) {
		g->fc1 = model_param(m, PARAM_DECAY, INIT_EYE, 0.02, NAME("weight"), 2, dt, ds);
		return;
	}
	g->fc1 = model_param(m, PARAM_DECAY, INIT_EYE, 0.02, NAME("fc1.weight"), 2, P, ds);
	g->bias1 = model_param(m, 0, INIT_ZERO, 0, NAME("fc1.bias"), 1, P);
	g->fc2 = model_param(m, PARAM_DECAY, INIT_EYE, 0.02, NAME("fc2.weight"), 2, dt, P);
	g->bias2 = model_param(m, 0, INIT_ZERO, 0, NAME("fc2.bias"), 1, dt);
#undef NAME
}

/* The first layer that layer i shares its map with: itself if none before. */
static int64_t shares_with(const struct calibration *c, const int64_t *dims, int64_t i)
{
	int64_t j = 0;

	if (c->settings.calib_share == SHARE_LAYER)
		return i;
	while (dims[j] != dims[i])
		j++;
	return j;
}

static void new_maps(struct calibration *c, const int64_t *dims, int64_t layers)
{
	int several = 0;
	char prefix[32];

	for (int64_t i = 1; i < layers; i++)
		several |= dims[i] != dims[0];
	for (int64_t i = 0; i < layers; i++) {
		int64_t j = shares_with(c, dims, i);

		if (j < i) {
			c->map_of[i] = c->map_of[j];
			continue;
		}
		c->map_of[i] = c->maps;
		prefix_of(prefix, c, dims[i], several, (int)i);
		new_map(c, &c->map[c->maps++], prefix, dims[i]);
	}
}

int calibration_new(struct calibration **out, const struct distill_settings *s, struct model *m,
	const int64_t *student_dims, int64_t teacher_dim, int64_t layers)
{
	struct calibration *c = memory_new(1, sizeof(*c));
	int group = m->group;

	*out = c;
	if (!c)
		return STATUS_SYSTEM;
	c->settings = *s;
	c->teacher_dim = teacher_dim;
	c->model = m;
	m->group = GROUP_MAP;
	new_maps(c, student_dims, layers);
	m->group = GROUP_TEACHER;
	if (s->calib_teacher == TEACHER_FROZEN) {
		c->teacher_weight = model_param(m, PARAM_FROZEN, INIT_EYE, 0, "teacher.weight", 2,
			teacher_dim, teacher_dim);
		c->teacher_bias =
			model_param(m, PARAM_FROZEN, INIT_ZERO, 0, "teacher.bias", 1, teacher_dim);
	}
	m->group = group;
	return m->failed;
}

void calibration_free(struct calibration *c)
{
	free(c);
}

tensor calibration_apply(struct calibration *c, struct program *p, tensor s, int layer)
{
	const struct calibration_map *g = c ? &c->map[c->map_of[layer]] : NULL;
	tensor u = s;

	if (!g)
		return s;
	if (c->settings.calib_standardise)
		u = layernorm(p, u, NULL, NULL, EPS_STANDARD);
	u = linear(p, u, program_param(p, g->fc1), program_param(p, g->bias1), 1);
	if (g->fc2)
		u = linear(p, gelu(p, u), program_param(p, g->fc2), program_param(p, g->bias2), 1);
	return u;
}

tensor calibration_teacher(struct calibration *c, struct program *p, tensor v)
{
	if (!c || c->settings.calib_teacher == TEACHER_IDENTITY)
		return v;
	if (c->settings.calib_teacher == TEACHER_STANDARDISE)
		return layernorm(p, v, NULL, NULL, EPS_STANDARD);
	return linear(
		p, v, program_param(p, c->teacher_weight), program_param(p, c->teacher_bias), 1);
}

/* --- files --- */

static const char *const forms[] = {"linear1", "mlp2"};
static const char *const shares[] = {"width", "layer"};
static const char *const sides[] = {"identity", "standardise", "frozen"};

int calibration_save(const struct calibration *c, struct h5 *f)
{
	const struct model *m = c->model;

	TRY(h5_put_text(f, "form", forms[c->settings.calib_form]));
	TRY(h5_put_text(f, "share", shares[c->settings.calib_share]));
	TRY(h5_put_text(f, "teacher", sides[c->settings.calib_teacher]));
	TRY(h5_put_int(f, "standardise", c->settings.calib_standardise));
	for (int i = 0; i < m->count; i++)
		if (m->params[i]->group == GROUP_MAP || m->params[i]->group == GROUP_TEACHER)
			TRY(weights_put(m, m->params[i], f, ""));
	return 0;
}

static int expect(struct h5 *f, const char *name, const char *want)
{
	char *text;
	int status;

	TRY(h5_get_text(f, name, &text));
	status = strcmp(text, want)
			 ? error(STATUS_DATA,
				   "%s: calibrated with %s '%.40s', this run asks for '%s': "
				   "calibrate again with the same settings",
				   h5_path(f), name, text, want)
			 : 0;
	free(text);
	return status;
}

int calibration_load(struct calibration *c, struct h5 *f)
{
	struct model *m = c->model;
	int64_t standardise;

	TRY(expect(f, "form", forms[c->settings.calib_form]));
	TRY(expect(f, "share", shares[c->settings.calib_share]));
	TRY(expect(f, "teacher", sides[c->settings.calib_teacher]));
	TRY(h5_get_int(f, "standardise", &standardise));
	if (standardise != c->settings.calib_standardise)
		return error(STATUS_DATA,
			"%s: calibrated %s standardisation, this run asks for the opposite: "
			"calibrate again with the same settings",
			h5_path(f), standardise ? "with" : "without");
	TRY(weights_match(m, GROUP_MAP, GROUP_TEACHER, f, "", "the map between these networks"));
	for (int i = 0; i < m->count; i++)
		if (m->params[i]->group == GROUP_MAP || m->params[i]->group == GROUP_TEACHER)
			TRY(weights_get(m, m->params[i], f, ""));
	return 0;
}
