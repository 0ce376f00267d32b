/*
 * Whole tiny networks in double: the gradient of every parameter against central differences, under
 * every method, tap, similarity, target and calibration.
 *
 * The golden layer of the public PlainMamba has a 2 x 3 grid, which a network with its square input
 * cannot have: plainmamba_layer_f64.c holds it against the kernels.
 */
#include "tests/micro.h"

#include <omp.h>

enum { B = 2 };

struct rig {
	struct settings settings;
	struct network *student, *teacher;
	struct calibration *map;
	struct program *p;
	struct objective o;
	tensor image;
	void *block;
	struct step step;
	double *frozen; /* the adaptive weights at the start, where they are constants */
};

struct variant {
	const char *settings;
	int64_t teacher_dim, teacher_patch; /* patch 4: the student's grid, 2: twice as fine */
	int deit, scan_order, no_mlp;	    /* deit 2: distilled, teacher and student */
	int vim;			    /* 2: the teacher is distilled, 3: a ViM too */
	int vmamba;			    /* 1: v0, 2: v05_noz */
	int mambaout;
	int video; /* VideoMamba: 1: images, more: clips of as many frames */
	int every; /* 1: all elements of each parameter, 0: a few */
};

static int build(struct rig *r, const struct variant *v)
{
	struct network_config c = v->deit	? micro_deit(6, 2, 4)
				  : v->vim	? micro_vim(6)
				  : v->vmamba	? micro_vmamba(2, v->vmamba == 2)
				  : v->mambaout ? micro_mambaout(2)
				  : v->video	? micro_videomamba(6, v->video > 1 ? v->video : 0)
						: micro_plainmamba(6);
	struct network_config t = micro_deit(v->teacher_dim, 2, v->teacher_patch);
	struct network_want want, all = {0};
	struct network_out out, y;
	struct teacher_out teacher;
	int64_t dims[NETWORK_LAYERS];
	const struct distill_settings *d = &r->settings.distill;
	tensor target, image;

	c.scan_order = v->scan_order;
	if (v->no_mlp)
		network_add_mlp(&c, 0);
	if (v->vim == 3) {
		t = micro_vim(v->teacher_dim);
		t.patch = v->teacher_patch;
	}
	c.drop_path = t.drop_path = 0.3;
	c.distilled = v->deit == 2;
	t.distilled = v->deit == 2 || v->vim == 2;
	TRY(micro_settings(&r->settings, v->settings));
	TRY(network_new(&r->student, &c, NULL));
	TRY(network_new(&r->teacher, &t, NULL));
	TRY(objective_check(d, &c, t.dim, network_grid(&t), network_extra_tokens(&t), t.classes));
	distill_tap_dims(d, &c, dims);
	if (distill_wants_map(d))
		TRY(calibration_new(&r->map, d, r->student->model, dims, t.dim, c.depth));
	if (r->map && d->calib == CALIB_BEFORE)
		model_freeze(r->student->model, GROUP_MAP, 1);
	TRY(model_allocate(r->student->model, device_cpu(), 1));
	TRY(model_allocate(r->teacher->model, device_cpu(), 0));
	model_freeze(r->teacher->model, 0, 1);
	micro_fill(r->student->model);
	micro_fill(r->teacher->model);

	want = distill_want(d);
	r->p = program_new(PROGRAM_TRAIN);
	r->image = program_input_grad(
		r->p, "image", 4, (int64_t[]){B * network_frames(&c), c.image, c.image, 3});
	target = program_input(r->p, "target", TYPE_REAL, 2, (int64_t[]){B, c.classes});
	program_set_mode(r->p, PROGRAM_EVAL);
	network_build(r->teacher, r->p, r->image, &all, &y);
	program_set_mode(r->p, PROGRAM_TRAIN);
	teacher = (struct teacher_out){d->target == TARGET_PRENORM ? y.last : y.tokens, y.logits,
		network_extra_tokens(&t), network_class_index(&t), network_grid(&t)};
	image = c.frames ? program_reshape(
				   r->p, r->image, 5, (int64_t[]){B, c.frames, c.image, c.image, 3})
			 : r->image;
	network_build(r->student, r->p, image, &want, &out);
	objective_build(&r->o, d, r->p, &c, &out, &teacher, r->map, target);
	TRY(program_plan(r->p, device_cpu()));
	r->block = malloc(program_bytes(r->p));
	memset(r->block, 0xff, program_bytes(r->p)); /* NaN: nothing may be read before written */
	return program_bind(r->p, r->block);
}

static int open_rig(struct rig *r, const struct variant *v)
{
	memset(r, 0, sizeof(*r));
	micro_state = 88172645463325252ull;
	TRY(build(r, v));
	r->step = (struct step){.seed = 5, .step = 2, .divisor = B, .scale = 0.5};
	for (int i = 0;; i++) {
		tensor t = program_input_at(r->p, i);
		real *host;

		if (!t)
			return 0;
		host = malloc(t->count * sizeof(*host));
		for (int64_t j = 0; j < t->count; j++)
			host[j] = t == r->image ? micro_random() : 0.2 + 0.1 * (j % 3);
		tensor_put(r->p, t, host);
		free(host);
	}
}

static void close_rig(struct rig *r)
{
	program_free(r->p);
	calibration_free(r->map);
	network_free(r->student);
	network_free(r->teacher);
	free(r->block);
	free(r->frozen);
}

/*
 * What the gradient is of: the loss, or where the adaptive weights are constants of the gradient,
 * the loss put together from the cosines and the weights of the start.
 */
static double loss_of(struct rig *r)
{
	const struct distill_settings *d = &r->settings.distill;
	int64_t n = (int64_t)r->o.layers * r->o.directions;
	int64_t K;
	double loss, task, sum = 0;
	real *c;

	program_forward(r->p, &r->step);
	tensor_get(r->p, r->o.loss, &loss);
	if (!r->o.weights || !d->weights_stopgrad)
		return loss;
	c = malloc(2 * n * sizeof(*c));
	tensor_get(r->p, r->o.cosines, c);
	tensor_get(r->p, r->o.weights, c + n);
	if (!r->frozen) {
		r->frozen = malloc(n * sizeof(*r->frozen));
		memcpy(r->frozen, c + n, n * sizeof(*c));
	}
	for (int64_t i = 0; i < n; i++)
		sum += r->frozen[i] * (1 - c[i]);
	free(c);
	tensor_get(r->p, r->o.task, &task);
	/* the outer factor: 2/K over directions told apart, 2 where one stands for all */
	K = network_directions(&r->student->config);
	sum *= K == 1			      ? 1
	       : r->o.directions == 1	      ? 2
	       : d->dir_reduce == REDUCE_SUM  ? 1
	       : d->dir_reduce == REDUCE_MEAN ? 1.0 / K
					      : 2.0 / K;
	return d->task_weight * task + (1 - d->task_weight) * r->step.scale * sum;
}

/* Largest error of a tensor's gradient, relative to its largest element. */
static double error_of(struct rig *r, real *data, const double *grad, int64_t n, int64_t stride)
{
	const double h = 1e-6;
	double worst = 0, scale = 1e-4;

	for (int64_t i = 0; i < n; i++)
		scale = fmax(scale, fabs(grad[i]));
	for (int64_t i = 0; i < n; i += stride) {
		double keep = data[i], up, down, e;

		data[i] = keep + h;
		up = loss_of(r);
		data[i] = keep - h;
		down = loss_of(r);
		data[i] = keep;
		e = fabs((up - down) / (2 * h) - grad[i]) / scale;
		if (!(e <= worst))
			worst = e;
	}
	return worst;
}

/* Of `some` elements, or all of them where some is 0. */
static double param_error(struct rig *r, const struct param *p, int64_t some)
{
	double *grad = malloc(p->count * sizeof(*grad)), worst;

	memcpy(grad, p->grad, p->count * sizeof(*grad));
	worst = error_of(r, p->data, grad, p->count,
		!some || p->count < some ? 1 : (p->count + some - 1) / some);
	free(grad);
	return worst;
}

static int all_finite(const double *x, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (!isfinite(x[i]))
			return 0;
	return 1;
}

static void check(const struct variant *v)
{
	const char *worst_name = "";
	double worst = 0, loss, together, *image;
	struct model *m;
	struct rig r;

	if (!ok(!open_rig(&r, v), "%s builds", v->settings)) {
		diag("%s", error_message());
		return;
	}
	m = r.student->model;
	together = loss_of(&r);
	tensor_get(r.p, r.o.loss, &loss);
	near(together, loss, 1e-12, "the loss is what its parts say");
	program_backward(r.p, &r.step);
	image = malloc(r.image->count * sizeof(*image));
	memcpy(image, r.image->grad, r.image->count * sizeof(*image));
	ok(isfinite(loss) && all_finite(m->grad, m->size), "loss and gradients are finite");
	for (int i = 0; i < m->count; i++) {
		const struct param *p = m->params[i];
		double e;

		if (p->flags & (PARAM_BUFFER | PARAM_FROZEN))
			continue;
		e = param_error(&r, p, v->every ? 0 : v->vmamba || v->mambaout ? 2 : 5);
		if (!(e <= worst)) {
			worst = e;
			worst_name = p->name;
		}
	}
	if (!ok(worst <= 3e-5, "%s%s%s%s, teacher %lld / %lld: gradients of all parameters",
		    v->settings,
		    v->deit	  ? " deit"
		    : v->vim	  ? " vim"
		    : v->vmamba	  ? " vmamba"
		    : v->mambaout ? " mambaout"
		    : v->video	  ? " videomamba"
				  : "",
		    v->scan_order ? " scan order" : "", v->no_mlp ? " no mlp" : "",
		    (long long)v->teacher_dim, (long long)(16 / v->teacher_patch)))
		diag("%s: error %g", worst_name, worst);
	ok(error_of(&r, r.image->data, image, r.image->count, 31) <= 1e-5,
		"the image's gradient, through the teacher too");
	free(image);
	close_rig(&r);
}

static const struct variant variants[] = {
	{"method=task", 6, 4, .every = 1},
	{"method=task", 6, 4, .every = 1, .scan_order = 1},
	{"method=task", 6, 4, .every = 1, .deit = 1},
	{"method=task", 6, 4, .no_mlp = 1},
	{"method=task", 6, 4, .deit = 2},
	{"method=wsab target=cls", 10, 2, .deit = 2},
	{"method=logits", 10, 2, .deit = 2},
	{"method=logits", 10, 2},
	{"method=logits kd_temperature=5 task_weight=0.2", 10, 4, .deit = 1},
	{"method=rc kd_temperature=2", 6, 4},
	{"method=rc rc_last=7", 6, 2, .deit = 1},
	{"method=feature feature_loss=rc", 10, 4},
	{"method=feature feature_loss=rc", 6, 4},
	{"method=feature feature_loss=cos", 10, 4},
	{"method=feature feature_loss=cos calib_share=layer", 10, 2},
	{"method=feature feature_loss=l1", 10, 4},
	{"method=feature feature_loss=l2 calib=none", 6, 4},
	{"method=feature feature_loss=l2", 10, 8},
	{"method=wsab weights_stopgrad=off", 10, 4, .every = 1},
	{"method=wsab", 10, 4},
	{"method=wsab", 10, 2, .scan_order = 1},
	{"method=wsab", 10, 8},
	{"method=wsab", 10, 4, .no_mlp = 1},
	{"method=wsab", 10, 4, .deit = 1},
	{"method=wsab", 10, 8, .deit = 1},
	{"method=wsab adapt_mode=neg_sm tau=0.5 weights_stopgrad=off", 10, 4},
	{"method=wsab adapt_mode=neg_sm tau=0.5", 10, 4},
	{"method=wsab adapt_mode=inv_sm tau=0.5 weights_stopgrad=off", 10, 4},
	{"method=wsab adapt_mode=inv_sm tau=0.5", 10, 4},
	{"method=wsab adapt_mode=ratio_raw weights_stopgrad=off", 10, 4},
	{"method=wsab adapt_mode=ratio_raw", 10, 4},
	{"method=wsab adapt_mode=uniform", 10, 4},
	{"method=wsab adapt_mode=fixed_i", 10, 4},
	{"method=wsab sim=flattened", 10, 4},
	{"method=wsab sim=flattened calib=none", 6, 4},
	{"method=wsab sim=flattened tap=stream calib=none", 6, 2},
	{"method=wsab sim=pooled", 10, 2},
	{"method=wsab sim=pooled tap=stream calib=none", 6, 4},
	{"method=wsab target=prenorm", 10, 4},
	{"method=wsab target=cls", 10, 4},
	{"method=wsab target=cls directions=merged", 10, 2},
	{"method=wsab tap=branch", 10, 4},
	{"method=wsab tap=branch directions=merged", 10, 4},
	{"method=wsab tap=inner", 10, 4},
	{"method=wsab tap=inner directions=merged calib_form=mlp2", 10, 8},
	{"method=wsab tap=stream", 10, 4},
	{"method=wsab directions=merged", 10, 4},
	{"method=wsab dir_reduce=sum", 10, 4},
	{"method=wsab dir_reduce=mean", 10, 4},
	{"method=wsab calib_form=mlp2", 10, 4},
	{"method=wsab calib_form=mlp2 calib_share=layer", 4, 4},
	{"method=wsab calib_share=layer", 10, 4},
	{"method=wsab calib_teacher=standardise", 10, 2},
	{"method=wsab calib_teacher=frozen", 10, 4},
	{"method=wsab calib_standardise=off task_weight=0.9", 10, 4},
	{"method=wsab calib=before", 10, 4},
	{"method=wsab calib=joint", 6, 4},
	{"method=task", 6, 4, .every = 1, .vim = 1},
	{"method=task", 6, 4, .every = 1, .vim = 1, .no_mlp = 1},
	{"method=logits", 10, 2, .vim = 1},
	{"method=rc rc_last=2", 6, 4, .vim = 1},
	{"method=feature feature_loss=rc", 10, 4, .vim = 1},
	{"method=feature feature_loss=cos", 10, 4, .vim = 1},
	{"method=feature feature_loss=l1", 10, 2, .vim = 1},
	{"method=feature feature_loss=l2", 10, 8, .vim = 2},
	{"method=wsab weights_stopgrad=off", 10, 4, .every = 1, .vim = 1},
	{"method=wsab", 10, 4, .vim = 1, .no_mlp = 1},
	{"method=wsab", 10, 4, .vim = 2},
	{"method=wsab", 10, 2, .vim = 1},
	{"method=wsab", 10, 8, .vim = 1},
	{"method=wsab", 10, 4, .vim = 3},
	{"method=wsab", 10, 2, .vim = 3},
	{"method=wsab sim=pooled", 10, 4, .vim = 1},
	{"method=wsab sim=flattened", 10, 8, .vim = 1},
	{"method=wsab target=cls", 10, 4, .vim = 1},
	{"method=wsab target=prenorm tap=branch", 10, 4, .vim = 1},
	{"method=wsab tap=inner", 10, 8, .vim = 1},
	{"method=wsab tap=stream", 10, 4, .vim = 1},
	{"method=wsab tap=stream", 10, 8, .vim = 1},
	{"method=wsab directions=merged", 10, 8, .vim = 1},
	{"method=wsab dir_reduce=mean", 10, 4, .vim = 1},
	{"method=task", 6, 4, .every = 1, .video = 1},
	{"method=task", 6, 4, .every = 1, .video = 1, .no_mlp = 1},
	{"method=task", 6, 4, .every = 1, .video = 2},
	{"method=task", 6, 4, .video = 3, .no_mlp = 1},
	{"method=logits", 10, 2, .video = 1},
	{"method=rc rc_last=2", 6, 4, .video = 1},
	{"method=feature feature_loss=cos", 10, 4, .video = 1},
	{"method=wsab weights_stopgrad=off", 10, 4, .every = 1, .video = 1},
	{"method=wsab", 10, 2, .video = 1, .no_mlp = 1},
	{"method=wsab", 10, 8, .video = 1},
	{"method=wsab sim=pooled", 10, 4, .video = 1},
	{"method=wsab target=cls", 10, 4, .video = 1},
	{"method=wsab target=prenorm tap=branch", 10, 4, .video = 1},
	{"method=wsab tap=inner directions=merged", 10, 8, .video = 1},
	{"method=wsab tap=stream", 10, 4, .video = 1},
	{"method=task", 6, 4, .mambaout = 1},
	{"method=task", 6, 4, .mambaout = 1, .no_mlp = 1},
	{"method=feature feature_loss=rc", 10, 4, .mambaout = 1},
	{"method=wsab", 10, 4, .mambaout = 1},
	{"method=wsab tap=branch", 10, 2, .mambaout = 1},
	{"method=task", 6, 4, .vmamba = 1},
	{"method=task", 6, 4, .vmamba = 2},
	{"method=task", 6, 4, .vmamba = 2, .no_mlp = 1},
	{"method=logits", 10, 4, .vmamba = 1},
	{"method=feature feature_loss=rc", 10, 4, .vmamba = 1},
	{"method=feature feature_loss=rc", 16, 4, .vmamba = 2},
	{"method=feature feature_loss=cos", 10, 4, .vmamba = 1},
	{"method=feature feature_loss=l1 calib_share=layer", 10, 2, .vmamba = 2},
	{"method=feature feature_loss=l2 calib=none", 16, 8, .vmamba = 1},
	{"method=wsab weights_stopgrad=off", 10, 4, .vmamba = 1},
	{"method=wsab", 10, 4, .vmamba = 1, .no_mlp = 1},
	{"method=wsab", 10, 2, .vmamba = 1},
	{"method=wsab", 4, 8, .vmamba = 2},
	{"method=wsab sim=pooled", 10, 4, .vmamba = 1},
	{"method=wsab sim=flattened", 10, 4, .vmamba = 2},
	{"method=wsab target=cls", 10, 4, .vmamba = 1},
	{"method=wsab target=prenorm tap=branch", 10, 4, .vmamba = 1},
	{"method=wsab tap=inner", 10, 4, .vmamba = 1},
	{"method=wsab tap=inner calib_share=layer calib_form=mlp2", 10, 4, .vmamba = 2},
	{"method=wsab tap=stream", 10, 4, .vmamba = 2},
	{"method=wsab directions=merged", 10, 4, .vmamba = 1},
	{"method=wsab calib_form=mlp2", 10, 4, .vmamba = 1},
	{"method=wsab calib_teacher=standardise dir_reduce=sum", 10, 2, .vmamba = 2},
};

/* Tensor `name` of a program over n's own parameters, without a loss. */
static void taps_of(struct network *n, const struct network_want *want, const double *image,
	double *taps, double *logits)
{
	struct program *p = program_new(PROGRAM_EVAL);
	int64_t S = n->config.image;
	tensor x = program_input(p, "image", TYPE_REAL, 4, (int64_t[]){B, S, S, 3});
	struct step step = {.divisor = 1, .scale = 1};
	struct network_out out;
	void *block;

	network_build(n, p, x, want, &out);
	program_keep(p, out.taps[1], "tap");
	program_keep(p, out.logits, "logits");
	program_plan(p, device_cpu());
	block = malloc(program_bytes(p));
	program_bind(p, block);
	tensor_put(p, x, image);
	program_forward(p, &step);
	tensor_get(p, out.taps[1], taps);
	tensor_get(p, out.logits, logits);
	program_free(p);
	free(block);
}

/*
 * x + K o_k averaged over k is the block's output, where no MLP follows; merged taps are means;
 * branches add up to what the block adds.
 */
static void check_taps(struct network_config c)
{
	enum { C = 6, MOST = 17, ONE = B * MOST * C };
	static double image[B * 16 * 16 * 3], resid[4 * ONE], merged[ONE], stream[ONE],
		branch[4 * ONE];
	double logits[4][B * 5], worst[4] = {0};
	int K = (int)network_directions(&c), L = 16 + (int)network_extra_tokens(&c);
	struct network_want want = {.tap = TAP_RESID};
	struct network *n;

	network_add_mlp(&c, 0);
	network_new(&n, &c, NULL);
	model_allocate(n->model, device_cpu(), 0);
	micro_fill(n->model);
	for (int i = 0; i < B * 16 * 16 * 3; i++)
		image[i] = micro_random();
	taps_of(n, &want, image, resid, logits[0]);
	want.merged = 1;
	taps_of(n, &want, image, merged, logits[1]);
	want = (struct network_want){.tap = TAP_STREAM};
	taps_of(n, &want, image, stream, logits[2]);
	want = (struct network_want){.tap = TAP_BRANCH};
	taps_of(n, &want, image, branch, logits[3]);
	for (int b = 0; b < B; b++)
		for (int i = 0; i < L * C; i++) {
			double sum = 0, all = 0, first = resid[b * K * L * C + i];

			for (int k = 0; k < K; k++) {
				sum += resid[(b * K + k) * L * C + i] / K;
				all += branch[(b * K + k) * L * C + i];
			}
			first -= K * branch[b * K * L * C + i];
			worst[0] = fmax(worst[0], fabs(sum - stream[b * L * C + i]));
			worst[1] = fmax(worst[1], fabs(sum - merged[b * L * C + i]));
			worst[2] = fmax(worst[2], fabs(first + all - stream[b * L * C + i]));
		}
	for (int i = 0; i < 3 * B * 5; i++)
		worst[3] = fmax(worst[3],
			fabs(logits[0][i % (B * 5)] - logits[1 + i / (B * 5)][i % (B * 5)]));
	ok(worst[0] <= 1e-12, "%s: the mean of the residual taps is the block's output", c.arch);
	ok(worst[1] <= 1e-12, "merged is the mean over directions");
	ok(worst[2] <= 1e-12, "the branches add up to what the block adds");
	ok(worst[3] <= 1e-12, "taps do not change the logits");
	network_free(n);
}

/* A frozen teacher inside a training program: no drop path, running statistics. */
static void check_teacher_mode(void)
{
	struct variant v = {"method=wsab", 10, 4};
	double tokens[2];
	struct rig r;

	for (int i = 0; i < 2; i++) {
		struct network_want want = {0};
		struct network_out y;
		struct program *p;
		tensor x;
		void *block;

		open_rig(&r, &v);
		r.teacher->config.drop_path = i ? 0.9 : 0;
		p = program_new(PROGRAM_TRAIN);
		x = program_input(p, "image", TYPE_REAL, 4, (int64_t[]){B, 16, 16, 3});
		program_set_mode(p, PROGRAM_EVAL);
		network_build(r.teacher, p, x, &want, &y);
		program_set_mode(p, PROGRAM_TRAIN);
		program_keep(p, y.tokens, "tokens");
		program_plan(p, device_cpu());
		block = malloc(program_bytes(p));
		program_bind(p, block);
		tensor_put(p, x, r.image->data);
		program_forward(p, &r.step);
		tokens[i] = ((double *)y.tokens->data)[17];
		program_free(p);
		free(block);
		close_rig(&r);
	}
	ok(tokens[0] == tokens[1], "a teacher's own drop path is off in a student's program");
}

static struct network_config along_scan(struct network_config c)
{
	c.scan_order = 1;
	return c;
}

int main(void)
{
	omp_set_num_threads(1); /* the work of a call is too small to share */
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
		check(&variants[i]);
	check_taps(micro_plainmamba(6));
	check_taps(along_scan(micro_plainmamba(6)));
	check_taps(micro_vim(6));
	check_taps(micro_videomamba(6, 0));
	check_teacher_mode();
	return done();
}
