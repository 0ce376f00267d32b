/* Building a trainer: networks, programs, memory. The step itself is in trainer_step.c. */
#include "lib/train/trainer.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/language.h"

#include <stdlib.h>
#include <string.h>

static int64_t shard_size(const struct trainer *t)
{
	return t->in.settings->train.batch / t->in.settings->train.shards;
}

static int teacher_config(const struct trainer *t, struct network_config *c)
{
	if (t->in.teacher)
		*c = t->in.teacher->config;
	else if (t->in.features)
		*c = t->in.features->teacher;
	else
		return 0;
	return 1;
}

static int check(const struct trainer *t)
{
	const struct settings *s = t->in.settings;
	int64_t shards = s->train.shards;
	struct network_config teacher;

	if (shards & (shards - 1) || s->train.batch % shards)
		return error(STATUS_USAGE,
			"shards = %lld: a power of two that divides the batch of %lld is wanted",
			(long long)shards, (long long)s->train.batch);
	if (s->augment.size && s->augment.size != t->in.student.image)
		return error(STATUS_USAGE, "size = %lld: the network takes views of %lld pixels",
			(long long)s->augment.size, (long long)t->in.student.image);
	if (features_mixing(s) && shard_size(t) % 2)
		return error(STATUS_USAGE,
			"mixup and cutmix pair the images of a shard: %lld is odd",
			(long long)shard_size(t));
	if (s->distill.method == METHOD_TASK)
		return 0;
	if (!teacher_config(t, &teacher))
		return error(STATUS_USAGE, "this method needs --teacher or --features");
	if (t->in.teacher && teacher.image != t->in.student.image)
		return error(STATUS_DATA, "the teacher takes %lld pixels, the student %lld",
			(long long)teacher.image, (long long)t->in.student.image);
	return objective_check(&s->distill, &t->in.student, teacher.dim, network_grid(&teacher),
		network_extra_tokens(&teacher), teacher.classes);
}

static int make_networks(struct trainer *t)
{
	const struct distill_settings *s = &t->in.settings->distill;
	struct network_config student = t->in.student, teacher;
	int64_t dims[NETWORK_LAYERS];

	student.drop_path = t->in.settings->train.drop_path;
	student.decay_all = t->in.settings->train.decay_all;
	if (network_reads_tokens(&student))
		return error(STATUS_DATA, "%s reads tokens, not pictures", student.arch);
	TRY(network_new(&t->student, &student, NULL));
	t->model = t->student->model;
	distill_tap_dims(s, &student, dims);
	if (distill_wants_map(s) && teacher_config(t, &teacher))
		TRY(calibration_new(&t->map, s, t->model, dims, teacher.dim, student.depth));
	if (t->in.map_only)
		model_freeze(t->model, 0, 1);
	if (t->map && s->calib == CALIB_BEFORE && !t->in.map_only)
		model_freeze(t->model, GROUP_MAP, 1);
	return 0;
}

/* The teacher's part of the program: its calls, or inputs that a features file fills. */
static void build_teacher(struct trainer *t, tensor image, struct teacher_out *out)
{
	const struct distill_settings *s = &t->in.settings->distill;
	int tokens = distill_wants_tokens(s), logits = distill_wants_logits(s);
	struct network_want want = {.no_head = !logits};
	struct program *p = t->train;
	struct network_config c;
	struct network_out y;

	memset(out, 0, sizeof(*out));
	if (s->method == METHOD_TASK || !teacher_config(t, &c))
		return;
	out->extra = network_extra_tokens(&c);
	out->at = t->teacher_class = network_class_index(&c);
	out->grid = t->teacher_grid = network_grid(&c);
	if (t->in.teacher) {
		enum program_mode mode = program_mode(p);

		program_set_mode(p, PROGRAM_EVAL);
		network_build(t->in.teacher, p, image, &want, &y);
		program_set_mode(p, mode);
		out->tokens = s->target == TARGET_PRENORM ? y.last : y.tokens;
		out->logits = y.logits;
		if (t->in.map_only && out->tokens && s->calib_teacher == TEACHER_FROZEN)
			program_keep(p, out->tokens, "teacher tokens");
		return;
	}
	if (tokens)
		out->tokens = t->tokens = program_input(p, "teacher tokens", TYPE_REAL, 3,
			(int64_t[]){shard_size(t), out->extra + out->grid * out->grid, c.dim});
	if (logits)
		out->logits = t->logits = program_input(
			p, "teacher logits", TYPE_REAL, 2, (int64_t[]){shard_size(t), c.classes});
}

static int build_train(struct trainer *t)
{
	const struct settings *s = t->in.settings;
	int64_t b = shard_size(t);
	struct network_want want = distill_want(&s->distill);
	struct network_out out;
	struct teacher_out teacher;
	struct program *p;
	tensor image, target;

	p = t->train = program_new(t->in.map_only ? PROGRAM_FROZEN : PROGRAM_TRAIN);
	if (!p)
		return STATUS_SYSTEM;
	program_set_half(p, t->in.device->half);
	image = input_pixels(p, &t->student->config, b, t->in.clips, &t->pixels);
	t->labels = program_input(p, "labels", TYPE_I32, 1, &b);
	build_teacher(t, image, &teacher);
	want.no_head = t->in.map_only;
	network_build(t->student, p, image, &want, &out);
	if (program_failed(p))
		return program_plan(p, t->in.device);
	if (t->in.map_only) {
		objective_build_distill(
			&t->objective, &s->distill, p, &t->student->config, &out, &teacher, t->map);
	} else {
		target = soft_target(
			p, t->labels, t->student->config.classes, (real)s->train.smoothing, b);
		objective_build(&t->objective, &s->distill, p, &t->student->config, &out, &teacher,
			t->map, target);
	}
	t->erase = program_find(p, "erase");
	t->mix = program_find(p, "mix");
	return program_plan(p, t->in.device);
}

int trainer_new(struct trainer **out, const struct trainer_inputs *in)
{
	struct trainer *t = memory_new(1, sizeof(*t));
	int status;

	*out = NULL;
	if (!t)
		return STATUS_SYSTEM;
	t->in = *in;
	t->failed = -1;
	status = check(t);
	if (!status)
		status = make_networks(t);
	if (!status)
		status = build_train(t);
	if (!status && in->evaluates)
		status = evaluator_new(&t->evaluator, t->student, in->settings->train.eval_batch,
			in->clips, in->device);
	if (status) {
		trainer_free(t);
		return status;
	}
	t->block_bytes = program_bytes(t->train);
	if (t->evaluator && evaluator_bytes(t->evaluator) > t->block_bytes)
		t->block_bytes = evaluator_bytes(t->evaluator);
	*out = t;
	return 0;
}

void trainer_batches(const struct trainer *t, int workers, struct batches_settings *b)
{
	const struct settings *s = t->in.settings;

	*b = (struct batches_settings){.augment = s->augment,
		.train = 1,
		.shuffle = 1,
		.batch = s->train.batch,
		.shards = s->train.shards,
		.repeats = s->train.repeat_aug,
		.limit = s->train.limit,
		.first = s->train.first,
		.views = s->train.views,
		.seed = t->in.seed,
		.workers = workers};
	b->augment.size = t->student->config.image;
}

int trainer_levels(const struct trainer *t)
{
	int n = 0;

	while ((int64_t)1 << n < t->in.settings->train.shards)
		n++;
	return n;
}

static size_t sums_bytes(const struct trainer *t)
{
	return (size_t)(t->model->size + t->model->buffer_size) * sizeof(real);
}

void trainer_memory(const struct trainer *t, struct memory_part parts[TRAINER_PARTS])
{
	size_t parameters = model_bytes(t->model, t->in.device, 0);
	int moments = t->in.settings->train.optimizer == OPTIMIZER_ADAMW ? 2 : 1;
	int levels = trainer_levels(t);
	struct program_memory train;

	program_memory(t->train, &train);
	const struct memory_part all[TRAINER_PARTS] = {{"parameters", parameters},
		{"gradients", model_bytes(t->model, t->in.device, 1) - parameters},
		{"optimiser", moments * t->model->size * sizeof(real)},
		{"activations", t->block_bytes}, {"inputs", train.inputs},
		{"teacher", t->in.teacher ? model_bytes(t->in.teacher->model, t->in.device, 0) : 0},
		{"shards", levels ? (levels + 1) * sums_bytes(t) : 0}};

	memcpy(parts, all, sizeof(all));
}

/* Host room for what comes back from a shard. */
static int allocate_reports(struct trainer *t)
{
	int64_t n = 3 + 2 * (int64_t)t->objective.layers * t->objective.directions;

	t->report = memory_new(n, sizeof(*t->report));
	t->report_tree = memory_new(n * TRAINER_LEVELS, sizeof(*t->report_tree));
	if (t->tokens)
		t->host_tokens = memory_new(t->tokens->count, sizeof(real));
	if (t->logits)
		t->host_logits = memory_new(t->logits->count, sizeof(real));
	return t->report && t->report_tree && (!t->tokens || t->host_tokens) &&
			       (!t->logits || t->host_logits)
		       ? 0
		       : STATUS_SYSTEM;
}

int trainer_allocate(struct trainer *t)
{
	const struct device *d = t->in.device;
	int adam = t->in.settings->train.optimizer == OPTIMIZER_ADAMW;
	size_t moment = t->model->size * sizeof(real);

	TRY(model_allocate(t->model, d, 1));
	t->block = d->alloc(t->block_bytes);
	t->moment1 = d->alloc(moment);
	t->moment2 = adam ? d->alloc(moment) : NULL;
	t->loss = d->alloc(sizeof(real));
	t->sticky = d->alloc(sizeof(real));
	if (!t->block || !t->moment1 || (adam && !t->moment2) || !t->loss || !t->sticky)
		return STATUS_SYSTEM;
	for (int i = 0; trainer_levels(t) && i <= trainer_levels(t); i++) {
		t->tree[i] = d->alloc(sums_bytes(t));
		if (!t->tree[i])
			return STATUS_SYSTEM;
	}
	TRY(program_bind(t->train, t->block));
	if (t->evaluator)
		TRY(evaluator_bind(t->evaluator, t->block));
	return allocate_reports(t);
}

/* --- the update's program --- */

/* Programs without activations to speak of take memory of their own. */
static int bind_small(struct trainer *t, struct program *p)
{
	void *block = t->in.device->alloc(program_bytes(p));

	if (!block)
		return STATUS_SYSTEM;
	t->small[t->n_small++] = block;
	return program_bind(p, block);
}

static tensor external(struct program *p, const char *name, int64_t count, real *data)
{
	return program_external(p, name, TYPE_REAL, count, data);
}

static int trained(const struct param *p)
{
	return !(p->flags & (PARAM_FROZEN | PARAM_BUFFER));
}

/* Elements of a parameter with its padding: stretches of parameters are contiguous. */
static int64_t room(const struct model *m, int i)
{
	for (int j = i + 1; j < m->count; j++)
		if (!(m->params[j]->flags & PARAM_BUFFER))
			return m->params[j]->offset - m->params[i]->offset;
	return m->size - m->params[i]->offset;
}

static void update_stretch(struct trainer *t, int64_t from, int64_t n, int decays, tensor gate)
{
	const struct train_settings *s = &t->in.settings->train;
	real decay = decays ? (real)s->decay : 0;
	struct model *m = t->model;
	struct program *p = t->update;
	tensor w = external(p, "weights", n, m->data + from);
	tensor g = external(p, "gradients", n, m->grad + from);
	tensor m1 = external(p, "moment1", n, t->moment1 + from);

	if (s->optimizer == OPTIMIZER_SGD)
		sgd(p, &(struct sgd_settings){(real)s->momentum, decay, 1}, w, m1, g, gate);
	else
		adamw(p,
			&(struct adamw_settings){
				(real)s->beta1, (real)s->beta2, (real)s->adam_eps, decay, 1},
			w, m1, external(p, "moment2", n, t->moment2 + from), g, gate);
}

/* One call per stretch of neighbours that are treated alike. */
static void update_weights(struct trainer *t, tensor gate)
{
	struct model *m = t->model;
	int64_t from = 0, n = 0;
	int decays = 0;

	for (int i = 0; i < m->count; i++) {
		const struct param *p = m->params[i];
		int decay = (p->flags & PARAM_DECAY) != 0;

		if (p->flags & PARAM_BUFFER)
			continue;
		if (n && (!trained(p) || decay != decays)) {
			update_stretch(t, from, n, decays, gate);
			n = 0;
		}
		if (!trained(p))
			continue;
		if (!n)
			from = p->offset;
		decays = decay;
		n += room(m, i);
	}
	if (n)
		update_stretch(t, from, n, decays, gate);
}

static void update_statistics(struct trainer *t, tensor gate)
{
	struct model *m = t->model;
	tensor parts[2]; /* the factor, and 1 for a step that counts */

	split(t->update, gate, 2, (int64_t[]){1, 1}, parts);

	for (int i = 0; i < m->count; i++) {
		struct param *p = m->params[i];

		if (!(p->flags & PARAM_BUFFER))
			continue;
		if (p->flags & PARAM_COUNTER)
			accumulate(t->update, external(t->update, p->name, 1, p->data), parts[1]);
		else
			ema_buffer(t->update, (real)0.1,
				external(t->update, p->name, p->count, p->data),
				external(t->update, p->name, p->count, p->grad), gate);
	}
}

static int build_update(struct trainer *t)
{
	struct program *p = t->update = program_new(PROGRAM_EVAL);

	if (!p)
		return STATUS_SYSTEM;
	t->norm2 = program_keep(
		p, sumsq(p, external(p, "gradients", t->model->size, t->model->grad)), "norm2");
	t->gate = update_gate(p, t->norm2,
		external(p, "loss", 1,
			trainer_levels(t) ? t->loss : (real *)t->objective.loss->data),
		external(p, "failed", 1, t->sticky), (real)t->in.settings->train.clip);
	program_keep(p, t->gate, "gate");
	update_weights(t, t->gate);
	if (!t->in.map_only)
		update_statistics(t, t->gate);
	TRY(program_plan(p, t->in.device));
	return bind_small(t, p);
}

/* Level i of the tree: tree[i] += tree[i - 1], or the shard's own gradients and statistics. */
static int build_sum(struct trainer *t, int i)
{
	struct program *p = t->sums[i] = program_new(PROGRAM_EVAL);
	int64_t n = t->model->size, n_stat = t->model->buffer_size;

	if (!p)
		return STATUS_SYSTEM;
	accumulate(p, external(p, "sum", n, t->tree[i]),
		external(p, "part", n, i ? t->tree[i - 1] : t->model->grad));
	if (n_stat)
		accumulate(p, external(p, "sum", n_stat, t->tree[i] + n),
			external(p, "part", n_stat, i ? t->tree[i - 1] + n : t->model->stat));
	TRY(program_plan(p, t->in.device));
	return bind_small(t, p);
}

/* After the last shard: the root back to where the update reads. */
static int build_root(struct trainer *t)
{
	int top = trainer_levels(t);
	struct program *p = t->sums[top + 1] = program_new(PROGRAM_EVAL);
	int64_t n = t->model->size, n_stat = t->model->buffer_size;

	if (!p)
		return STATUS_SYSTEM;
	accumulate(p, external(p, "sum", n, t->model->grad), external(p, "root", n, t->tree[top]));
	if (n_stat)
		accumulate(p, external(p, "sum", n_stat, t->model->stat),
			external(p, "root", n_stat, t->tree[top] + n));
	TRY(program_plan(p, t->in.device));
	return bind_small(t, p);
}

int trainer_start(struct trainer *t, int64_t per_epoch, int64_t total)
{
	t->per_epoch = per_epoch;
	t->total = total;
	TRY(build_update(t));
	if (!trainer_levels(t))
		return 0;
	for (int i = 0; i <= trainer_levels(t); i++)
		TRY(build_sum(t, i));
	return build_root(t);
}

void trainer_free(struct trainer *t)
{
	const struct device *d;

	if (!t)
		return;
	d = t->in.device;
	program_free(t->train);
	program_free(t->update);
	for (int i = 0; i < TRAINER_LEVELS + 1; i++)
		program_free(t->sums[i]);
	for (int i = 0; i < t->n_small; i++)
		d->release(t->small[i]);
	evaluator_free(t->evaluator);
	calibration_free(t->map);
	network_free(t->student);
	d->release(t->block);
	d->release(t->moment1);
	d->release(t->moment2);
	d->release(t->loss);
	d->release(t->sticky);
	for (int i = 0; i < TRAINER_LEVELS; i++)
		d->release(t->tree[i]);
	free(t->report);
	free(t->report_tree);
	free(t->host_tokens);
	free(t->host_logits);
	free(t);
}
