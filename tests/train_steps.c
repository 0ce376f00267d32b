/*
 * Training steps from C: shards against single runs, what is frozen, what is left alone, numbers
 * that are not finite, and a batch that is learnt by heart.
 */
#include "tests/train_session.h"

/* The gradients and statistics of one shard, by a trainer whose batch is that shard. */
static void single(struct session *one, const struct batch *b, int64_t shard, int64_t shards,
	int64_t step, real *sum)
{
	struct trainer *t = one->t;
	int64_t n = t->labels->count, at = shard * n, S = session_student.image;
	struct step now = {.seed = 11,
		.epoch = b->epoch,
		.step = step,
		.first_sample = at,
		.divisor = (real)b->count,
		.scale = (real)1 / shards};
	real mix[6];

	for (int i = 0; i < 6; i++)
		mix[i] = b->mix[shard * 6 + i];
	tensor_put(t->train, t->pixels, b->pixels + at * S * S * 3);
	tensor_put(t->train, t->labels, b->labels + at);
	tensor_put(t->train, t->erase, b->erase + at * 6);
	tensor_put(t->train, t->mix, mix);
	memset(t->model->grad, 0, t->model->size * sizeof(real));
	memset(t->model->stat, 0, t->model->buffer_size * sizeof(real));
	program_forward(t->train, &now);
	program_backward(t->train, &now);
	memcpy(sum, t->model->grad, t->model->size * sizeof(real));
	memcpy(sum + t->model->size, t->model->stat, t->model->buffer_size * sizeof(real));
}

/* Running statistics after one step from 0 and 1: one update from the mean over shards. */
static int statistics_right(const struct trainer *t, const real *sum, int64_t shards)
{
	for (int i = 0; i < t->model->count; i++) {
		const struct param *p = t->model->params[i];
		double start = micro_ends(p->name, "running_var");

		if (!(p->flags & PARAM_BUFFER))
			continue;
		for (int64_t j = 0; j < p->count; j++) {
			double mean = sum[t->model->size + p->offset + j] / shards;
			double want = p->flags & PARAM_COUNTER ? 1 : 0.9 * start + 0.1 * mean;

			if (!(fabs(p->data[j] - want) <= 1e-6 * (1 + fabs(want))))
				return 0;
		}
	}
	return 1;
}

static void check_shards(const char *method, int shards)
{
	struct session all, one;
	struct step_report r;
	struct batch b;
	char text[512];
	real *sums, *got;
	int64_t size;

	snprintf(text, sizeof(text),
		"%s batch=16 shards=%d lr=0 decay=0 mixup=0.8 cutmix=1 erase=0.5 augment=shift "
		"drop_path=0.4",
		method, shards);
	if (!ok(!session_start(&all, text, 0), "%s", text)) {
		diag("%s", error_message());
		return;
	}
	snprintf(text, sizeof(text), "%s batch=%d drop_path=0.4 mixup=1 erase=0.5", method,
		16 / shards);
	session_start(&one, text, 0);
	size = all.t->model->size + all.t->model->buffer_size;
	sums = malloc(shards * size * sizeof(*sums));
	got = malloc(size * sizeof(*got));
	trainer_start(all.t, 4, 8);
	batches_next(all.batches, &b);
	for (int i = 0; i < shards; i++)
		single(&one, &b, i, shards, 0, sums + i * size);
	ok(!trainer_step(all.t, &b, &r) && isfinite(r.loss), "a step of %d shards", shards);
	memcpy(got, all.t->model->grad, all.t->model->size * sizeof(*got));
	memcpy(got + all.t->model->size, all.t->model->stat,
		all.t->model->buffer_size * sizeof(*got));
	for (int n = shards; n > 1; n /= 2) /* neighbours first */
		for (int i = 0; i < n / 2; i++)
			for (int64_t j = 0; j < size; j++)
				sums[i * size + j] =
					sums[2 * i * size + j] + sums[(2 * i + 1) * size + j];
	ok(!session_differences(got, sums, size),
		"%d shards: gradients and statistics are the tree sum of single runs", shards);
	ok(statistics_right(all.t, sums, shards), "running statistics: one update from the mean");
	free(sums);
	free(got);
	session_end(&all);
	session_end(&one);
}

/* Loss and gradient of the task do not know about shards but through batch norm and mixing. */
static void check_divisor(void)
{
	const char *form = "method=task batch=16 lr=0 decay=0 shards=%d";
	double norm[2], loss[2];

	network_find("deit-micro-t", &session_student);
	for (int i = 0; i < 2; i++) {
		struct step_report r;
		struct session s;
		struct batch b;
		char text[128];

		snprintf(text, sizeof(text), form, i ? 4 : 1);
		session_start(&s, text, 0);
		trainer_start(s.t, 4, 8);
		batches_next(s.batches, &b);
		trainer_step(s.t, &b, &r);
		norm[i] = r.norm;
		loss[i] = r.loss;
		session_end(&s);
	}
	near(loss[1], loss[0], 1e-5, "deit: the loss of 4 shards is that of one");
	near(norm[1], norm[0], 1e-5, "deit: so is the gradient's norm");
	network_find("pmamba-micro-t", &session_student);
}

static void check_map(const char *calib, int moves)
{
	real *map, *weights;
	struct session s;
	char text[128];
	int64_t n, many;

	snprintf(text, sizeof(text), "method=wsab batch=16 lr=1e-3 %s", calib);
	session_start(&s, text, 0);
	trainer_start(s.t, 4, 8);
	map = session_values(s.t->model, GROUP_MAP, &n);
	weights = session_values(s.t->model, 0, &many);
	for (int i = 0; i < 3; i++) {
		struct step_report r;
		struct batch b;

		batches_next(s.batches, &b);
		ok(!trainer_step(s.t, &b, &r), "%s: step %d", calib, i + 1);
	}
	ok(n > 0 && (session_moved(s.t->model, GROUP_MAP, map) > 0) == moves, "%s: the map %s",
		calib, moves ? "is trained too" : "stays as it is");
	ok(session_moved(s.t->model, 0, weights) > many / 2, "%s: the student moves", calib);
	free(map);
	free(weights);
	session_end(&s);
}

static void check_by_heart(const char *settings)
{
	struct step_report r = {0};
	struct session s;
	struct batch b;
	char text[256];
	double first = 0;
	int status = 0;

	snprintf(text, sizeof(text), "%s batch=8 lr=5e-3 schedule=constant decay=0 clip=1",
		settings);
	session_start(&s, text, 0);
	trainer_start(s.t, 8, 1000);
	batches_next(s.batches, &b);
	for (int i = 0; i < 60 && !status; i++) {
		status = trainer_step(s.t, &b, &r);
		if (!i)
			first = r.task;
	}
	if (!ok(!status && first > 2 && r.task < 0.05, "%s: one batch is learnt by heart",
		    settings))
		diag("task loss %g, at first %g", r.task, first);
	session_end(&s);
}

/* --- numbers that are not finite --- */

static void plant(struct model *m, const char *name, double value)
{
	struct param *p = model_find(m, name);
	real *host = malloc(p->count * sizeof(*host));

	param_get(m, p, host);
	host[p->count / 2] = (real)value;
	param_put(m, p, host);
	free(host);
}

static void check_planted(int where, const char *name, double value, const char *words)
{
	struct step_report r;
	struct session s;
	struct batch b;
	real *before[2], *moments;
	int64_t n[2], moved = 0;
	int status;

	session_start(&s, "method=wsab batch=16 shards=2 lr=1e-3", 0);
	trainer_start(s.t, 4, 8);
	batches_next(s.batches, &b);
	ok(!trainer_step(s.t, &b, &r), "a step before the damage");
	plant(where ? s.teacher->model : s.t->model, name, value);
	for (int g = 0; g < 2; g++)
		before[g] = session_values(s.t->model, g, &n[g]);
	moments = malloc(s.t->model->size * sizeof(*moments));
	memcpy(moments, s.t->moment1, s.t->model->size * sizeof(*moments));
	batches_next(s.batches, &b);
	status = trainer_step(s.t, &b, &r);
	if (!ok(status == STATUS_NUMBERS && strstr(error_message(), words),
		    "%g in %s: refused, '%s' is named", value, name, words))
		diag("%d: %s", status, error_message());
	for (int g = 0; g < 2; g++) {
		int64_t m;
		real *now = session_values(s.t->model, g, &m);

		moved += memcmp(now, before[g], n[g] * sizeof(real)) != 0;
		free(now);
		free(before[g]);
	}
	moved += memcmp(moments, s.t->moment1, s.t->model->size * sizeof(real)) != 0;
	ok(!moved && s.t->step == 1, "weights, map and moments are as they were");
	free(moments);
	session_end(&s);
}

static void check_refusals(void)
{
	struct session s;

	ok(session_start(&s, "method=task batch=16 shards=3", 0) == STATUS_USAGE, "three shards");
	session_end(&s);
	ok(session_start(&s, "method=task batch=12 shards=8", 0) == STATUS_USAGE,
		"shards that do not divide the batch");
	session_end(&s);
	ok(session_start(&s, "method=task batch=6 shards=2 mixup=1", 0) == STATUS_USAGE,
		"mixing in an odd shard");
	session_end(&s);
	ok(session_start(&s, "method=rc batch=16", 0) == STATUS_DATA, "rc between unequal widths");
	session_end(&s);
	ok(session_start(&s, "method=wsab calib=none batch=16", 0) == STATUS_DATA,
		"no map between unequal widths");
	session_end(&s);
}

int main(void)
{
	if (session_open()) {
		ok(0, "images: %s", error_message());
		return done();
	}
	check_shards("method=task", 2);
	check_shards("method=wsab", 2);
	check_shards("method=wsab", 8);
	check_shards("method=feature feature_loss=l2", 8);
	check_shards("method=logits", 4);
	check_divisor();
	session_student.depth = 2;
	check_map("calib=before", 0);
	check_map("calib=before+joint", 1);
	check_map("calib=joint calib_form=mlp2", 1);
	check_by_heart("method=task");
	check_by_heart("method=wsab task_weight=0.9");
	check_planted(0, "layers.1.mamba.in_proj.weight", NAN, "layers.1.mamba.in_proj.weight");
	check_planted(0, "layers.0.norm.bias", INFINITY, "layers.0.norm.bias");
	check_planted(0, "map.weight", NAN, "map.weight");
	check_planted(1, "blocks.1.attn.qkv.weight", NAN, "blocks.1.attn.qkv.weight");
	check_planted(0, "layers.0.norm.weight", 1e30, "in layers.0.mamba, forward pass");
	check_refusals();
	session_close();
	return done();
}
