#include "lib/distill/calibration.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const real EPS_STANDARD = (real)1e-6;

/* "map.weight", "map.3.fc1.weight", ... */
static const char *name_of(const struct calibration *c, int i, const char *what)
{
	static _Thread_local char name[64];

	if (c->settings.calib_share == SHARE_LAYER)
		snprintf(name, sizeof(name), "map.%d.%s", i, what);
	else
		snprintf(name, sizeof(name), "map.%s", what);
	return name;
}

static void new_map(struct calibration *c, int i)
{
	int64_t ds = c->student_dim, dt = c->teacher_dim, P = ds > dt ? ds : dt;
	struct calibration_map *g = &c->map[i];
	struct model *m = c->model;

	if (c->settings.calib_form == CALIB_LINEAR1) {
		g->fc1 = model_param(
			m, PARAM_DECAY, INIT_EYE, 0.02, name_of(c, i, "weight"), 2, dt, ds);
		return;
	}
	g->fc1 = model_param(m, PARAM_DECAY, INIT_EYE, 0.02, name_of(c, i, "fc1.weight"), 2, P, ds);
	g->bias1 = model_param(m, 0, INIT_ZERO, 0, name_of(c, i, "fc1.bias"), 1, P);
	g->fc2 = model_param(m, PARAM_DECAY, INIT_EYE, 0.02, name_of(c, i, "fc2.weight"), 2, dt, P);
	g->bias2 = model_param(m, 0, INIT_ZERO, 0, name_of(c, i, "fc2.bias"), 1, dt);
}

int calibration_new(struct calibration **out, const struct distill_settings *s, struct model *m,
	int64_t student_dim, int64_t teacher_dim, int64_t layers)
{
	struct calibration *c = memory_new(1, sizeof(*c));
	int group = m->group;

	*out = c;
	if (!c)
		return STATUS_SYSTEM;
	c->settings = *s;
	c->student_dim = student_dim;
	c->teacher_dim = teacher_dim;
	c->model = m;
	c->maps = s->calib_share == SHARE_LAYER ? (int)layers : 1;
	m->group = GROUP_MAP;
	for (int i = 0; i < c->maps; i++)
		new_map(c, i);
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
	const struct calibration_map *g = c ? &c->map[c->maps > 1 ? layer : 0] : NULL;
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
	for (int i = 0; i < m->count; i++)
		if (m->params[i]->group == GROUP_MAP || m->params[i]->group == GROUP_TEACHER)
			TRY(weights_get(m, m->params[i], f, ""));
	return 0;
}
