/*
 * What the tests of training steps share: a trainer with its settings, teacher and data; what of a
 * model has moved.
 */
#ifndef TESTS_TRAIN_SESSION_H
#define TESTS_TRAIN_SESSION_H

#include "lib/train/trainer.h"
#include "tests/micro.h"

#include <omp.h>

static struct dataset *session_data;
static struct network_config session_student; /* PlainMamba, two layers, unless a test says else */

/* One thread, 96 pictures. */
static int session_open(void)
{
	const char *path = in_folder("images.h5");

	omp_set_num_threads(1);
	TRY(micro_images(path, SHAPES_TRAIN, 96, 1));
	TRY(dataset_open(&session_data, path, 1 << 24));
	network_find("pmamba-micro-t", &session_student);
	session_student.depth = 2;
	return 0;
}

static void session_close(void)
{
	dataset_close(session_data);
	remove_folder(test_folder());
}

/* A frozen DeiT. */
static struct network *session_teacher(void)
{
	struct network_config c;
	struct network *n;

	network_find("deit-micro-t", &c);
	c.depth = 2;
	network_new(&n, &c, NULL);
	model_allocate(n->model, device_cpu(), 0);
	model_init(n->model, 0, 3);
	model_freeze(n->model, 0, 1);
	return n;
}

/* A trainer with its settings, fresh weights and a fresh map. */
struct session {
	struct settings settings;
	struct network *teacher;
	struct trainer *t;
	struct batches *batches;
};

/* "method=wsab batch=16 ..." over the defaults; map_only: the calibration stage. */
static int session_start(struct session *s, const char *text, int map_only)
{
	struct trainer_inputs in = {.settings = &s->settings,
		.seed = 11,
		.device = device_cpu(),
		.student = session_student,
		.map_only = map_only};
	struct batches_settings b = {.train = 1, .shuffle = 1, .seed = 11};

	memset(s, 0, sizeof(*s));
	TRY(micro_settings(&s->settings, text));
	if (s->settings.distill.method != METHOD_TASK)
		in.teacher = s->teacher = session_teacher();
	TRY(trainer_new(&s->t, &in));
	TRY(trainer_allocate(s->t));
	TRY(model_init(s->t->model, -1, 7));
	b.augment = s->settings.augment;
	b.augment.size = session_student.image;
	b.batch = s->settings.train.batch;
	b.shards = s->settings.train.shards;
	return batches_open(&s->batches, session_data, &b);
}

static void session_end(struct session *s)
{
	batches_close(s->batches);
	trainer_free(s->t);
	network_free(s->teacher);
}

/* All values of a group, malloc'ed; *n gets how many. */
static real *session_values(const struct model *m, int group, int64_t *n)
{
	real *all = malloc((m->size + m->buffer_size) * sizeof(*all));

	*n = 0;
	for (int i = 0; i < m->count; i++)
		if (m->params[i]->group == group) {
			param_get(m, m->params[i], all + *n);
			*n += m->params[i]->count;
		}
	return all;
}

static int64_t session_differences(const real *a, const real *b, int64_t n)
{
	int64_t bad = 0;

	for (int64_t i = 0; i < n; i++)
		bad += !(a[i] == b[i]);
	return bad;
}

/* How many values of a group are not as they were. */
static int64_t session_moved(const struct model *m, int group, const real *before)
{
	int64_t n;
	real *now = session_values(m, group, &n);
	int64_t moved = session_differences(now, before, n);

	free(now);
	return moved;
}

#endif
