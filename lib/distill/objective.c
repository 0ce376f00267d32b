#include "lib/distill/objective.h"
#include "lib/base/error.h"

#include <string.h>

/* The n tokens of the grid, of a sequence with class tokens from `at` on. */
static tensor grid_of(struct program *p, tensor x, int64_t extra, int64_t at, int64_t n)
{
	if (!extra)
		return x;
	if (!at)
		return slice_tokens(p, x, extra, n);
	return concat_tokens(p, 2,
		(tensor[]){slice_tokens(p, x, 0, at), slice_tokens(p, x, at + extra, n - at)}, 1);
}

/* The grid (B, n, C) with the class token (B, 1, C) in the middle: as ViM has it. */
static tensor with_class(struct program *p, tensor grid, tensor cls)
{
	int64_t n = grid->shape[1], at = n / 2;

	if (!at)
		return concat_tokens(p, 2, (tensor[]){cls, grid}, 1);
	return concat_tokens(p, 3,
		(tensor[]){slice_tokens(p, grid, 0, at), cls, slice_tokens(p, grid, at, n - at)},
		1);
}

/* ViM's class token is compared with the teacher's. */
static int pairs_class(const struct network_config *student, const struct teacher_out *t)
{
	return student->family == NETWORK_VIM && t->extra > 0;
}

/* The teacher's (B, 1, C) class token. */
static tensor teacher_class(struct program *p, const struct teacher_out *t)
{
	return slice_tokens(p, t->tokens, t->at, 1);
}

/*
 * Teacher tokens of the grid that is compared with a layer: a finer grid pooled, class tokens
 * dropped, or the first of them where the student has its own.
 */
static tensor teacher_grid(struct program *p, const struct teacher_out *t,
	const struct network_config *student, int layer)
{
	tensor v = grid_of(p, t->tokens, t->extra, t->at, t->grid * t->grid);
	int64_t side = network_layer_grid(student, layer);

	if (t->grid > side)
		v = pool_tokens(p, v, t->grid, t->grid, t->grid / side);
	return pairs_class(student, t) ? with_class(p, v, teacher_class(p, t)) : v;
}

/*
 * A layer's features (B, K, L, C) or (B, L, C) of the same tokens in the same places: pooled to the
 * teacher's grid where that is coarser.
 */
static tensor student_grid(struct program *p, tensor s, const struct teacher_out *t,
	const struct network_config *c, int layer)
{
	int64_t grid = network_layer_grid(c, layer), extra = network_extra_tokens(c);
	int64_t shape[TENSOR_DIMS];
	int64_t at = network_class_index(c), L = grid * grid + extra, C = tensor_last(s);
	int pairs = pairs_class(c, t), finer = grid > t->grid, dims = s->dims;
	tensor g;

	if (!extra)
		return finer ? pool_tokens(p, s, grid, grid, grid / t->grid) : s;
	if (pairs && !finer)
		return s;
	memcpy(shape, s->shape, sizeof(shape));
	s = program_reshape(p, s, 3, (int64_t[]){s->count / L / C, L, C});
	g = grid_of(p, s, extra, at, grid * grid);
	if (finer)
		g = pool_tokens(p, g, grid, grid, grid / t->grid);
	if (pairs)
		g = with_class(p, g, slice_tokens(p, s, at, 1));
	shape[dims - 2] = g->shape[1];
	return program_reshape(p, g, dims, shape);
}

/* Mean over tokens of (B, K, L, C) or (B, L, C), as (B, K, 1, C) or (B, 1, C). */
static tensor pool_all(struct program *p, tensor s)
{
	int64_t shape[TENSOR_DIMS], C = tensor_last(s), L = s->shape[s->dims - 2];
	int dims = s->dims;

	memcpy(shape, s->shape, sizeof(shape));
	shape[dims - 2] = 1;
	s = mean_tokens(p, program_reshape(p, s, 3, (int64_t[]){s->count / L / C, L, C}));
	return program_reshape(p, s, dims, shape);
}

static tensor flatten(struct program *p, tensor s)
{
	int64_t shape[TENSOR_DIMS];

	memcpy(shape, s->shape, sizeof(shape));
	shape[s->dims - 1] *= shape[s->dims - 2];
	shape[s->dims - 2] = 1;
	return program_reshape(p, s, s->dims, shape);
}

/* What features of a layer are compared with. */
static tensor target_of(struct program *p, const struct distill_settings *s,
	const struct network_config *student, int layer, const struct teacher_out *t,
	struct calibration *c)
{
	tensor v;

	if (s->target == TARGET_CLS)
		return calibration_teacher(c, p, teacher_class(p, t));
	v = calibration_teacher(c, p, teacher_grid(p, t, student, layer));
	if (s->similarity == SIMILARITY_POOLED)
		return pool_all(p, v);
	return s->similarity == SIMILARITY_FLATTENED ? flatten(p, v) : v;
}

/* Calibrated features of layer i, shaped for the comparison. */
static tensor feature_of(struct program *p, const struct distill_settings *s,
	const struct network_config *student, const struct teacher_out *t, struct calibration *c,
	tensor tap, int layer)
{
	tensor u = calibration_apply(c, p, student_grid(p, tap, t, student, layer), layer);

	if (s->target == TARGET_CLS || s->similarity == SIMILARITY_POOLED)
		return pool_all(p, u);
	return s->similarity == SIMILARITY_FLATTENED ? flatten(p, u) : u;
}

static real direction_factor(const struct distill_settings *s, int64_t K, int64_t directions)
{
	if (directions == 1 && K == 1)
		return 1; /* a single scan */
	if (s->merged || K == 1)
		return 2; /* one tap stands for all */
	return s->dir_reduce == REDUCE_SUM ? 1 : (s->dir_reduce == REDUCE_MEAN ? 1 : 2) / (real)K;
}

static tensor wsab(struct objective *o, struct program *p, const struct distill_settings *s,
	const struct network_config *student, const struct network_out *out,
	const struct teacher_out *t, struct calibration *c)
{
	tensor v = target_of(p, s, student, 0, t, c), cosines[NETWORK_LAYERS], loss;
	struct adapt_settings a = {.mode = s->adapt_mode,
		.tau = (real)s->tau,
		.eps = (real)s->eps_c,
		.stop_gradient = s->weights_stopgrad};
	int n = (int)student->depth;
	int64_t directions = 1;

	if (n < 1)
		return program_refuse(p, "%s: no layer to distil into", student->arch);
	for (int i = 0; i < n; i++) {
		program_scope(p, "calibration.%d", i);
		if (i && network_layer_grid(student, i) != network_layer_grid(student, i - 1))
			v = target_of(p, s, student, i, t, c);
		cosines[i] = cosine(p, feature_of(p, s, student, t, c, out->taps[i], i), v);
		directions = cosines[i]->count;
	}
	program_scope(p, "distillation");
	a.factor = direction_factor(s, directions, network_directions(student));
	loss = adapt(p, &a, n, cosines, &o->weights, &o->cosines);
	if (program_failed(p))
		return loss;
	program_keep(p, o->weights, "weights");
	program_keep(p, o->cosines, "cosines");
	o->layers = n;
	o->directions = (int)directions;
	return shard_part(p, loss);
}

/* H_T(g(f_S), f_T) between the pooled student feature and the teacher's class token. */
static tensor pooled_rc(struct program *p, const struct distill_settings *s,
	const struct network_config *student, const struct network_out *out,
	const struct teacher_out *t, struct calibration *c)
{
	tensor f = teacher_class(p, t), u = out->pooled;

	f = program_reshape(p, f, 2, (int64_t[]){f->shape[0], tensor_last(f)});
	if (c && network_out_dim(student) != c->teacher_dim)
		u = calibration_apply(c, p, u, (int)student->depth - 1);
	return channel_ce(p, u, f, (real)s->kd_temperature);
}

static tensor feature(struct program *p, const struct distill_settings *s,
	const struct network_config *student, const struct network_out *out,
	const struct teacher_out *t, struct calibration *c)
{
	int last = (int)student->depth - 1;
	tensor u, v;

	program_scope(p, "distillation");
	if (s->feature_loss == FEATURE_RC)
		return pooled_rc(p, s, student, out, t, c);
	v = calibration_teacher(c, p, teacher_grid(p, t, student, last));
	u = calibration_apply(c, p, student_grid(p, out->last, t, student, last), last);
	if (s->feature_loss != FEATURE_COS)
		return s->feature_loss == FEATURE_L1 ? l1_tokens(p, u, v) : l2_tokens(p, u, v);
	/* 1 - cosine, through the uniform weight of one layer */
	u = cosine(p, u, v);
	return shard_part(p, adapt(p,
				     &(struct adapt_settings){.mode = ADAPT_UNIFORM,
					     .tau = 1,
					     .eps = 1,
					     .stop_gradient = 1,
					     .factor = 1},
				     1, &u, &v, &v));
}

/* 120 H_T(f_S, f_T) + sum of i H_T(p_i, f_T). */
static tensor rc(struct program *p, const struct distill_settings *s,
	const struct network_config *student, const struct network_out *out,
	const struct teacher_out *t)
{
	tensor f = teacher_class(p, t), terms[NETWORK_LAYERS];
	real T = (real)s->kd_temperature, coefs[NETWORK_LAYERS];
	int n = (int)student->depth;

	program_scope(p, "distillation");
	f = program_reshape(p, f, 2, (int64_t[]){f->shape[0], tensor_last(f)});
	for (int i = 0; i < n - 1; i++) {
		terms[i] = channel_ce(p, out->means[i], f, T);
		coefs[i] = (real)(i + 1);
	}
	terms[n - 1] = channel_ce(p, out->pooled, f, T);
	coefs[n - 1] = (real)s->rc_last;
	return weighted_sum(p, n, terms, coefs);
}

static tensor distill_term(struct objective *o, const struct distill_settings *s, struct program *p,
	const struct network_config *student, const struct network_out *out,
	const struct teacher_out *t, struct calibration *c)
{
	switch (s->method) {
	case METHOD_WSAB:
		return wsab(o, p, s, student, out, t, c);
	case METHOD_FEATURE:
		return feature(p, s, student, out, t, c);
	case METHOD_LOGITS:
		return kl_logits(p, out->logits, t->logits, (real)s->kd_temperature);
	case METHOD_RC:
		return rc(p, s, student, out, t);
	case METHOD_TASK:
		break;
	}
	return NULL;
}

/* Both of the losses taken from the released code add to the task with weight 1. */
static int mixes(const struct distill_settings *s)
{
	return !(s->method == METHOD_RC ||
		 (s->method == METHOD_FEATURE && s->feature_loss == FEATURE_RC));
}

void objective_build(struct objective *o, const struct distill_settings *s, struct program *p,
	const struct network_config *student, const struct network_out *out,
	const struct teacher_out *teacher, struct calibration *c, tensor target)
{
	real a = mixes(s) ? (real)s->task_weight : 1, b = mixes(s) ? 1 - (real)s->task_weight : 1;

	memset(o, 0, sizeof(*o));
	program_scope(p, "task");
	o->task = program_keep(p, cross_entropy(p, out->logits, target), "task");
	o->loss = o->task;
	if (s->method != METHOD_TASK) {
		o->distill = distill_term(o, s, p, student, out, teacher, c);
		program_keep(p, o->distill, "distill");
		o->loss = weighted_sum(p, 2, (tensor[]){o->task, o->distill}, (real[]){a, b});
	}
	program_loss(p, program_keep(p, o->loss, "loss"));
	program_scope(p, "%s", "");
}

void objective_build_distill(struct objective *o, const struct distill_settings *s,
	struct program *p, const struct network_config *student, const struct network_out *out,
	const struct teacher_out *teacher, struct calibration *c)
{
	memset(o, 0, sizeof(*o));
	o->distill = distill_term(o, s, p, student, out, teacher, c);
	o->loss = program_keep(p, o->distill, "loss");
	program_loss(p, o->loss);
	program_scope(p, "%s", "");
}

/* Layers whose tokens the loss compares with the teacher's: from here to the last. */
static int64_t first_compared(
	const struct distill_settings *s, const struct network_config *student)
{
	return s->method == METHOD_WSAB ? 0 : student->depth - 1;
}

/* Whether features meet the teacher's without a map that makes them as wide. */
static int as_they_are(const struct distill_settings *s)
{
	return s->method == METHOD_RC || !distill_wants_map(s);
}

static int check_widths(
	const struct distill_settings *s, const struct network_config *student, int64_t teacher_dim)
{
	int64_t first = s->method == METHOD_RC ? 0 : first_compared(s, student);

	for (int64_t i = first; i < student->depth && as_they_are(s); i++) {
		int64_t dim = network_layer_dim(student, i);

		if (dim == teacher_dim)
			continue;
		if (s->method == METHOD_WSAB)
			return error(STATUS_DATA,
				"calib=none: the teacher is %lld wide, the student %lld: they need "
				"a map",
				(long long)teacher_dim, (long long)dim);
		return error(STATUS_DATA,
			"method=%s compares features as they are: the teacher is %lld wide, the "
			"student %lld: use wsab or feature with calibration, or equal widths",
			s->method == METHOD_RC ? "rc" : "feature", (long long)teacher_dim,
			(long long)dim);
	}
	return 0;
}

static int check_grids(const struct distill_settings *s, const struct network_config *student,
	int64_t teacher_grid_side)
{
	for (int64_t i = first_compared(s, student); i < student->depth; i++) {
		int64_t grid = network_layer_grid(student, i);
		int64_t big = grid > teacher_grid_side ? grid : teacher_grid_side;
		int64_t small = grid > teacher_grid_side ? teacher_grid_side : grid;

		if (small < 1 || big % small)
			return error(STATUS_DATA,
				"the grids of teacher (%lld) and student (%lld) must divide each "
				"other",
				(long long)teacher_grid_side, (long long)grid);
	}
	return 0;
}

int objective_check(const struct distill_settings *s, const struct network_config *student,
	int64_t teacher_dim, int64_t teacher_grid_side, int64_t teacher_extra,
	int64_t teacher_classes)
{
	if (s->method == METHOD_TASK)
		return 0;
	if (s->method == METHOD_LOGITS && teacher_classes != student->classes)
		return error(STATUS_DATA,
			"method=logits: the teacher has %lld classes, the student %lld",
			(long long)teacher_classes, (long long)student->classes);
	if (s->method == METHOD_LOGITS)
		return 0;
	TRY(check_widths(s, student, teacher_dim));
	if ((s->method == METHOD_RC || s->target == TARGET_CLS ||
		    (s->method == METHOD_FEATURE && s->feature_loss == FEATURE_RC)) &&
		teacher_extra < 1)
		return error(STATUS_DATA, "this loss needs a teacher with a class token");
	return check_grids(s, student, teacher_grid_side);
}
