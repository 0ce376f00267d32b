/*
 * Programs as a whole, in double: several over one model, backward from handed-in gradients, kept
 * tensors, memory that is shared in time, misuse.
 */
#include "lib/program/internal.h"
#include "tests/micro.h"

#include <omp.h>

/* A network's program whose backward starts from the loss, or from its logits. */
struct walk {
	struct program *p;
	tensor image, target, logits, loss;
	struct step step;
};

static int walk_plan(struct walk *w, struct network *n, int64_t batch, int seeded)
{
	struct network_config *c = &n->config;
	struct network_want want = {.tap = TAP_STREAM};
	struct network_out out;

	w->p = program_new(PROGRAM_TRAIN);
	w->image = program_input(
		w->p, "image", TYPE_REAL, 4, (int64_t[]){batch, c->image, c->image, 3});
	w->target = program_input(w->p, "target", TYPE_REAL, 2, (int64_t[]){batch, c->classes});
	network_build(n, w->p, w->image, &want, &out);
	w->logits = program_keep(w->p, out.logits, "logits");
	for (int i = 0; i < c->depth; i++)
		program_keep(w->p, out.taps[i], i ? "tap 1" : "tap 0");
	if (seeded) {
		program_seed(w->p, out.logits);
	} else {
		w->loss = cross_entropy(w->p, out.logits, w->target);
		program_loss(w->p, w->loss);
	}
	w->step = (struct step){.seed = 3, .divisor = 7, .scale = 1};
	return program_plan(w->p, device_cpu());
}

static void walk_fill(struct walk *w, uint64_t seed)
{
	tensor in[] = {w->image, w->target};

	micro_state = seed;
	for (int i = 0; i < 2; i++) {
		double *host = malloc(in[i]->count * sizeof(*host));

		for (int64_t j = 0; j < in[i]->count; j++)
			host[j] = i ? 0.2 : micro_random();
		tensor_put(w->p, in[i], host);
		free(host);
	}
}

static void walk_run(struct walk *w)
{
	program_forward(w->p, &w->step);
	program_backward(w->p, &w->step);
}

static double largest_error(const double *a, const double *b, int64_t n)
{
	double worst = 0, scale = 1e-9;

	for (int64_t i = 0; i < n; i++)
		scale = fmax(scale, fabs(b[i]));
	for (int64_t i = 0; i < n; i++)
		if (!(fabs(a[i] - b[i]) / scale <= worst))
			worst = fabs(a[i] - b[i]) / scale;
	return worst;
}

static struct network *network_of(struct network_config c)
{
	struct network *n;

	micro_state = 5;
	network_new(&n, &c, NULL);
	model_allocate(n->model, device_cpu(), 1);
	micro_fill(n->model);
	return n;
}

/* Batches of 3 and 5 over one model and one block: gradients add. */
static void check_two_programs(struct network *n)
{
	struct model *m = n->model;
	double *sum = calloc(m->size, sizeof(*sum));
	struct walk w[2];
	size_t bytes = 0;
	void *block;

	for (int i = 0; i < 2; i++) {
		walk_plan(&w[i], n, i ? 5 : 3, 0);
		bytes = program_bytes(w[i].p) > bytes ? program_bytes(w[i].p) : bytes;
	}
	block = malloc(bytes);
	memset(block, 0xff, bytes);
	for (int i = 0; i < 2; i++) {
		program_bind(w[i].p, block);
		walk_fill(&w[i], 77 + i);
		memset(m->grad, 0, m->size * sizeof(*m->grad));
		walk_run(&w[i]);
		for (int64_t j = 0; j < m->size; j++)
			sum[j] += m->grad[j];
	}
	memset(m->grad, 0, m->size * sizeof(*m->grad));
	for (int i = 0; i < 2; i++)
		walk_run(&w[i]);
	ok(largest_error(m->grad, sum, m->size) <= 1e-13,
		"%s: two programs over one model and one block, gradients add", n->config.arch);
	program_free(w[0].p);
	program_free(w[1].p);
	free(block);
	free(sum);
}

/* (softmax(logits) - target) / divisor handed in gives what the loss gives. */
static void check_seed(struct network *n)
{
	enum { B = 4, C = 5 };
	struct model *m = n->model;
	double *want = malloc(m->size * sizeof(*want)), logits[B * C], d[B * C];
	struct walk loss, seeded;
	void *block[2];

	walk_plan(&loss, n, B, 0);
	walk_plan(&seeded, n, B, 1);
	block[0] = malloc(program_bytes(loss.p));
	block[1] = malloc(program_bytes(seeded.p));
	program_bind(loss.p, block[0]);
	program_bind(seeded.p, block[1]);
	walk_fill(&loss, 9);
	walk_fill(&seeded, 9);
	memset(m->grad, 0, m->size * sizeof(*m->grad));
	walk_run(&loss);
	memcpy(want, m->grad, m->size * sizeof(*want));
	memset(m->grad, 0, m->size * sizeof(*m->grad));
	program_forward(seeded.p, &seeded.step);
	tensor_get(seeded.p, seeded.logits, logits);
	for (int b = 0; b < B; b++) {
		double sum = 0;

		for (int c = 0; c < C; c++)
			sum += exp(logits[b * C + c]);
		for (int c = 0; c < C; c++)
			d[b * C + c] = (exp(logits[b * C + c]) / sum - 0.2) / 7;
	}
	tensor_put_grad(seeded.p, seeded.logits, d);
	program_backward(seeded.p, &seeded.step);
	ok(largest_error(m->grad, want, m->size) <= 1e-12,
		"%s: backward from handed-in gradients is that of the loss", n->config.arch);
	program_free(loss.p);
	program_free(seeded.p);
	free(block[0]);
	free(block[1]);
	free(want);
}

/* Kept values stand after backward as after forward; another batch's program agrees on them. */
static void check_kept(struct network *n)
{
	static const char *const names[] = {"tap 0", "tap 1", "logits"};
	struct walk w;
	void *block;
	int bad = 0;

	walk_plan(&w, n, 2, 0);
	block = malloc(program_bytes(w.p));
	memset(block, 0xff, program_bytes(w.p));
	program_bind(w.p, block);
	walk_fill(&w, 21);
	memset(n->model->grad, 0, n->model->size * sizeof(*n->model->grad));
	for (int i = 0; i < 3; i++) {
		tensor t = program_find(w.p, names[i]);
		double *before = malloc(t->count * sizeof(*before));

		program_forward(w.p, &w.step);
		tensor_get(w.p, t, before);
		program_backward(w.p, &w.step);
		bad += memcmp(before, t->data, t->count * sizeof(*before)) != 0;
		free(before);
	}
	ok(!bad && !program_find(w.p, "tap 2"), "%s: kept tensors outlive backward",
		n->config.arch);
	ok(!program_check(w.p, &w.step), "%s: all is finite, and said so", n->config.arch);
	((double *)w.image->data)[100] = NAN;
	ok(program_check(w.p, &w.step) == STATUS_NUMBERS &&
			strstr(error_message(), "input image") &&
			strstr(error_message(), "element 100"),
		"%s: an input that is not: %s", n->config.arch, error_message());
	program_free(w.p);
	free(block);
}

/* --- memory shared in time --- */

enum { ROWS = 3, TOKENS = 6, CHANNELS = 4, POOL = 12 };

/* A random program over a model's parameters. */
static struct program *random_program(
	struct model *m, struct param **params, uint64_t seed, tensor *in)
{
	const int64_t shape[] = {ROWS, TOKENS, CHANNELS};
	const int32_t order[TOKENS] = {5, 3, 1, 0, 2, 4};
	struct program *p = program_new(PROGRAM_TRAIN);
	tensor pool[POOL], parts[2], y, joined, loss[3];
	int n = 3;

	micro_state = seed;
	for (int i = 0; i < n; i++)
		pool[i] = in[i] = i ? program_input(p, i == 1 ? "b" : "c", TYPE_REAL, 3, shape)
				    : program_input_grad(p, "a", 3, shape);
	for (int i = 0; i < 40; i++) {
		tensor a = pool[(int)((micro_random() + 1) / 2 * n)];
		tensor b = pool[(int)((micro_random() + 1) / 2 * n)];

		switch ((int)((micro_random() + 1) * 4)) {
		case 0:
			y = add(p, a, b);
			break;
		case 1:
			y = gelu(p, a);
			break;
		case 2:
			y = layernorm(p, a, program_param(p, params[0]),
				program_param(p, params[1]), 1e-5);
			break;
		case 3:
			y = linear(p, a, program_param(p, params[2]), program_param(p, params[1]),
				0.5);
			break;
		case 4:
			y = residual(p, a, b, 0.3, i);
			break;
		case 5:
			y = permute_tokens(p, a, order);
			break;
		case 6:
			split(p, linear(p, a, program_param(p, params[3]), NULL, 1), 2,
				(int64_t[]){CHANNELS, CHANNELS}, parts);
			y = mean_of_two(p, parts[0], b);
			break;
		default:
			y = mean_of_two(p, a, a);
			break;
		}
		if (micro_random() > 0.7)
			program_keep(p, y, "kept");
		pool[n < POOL ? n++ : (int)((micro_random() + 1) / 2 * POOL)] = y;
	}
	joined = pool[0];
	for (int i = 1; i < n; i++)
		joined = mean_of_two(p, joined, pool[i]);
	loss[0] = l2_tokens(p, joined, pool[1]);
	loss[1] = l1_tokens(p, pool[n - 1], pool[2]);
	loss[2] = l2_tokens(p, pool[n / 2], in[0]);
	program_loss(p, program_keep(p, weighted_sum(p, 3, loss, (double[]){1, 0.3, 0.1}), "loss"));
	return p;
}

struct outcome {
	double loss, dx[ROWS * TOKENS * CHANNELS], *grad;
	size_t bytes;
};

/* all: every value and gradient lives to the end, so that none can lie on another. */
static int run_random(struct model *m, struct param **params, uint64_t seed, int all, int poison,
	struct outcome *o)
{
	struct step step = {.seed = 1, .divisor = ROWS, .scale = 1};
	tensor in[3];
	struct program *p = random_program(m, params, seed, in);
	void *block;

	for (int i = 0; all && i < p->n_tensors; i++)
		p->tensors[i]->flags |= TENSOR_KEEP | TENSOR_KEEP_GRAD;
	if (program_plan(p, device_cpu())) {
		program_free(p);
		return -1;
	}
	o->bytes = program_bytes(p);
	block = malloc(o->bytes);
	memset(block, poison, o->bytes);
	program_bind(p, block);
	for (int i = 0; i < 3; i++)
		for (int64_t j = 0; j < in[i]->count; j++)
			((double *)in[i]->data)[j] = micro_random();
	for (int turn = 0; turn < 2; turn++) { /* a walk does not see the one before */
		memset(m->grad, 0, m->size * sizeof(*m->grad));
		program_forward(p, &step);
		program_backward(p, &step);
	}
	tensor_get(p, program_find(p, "loss"), &o->loss);
	tensor_get_grad(p, in[0], o->dx);
	o->grad = malloc(m->size * sizeof(*o->grad));
	memcpy(o->grad, m->grad, m->size * sizeof(*o->grad));
	program_free(p);
	free(block);
	return 0;
}

static void check_sharing(void)
{
	struct model *m = model_new();
	struct param *params[4];
	size_t shared = 0, apart = 0;
	int bad = 0;

	params[0] = model_param(m, 0, INIT_ONE, 0, "gain", 1, (int64_t)CHANNELS);
	params[1] = model_param(m, 0, INIT_ZERO, 0, "bias", 1, (int64_t)CHANNELS);
	params[2] = model_param(
		m, 0, INIT_NORMAL, 1, "square", 2, (int64_t)CHANNELS, (int64_t)CHANNELS);
	params[3] = model_param(
		m, 0, INIT_NORMAL, 1, "wide", 2, (int64_t)2 * CHANNELS, (int64_t)CHANNELS);
	model_allocate(m, device_cpu(), 1);
	model_init(m, 0, 1);
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct outcome o[3];

		for (int i = 0; i < 3; i++)
			if (run_random(m, params, seed * 7919, i == 2, i ? 0xff : 0x3f, &o[i])) {
				ok(0, "program %d: %s", (int)seed, error_message());
				return;
			}
		for (int i = 1; i < 3; i++)
			if (!isfinite(o[i].loss) || o[i].loss != o[0].loss ||
				memcmp(o[i].dx, o[0].dx, sizeof(o[0].dx)) ||
				memcmp(o[i].grad, o[0].grad, m->size * sizeof(double))) {
				diag("program %d, form %d", (int)seed, i);
				bad++;
			}
		shared += o[0].bytes;
		apart += o[2].bytes;
		for (int i = 0; i < 3; i++)
			free(o[i].grad);
	}
	ok(!bad, "200 random programs: poisoned and shared memory change nothing");
	ok(shared * 2 < apart, "sharing takes %.0f %% of the memory of none",
		100.0 * shared / apart);
	model_free(m);
}

/* --- misuse --- */

static struct program *fresh(tensor *x)
{
	struct program *p = program_new(PROGRAM_TRAIN);

	*x = program_input_grad(p, "x", 3, (int64_t[]){2, 6, 4});
	program_scope(p, "here.%d", 3);
	return p;
}

static void refused(struct program *p, int status, const char *words)
{
	int got = program_plan(p, device_cpu());

	if (!ok(got == status && strstr(error_message(), words), "refused: %s", words))
		diag("%d, %s", got, error_message());
	program_free(p);
}

static void check_misuse(void)
{
	struct network *n = network_of(micro_deit(8, 2, 4));
	struct program *p;
	struct model *bare;
	struct param *w;
	void *block;
	tensor x;

	p = fresh(&x);
	program_reshape(p, x, 2, (int64_t[]){5, 4});
	refused(p, STATUS_DATA, "here.3: reshape: (2, 6, 4)");
	p = fresh(&x);
	program_reshape(p, x, 2, (int64_t[]){-12, -4});
	refused(p, STATUS_DATA, "reshape");
	p = fresh(&x);
	program_reshape(p, x, 3, (int64_t[]){(int64_t)1 << 32, (int64_t)1 << 32, 48});
	refused(p, STATUS_DATA, "reshape");
	p = fresh(&x);
	program_reshape(p, x, 6, (int64_t[]){2, 6, 4, 1, 1, 1});
	refused(p, STATUS_DATA, "reshape");
	p = fresh(&x);
	program_loss(p, x);
	refused(p, STATUS_DATA, "a loss must be one number");
	p = fresh(&x);
	program_input(p, "y", TYPE_REAL, 2, (int64_t[]){0, 3});
	refused(p, STATUS_DATA, "sizes must be positive");
	p = fresh(&x);
	program_input(p, "y", TYPE_REAL, 2, (int64_t[]){INT64_MAX, 3});
	refused(p, STATUS_DATA, "sizes must be positive and fit");
	p = fresh(&x);
	add(p, x, program_param(p, model_find(n->model, "head.bias")));
	refused(p, STATUS_DATA, "(2, 6, 4)");
	p = fresh(&x);
	program_param_rows(p, model_find(n->model, "head.weight"), 3, 3);
	refused(p, STATUS_DATA, "head.weight");
	p = fresh(&x);
	program_param_rows(p, model_find(n->model, "head.weight"), -1, 2);
	refused(p, STATUS_DATA, "head.weight");
	p = fresh(&x);
	gelu(p, add(p, linear(p, x, program_param(p, model_find(n->model, "head.weight")), NULL, 1),
			x));
	refused(p, STATUS_DATA, "here.3: linear");

	bare = model_new();
	w = model_param(bare, 0, INIT_ZERO, 0, "w", 2, (int64_t)4, (int64_t)4);
	for (int allocated = 0; allocated < 2; allocated++) {
		p = fresh(&x);
		program_seed(p, linear(p, x, program_param(p, w), NULL, 1));
		if (allocated)
			model_allocate(bare, device_cpu(), 0);
		program_plan(p, device_cpu());
		block = malloc(program_bytes(p));
		ok(program_bind(p, block) == STATUS_BUG, "a model %s",
			allocated ? "without gradients" : "that is not allocated");
		program_free(p);
		free(block);
	}
	model_free(bare);
	network_free(n);
}

int main(void)
{
	struct network *nets[] = {network_of(micro_deit(8, 2, 4)), network_of(micro_plainmamba(6))};

	omp_set_num_threads(1);
	for (int i = 0; i < 2; i++) {
		check_two_programs(nets[i]);
		check_seed(nets[i]);
		check_kept(nets[i]);
		network_free(nets[i]);
	}
	check_sharing();
	check_misuse();
	return done();
}
