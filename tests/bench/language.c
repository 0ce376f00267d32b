/*
 * Tokens a second of the language model Mamba:
 *
 *	language WIDTH LAYERS VOCABULARY BATCH LENGTH [RUNS [THREADS]]
 *
 * a training step (next-token cross-entropy, backward, clipping, AdamW), a prompt of that length
 * read at once, and tokens one by one after it. TSV on stdout; the best of RUNS (5) counts.
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/language.h"

#define STEPS 16 /* tokens of a generation that is timed */

struct bench {
	const struct device *device;
	struct network *net;
	int64_t batch, len;
	int runs;
	int32_t *ids; /* (batch, len), then the same one token on */
	real *moments, norm[3];
};

struct running {
	struct program *p;
	tensor in, labels, loss;
	void *block;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int bind(struct bench *b, struct running *r)
{
	TRY(program_plan(r->p, b->device));
	r->block = b->device->alloc(program_bytes(r->p));
	return r->block ? program_bind(r->p, r->block) : STATUS_SYSTEM;
}

static void release(struct bench *b, struct running *r)
{
	program_free(r->p);
	b->device->release(r->block);
}

static int reading(struct bench *b, struct running *r, enum program_mode mode, int64_t len,
	struct network_state *s)
{
	struct network_want want = {.last_logits = s != NULL};
	struct network_out out;

	r->p = program_new(mode);
	r->in = program_input(r->p, "ids", TYPE_I32, 2, (int64_t[]){b->batch, len});
	network_build_tokens(b->net, r->p, r->in, s, &want, &out);
	program_keep(r->p, out.logits, "logits");
	if (!s) {
		r->labels = program_input(r->p, "labels", TYPE_I32, 2, (int64_t[]){b->batch, len});
		r->loss = label_entropy(r->p, out.logits, r->labels);
		program_loss(r->p, r->loss);
	}
	TRY(bind(b, r));
	tensor_put(r->p, r->in, b->ids);
	if (!s)
		tensor_put(r->p, r->labels, b->ids + b->batch * len);
	return 0;
}

static int updating(struct bench *b, struct running *r, real *loss)
{
	struct model *m = b->net->model;
	struct program *p = r->p = program_new(PROGRAM_EVAL);
	tensor grad = program_external(p, "gradients", TYPE_REAL, m->size, m->grad);
	tensor gate =
		update_gate(p, sumsq(p, grad), program_external(p, "loss", TYPE_REAL, 1, loss),
			program_external(p, "failed", TYPE_REAL, 1, b->norm), 1);

	adamw(p, &(struct adamw_settings){0.9, 0.95, 1e-8, 0.1, 1},
		program_external(p, "weights", TYPE_REAL, m->size, m->data),
		program_external(p, "moment1", TYPE_REAL, m->size, b->moments),
		program_external(p, "moment2", TYPE_REAL, m->size, b->moments + m->size), grad,
		gate);
	return bind(b, r);
}

static void print(const struct bench *b, const char *what, double seconds, int64_t tokens)
{
	const struct network_config *c = &b->net->config;

	printf("%s\t%lld x %lld, %lld tokens\t%lld x %lld\t%.3f\t%.1f\n", what, (long long)c->depth,
		(long long)c->dim, (long long)c->classes, (long long)b->batch, (long long)b->len,
		1e3 * seconds, (double)tokens / seconds);
	fflush(stdout);
}

static int train(struct bench *b)
{
	struct step step = {.divisor = (real)(b->batch * b->len), .scale = 1, .lr = 1e-4};
	struct model *m = b->net->model;
	struct running r = {0}, u = {0};
	double best = 1e30;

	TRY(reading(b, &r, PROGRAM_TRAIN, b->len, NULL));
	TRY(updating(b, &u, r.loss->data));
	for (int i = 0; i <= b->runs; i++) {
		double from = now();

		step.step = i + 1;
		b->device->zero(m->grad, m->size * sizeof(real));
		program_forward(r.p, &step);
		program_backward(r.p, &step);
		program_forward(u.p, &step);
		best = i && now() - from < best ? now() - from : best;
	}
	print(b, "training step", best, b->batch * b->len);
	release(b, &r);
	release(b, &u);
	return 0;
}

static int generate(struct bench *b)
{
	const struct step step = {.divisor = 1, .scale = 1};
	struct running prompt = {0}, one = {0};
	double best = 1e30, best_one = 1e30;
	struct network_state *s;

	TRY(network_state_new(&s, b->net, b->batch, b->device));
	TRY(reading(b, &prompt, PROGRAM_EVAL, b->len, s));
	TRY(reading(b, &one, PROGRAM_EVAL, 1, s));
	for (int i = 0; i < b->runs; i++) {
		double from = now(), half;

		network_state_clear(s);
		program_forward(prompt.p, &step);
		half = now();
		for (int j = 0; j < STEPS; j++)
			program_forward(one.p, &step);
		best = half - from < best ? half - from : best;
		best_one = now() - half < best_one ? now() - half : best_one;
	}
	print(b, "prompt", best, b->batch * b->len);
	print(b, "token by token", best_one / STEPS, b->batch);
	release(b, &prompt);
	release(b, &one);
	network_state_free(s);
	return 0;
}

static int run(struct bench *b, struct network_config *c)
{
	struct model *m;

	TRY(network_new(&b->net, c, NULL));
	m = b->net->model;
	TRY(model_allocate(m, b->device, 1));
	TRY(model_init(m, 0, 1));
	b->ids = memory_new(2 * b->batch * b->len, sizeof(*b->ids));
	b->moments = memory_new(2 * m->size, sizeof(*b->moments));
	if (!b->ids || !b->moments)
		return STATUS_SYSTEM;
	for (int64_t i = 0; i < 2 * b->batch * b->len; i++)
		b->ids[i] = (int32_t)((uint64_t)i * 2654435761u % (uint64_t)c->classes);
	printf("what\tnetwork\tbatch\tmilliseconds\ttokens_per_s\n");
	TRY(train(b));
	return generate(b);
}

int main(int argc, char **argv)
{
	struct network_config c;
	struct bench b = {.device = device_cpu(), .runs = argc > 6 ? atoi(argv[6]) : 5};

	if (argc < 6) {
		fprintf(stderr, "language WIDTH LAYERS VOCABULARY BATCH LENGTH [RUNS [THREADS]]\n");
		return 64;
	}
	omp_set_num_threads(argc > 7 ? atoi(argv[7]) : omp_get_num_procs());
	network_find("mamba-130m", &c);
	c.dim = atol(argv[1]);
	c.depth = atol(argv[2]);
	c.classes = atol(argv[3]);
	b.batch = atol(argv[4]);
	b.len = atol(argv[5]);
	if (b.batch < 1 || b.len < 1 || run(&b, &c)) {
		fprintf(stderr, "language: %s\n", error_message());
		return 1;
	}
	return 0;
}
