/*
 * Training steps from C: shards against single runs, what is frozen, what is left alone, numbers
 * that are not finite, and a batch that is learnt by heart.
 */
#include "lib/train/fit_map.h"
#include "lib/train/trainer.h"
#include "tests/micro.h"

#include <omp.h>

static struct dataset *data;
static struct network_config student_config;

static struct network *teacher_new(void)
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

static int start(struct session *s, const char *text, int map_only)
{
	struct trainer_inputs in = {.settings = &s->settings,
		.seed = 11,
		.device = device_cpu(),
		.student = student_config,
		.map_only = map_only};
	struct batches_settings b = {.train = 1, .shuffle = 1, .seed = 11};

	memset(s, 0, sizeof(*s));
	TRY(micro_settings(&s->settings, text));
	if (s->settings.distill.method != METHOD_TASK)
		in.teacher = s->teacher = teacher_new();
	TRY(trainer_new(&s->t, &in));
	TRY(trainer_allocate(s->t));
	TRY(model_init(s->t->model, -1, 7));
	b.augment = s->settings.augment;
	b.augment.size = student_config.image;
	b.batch = s->settings.train.batch;
	b.shards = s->settings.train.shards;
	return batches_open(&s->batches, data, &b);
}

static void end(struct session *s)
{
	batches_close(s->batches);
	trainer_free(s->t);
	network_free(s->teacher);
}

/* The gradients and statistics of one shard, by a trainer whose batch is that shard. */
static void single(struct session *one, const struct batch *b, int64_t shard, int64_t shards,
	int64_t step, real *sum)
{
	struct trainer *t = one->t;
	int64_t n = t->labels->count, at = shard * n, S = student_config.image;
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

static int64_t differences(const real *a, const real *b, int64_t n)
{
	int64_t bad = 0;

	for (int64_t i = 0; i < n; i++)
		bad += !(a[i] == b[i]);
	return bad;
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
	if (!ok(!start(&all, text, 0), "%s", text)) {
		diag("%s", error_message());
		return;
	}
	snprintf(text, sizeof(text), "%s batch=%d drop_path=0.4 mixup=1 erase=0.5", method,
		16 / shards);
	start(&one, text, 0);
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
	ok(!differences(got, sums, size),
		"%d shards: gradients and statistics are the tree sum of single runs", shards);
	ok(statistics_right(all.t, sums, shards), "running statistics: one update from the mean");
	free(sums);
	free(got);
	end(&all);
	end(&one);
}

/* Loss and gradient of the task do not know about shards but through batch norm and mixing. */
static void check_divisor(void)
{
	const char *form = "method=task batch=16 lr=0 decay=0 shards=%d";
	double norm[2], loss[2];

	network_find("deit-micro-t", &student_config);
	for (int i = 0; i < 2; i++) {
		struct step_report r;
		struct session s;
		struct batch b;
		char text[128];

		snprintf(text, sizeof(text), form, i ? 4 : 1);
		start(&s, text, 0);
		trainer_start(s.t, 4, 8);
		batches_next(s.batches, &b);
		trainer_step(s.t, &b, &r);
		norm[i] = r.norm;
		loss[i] = r.loss;
		end(&s);
	}
	near(loss[1], loss[0], 1e-5, "deit: the loss of 4 shards is that of one");
	near(norm[1], norm[0], 1e-5, "deit: so is the gradient's norm");
	network_find("pmamba-micro-t", &student_config);
}

/* All parameters of a group as bytes; *n gets how many reals. */
static real *copy_group(const struct model *m, int group, int64_t *n)
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

static int64_t group_moved(const struct model *m, int group, const real *before)
{
	int64_t n;
	real *now = copy_group(m, group, &n);
	int64_t moved = differences(now, before, n);

	free(now);
	return moved;
}

static void check_map(const char *calib, int moves)
{
	real *map, *weights;
	struct session s;
	char text[128];
	int64_t n, many;

	snprintf(text, sizeof(text), "method=wsab batch=16 lr=1e-3 %s", calib);
	start(&s, text, 0);
	trainer_start(s.t, 4, 8);
	map = copy_group(s.t->model, GROUP_MAP, &n);
	weights = copy_group(s.t->model, 0, &many);
	for (int i = 0; i < 3; i++) {
		struct step_report r;
		struct batch b;

		batches_next(s.batches, &b);
		ok(!trainer_step(s.t, &b, &r), "%s: step %d", calib, i + 1);
	}
	ok(n > 0 && (group_moved(s.t->model, GROUP_MAP, map) > 0) == moves, "%s: the map %s", calib,
		moves ? "is trained too" : "stays as it is");
	ok(group_moved(s.t->model, 0, weights) > many / 2, "%s: the student moves", calib);
	free(map);
	free(weights);
	end(&s);
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
	start(&s, text, 0);
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
	end(&s);
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

	start(&s, "method=wsab batch=16 shards=2 lr=1e-3", 0);
	trainer_start(s.t, 4, 8);
	batches_next(s.batches, &b);
	ok(!trainer_step(s.t, &b, &r), "a step before the damage");
	plant(where ? s.teacher->model : s.t->model, name, value);
	for (int g = 0; g < 2; g++)
		before[g] = copy_group(s.t->model, g, &n[g]);
	moments = malloc(s.t->model->size * sizeof(*moments));
	memcpy(moments, s.t->moment1, s.t->model->size * sizeof(*moments));
	batches_next(s.batches, &b);
	status = trainer_step(s.t, &b, &r);
	if (!ok(status == STATUS_NUMBERS && strstr(error_message(), words),
		    "%g in %s: refused, '%s' is named", value, name, words))
		diag("%d: %s", status, error_message());
	for (int g = 0; g < 2; g++) {
		int64_t m;
		real *now = copy_group(s.t->model, g, &m);

		moved += memcmp(now, before[g], n[g] * sizeof(real)) != 0;
		free(now);
		free(before[g]);
	}
	moved += memcmp(moments, s.t->moment1, s.t->model->size * sizeof(real)) != 0;
	ok(!moved && s.t->step == 1, "weights, map and moments are as they were");
	free(moments);
	end(&s);
}

/* --- the calibration stage --- */

/* Cholesky's factor in place, lower; 0 if a is positive definite. */
static int factor(double *a, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j <= i; j++) {
			double sum = a[i * n + j];

			for (int64_t k = 0; k < j; k++)
				sum -= a[i * n + k] * a[j * n + k];
			if (i == j && !(sum > 0))
				return -1;
			a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
		}
	return 0;
}

/*
 * W is the symmetric root of (S + 0.01 tr(S) / D I)^-1: it is symmetric, positive definite, and
 * W (S + ...) W is the identity. The bias takes the mean to 0.
 */
static void check_whitening(void)
{
	enum { D = 12, N = 400 };
	static double x[N][D], S[D * D], a[D * D], WS[D * D];
	double sum[D] = {0}, moment[D * D] = {0}, trace = 0, worst = 0, shift = 0, skew = 0;
	struct calibration *c;
	struct distill_settings d = {.calib_teacher = TEACHER_FROZEN};
	struct model *m = model_new();
	const real *w, *bias;

	calibration_new(&c, &d, m, (int64_t[]){8}, D, 1);
	model_allocate(m, device_cpu(), 0);
	for (int i = 0; i < N; i++) {
		double shared = micro_random();

		for (int j = 0; j < D; j++)
			x[i][j] = (j + 1) * micro_random() + 3 * shared + j;
		x[i][D - 1] = x[i][0] - x[i][1]; /* singular without the ridge */
		for (int j = 0; j < D; j++) {
			sum[j] += x[i][j];
			for (int k = 0; k < D; k++)
				moment[j * D + k] += x[i][j] * x[i][k];
		}
	}
	for (int i = 0; i < N; i++)
		for (int j = 0; j < D; j++)
			for (int k = 0; k < D; k++)
				S[j * D + k] += (x[i][j] - sum[j] / N) * (x[i][k] - sum[k] / N) / N;
	for (int j = 0; j < D; j++)
		trace += S[j * D + j];
	for (int j = 0; j < D; j++)
		S[j * D + j] += 0.01 * trace / D;
	ok(!calibration_whiten(c, N, sum, moment), "whitening of %d tokens", N);
	w = c->teacher_weight->data;
	bias = c->teacher_bias->data;
	for (int i = 0; i < D; i++)
		for (int j = 0; j < D; j++)
			for (int k = 0; k < D; k++)
				WS[i * D + j] += w[i * D + k] * S[k * D + j];
	for (int i = 0; i < D; i++) {
		double mean = bias[i];

		for (int j = 0; j < D; j++) {
			double v = 0;

			for (int k = 0; k < D; k++)
				v += WS[i * D + k] * w[j * D + k];
			worst = fmax(worst, fabs(v - (i == j)));
			skew = fmax(skew, fabs(w[i * D + j] - w[j * D + i]));
			mean += w[i * D + j] * sum[j] / N;
			a[i * D + j] = w[i * D + j];
		}
		shift = fmax(shift, fabs(mean));
	}
	ok(worst <= 1e-4, "W (S + ridge) W is the identity");
	ok(skew <= 1e-5 && !factor(a, D), "W is symmetric and positive definite");
	ok(shift <= 1e-4, "the mean goes to 0");
	ok(calibration_whiten(c, N, sum, memset(moment, 0xff, sizeof(moment))) == STATUS_NUMBERS,
		"moments that are not finite are refused");
	calibration_free(c);
	model_free(m);
}

static void check_fit(const char *more)
{
	struct fit_report r;
	struct session s;
	char text[256];
	int64_t n, m;
	real *weights, *map;
	int status;

	snprintf(text, sizeof(text), "method=wsab batch=16 lr=3e-3 schedule=constant %s", more);
	start(&s, text, 1);
	weights = copy_group(s.t->model, 0, &n);
	map = copy_group(s.t->model, GROUP_MAP, &m);
	status = fit_map(s.t, data, 0, NULL, NULL, NULL, &r);
	if (!ok(!status && r.after < r.before, "calibrate %s: better on what was held back", more))
		diag("%s: %g before, %g after", status ? error_message() : "", r.before, r.after);
	ok(!group_moved(s.t->model, 0, weights),
		"the student and its running statistics are left alone");
	ok(group_moved(s.t->model, GROUP_MAP, map) > 0, "the map has moved");
	free(weights);
	free(map);
	end(&s);
}

/* The frozen side must have been fitted: mapped tokens have mean 0 and deviation about 1. */
static void check_frozen_side(void)
{
	double sum = 0, square = 0;
	struct fit_report r;
	struct session s;
	int64_t D, n = 0;
	const real *w, *b;
	tensor v;

	start(&s, "method=wsab batch=16 lr=3e-3 schedule=constant calib_teacher=frozen", 1);
	ok(!fit_map(s.t, data, 0, NULL, NULL, NULL, &r), "calibrate with the frozen side");
	v = program_find(s.t->train, "teacher tokens"); /* of the last batch that was judged */
	D = tensor_last(v);
	w = s.t->map->teacher_weight->data;
	b = s.t->map->teacher_bias->data;
	for (int64_t i = 0; i < v->count / D; i++) {
		const real *x = (const real *)v->data + i * D;

		if (i % v->shape[1] == 0)
			continue; /* the class token is not compared */
		for (int64_t j = 0; j < D; j++, n++) {
			double y = b[j];

			for (int64_t k = 0; k < D; k++)
				y += (double)w[j * D + k] * x[k];
			sum += y;
			square += y * y;
		}
	}
	ok(fabs(sum / n) < 0.1 && square / n > 0.2 && square / n < 1.2,
		"its tokens: mean %.3f, square %.3f", sum / n, square / n);
	end(&s);
}

static void check_refusals(void)
{
	struct session s;

	ok(start(&s, "method=task batch=16 shards=3", 0) == STATUS_USAGE, "three shards");
	end(&s);
	ok(start(&s, "method=task batch=12 shards=8", 0) == STATUS_USAGE,
		"shards that do not divide the batch");
	end(&s);
	ok(start(&s, "method=task batch=6 shards=2 mixup=1", 0) == STATUS_USAGE,
		"mixing in an odd shard");
	end(&s);
	ok(start(&s, "method=rc batch=16", 0) == STATUS_DATA, "rc between unequal widths");
	end(&s);
	ok(start(&s, "method=wsab calib=none batch=16", 0) == STATUS_DATA,
		"no map between unequal widths");
	end(&s);
}

int main(void)
{
	const char *path = micro_path("images.h5");

	omp_set_num_threads(1);
	if (micro_images(path, SHAPES_TRAIN, 96, 1) || dataset_open(&data, path, 1 << 24)) {
		ok(0, "images: %s", error_message());
		return done();
	}
	network_find("pmamba-micro-t", &student_config);
	student_config.depth = 2;
	check_shards("method=task", 2);
	check_shards("method=wsab", 2);
	check_shards("method=wsab", 8);
	check_shards("method=feature feature_loss=l2", 8);
	check_shards("method=logits", 4);
	check_divisor();
	student_config.depth = 2;
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
	check_whitening();
	check_fit("");
	check_fit("calib_form=mlp2 calib_share=layer");
	check_frozen_side();
	check_refusals();
	dataset_close(data);
	micro_clean();
	return done();
}
