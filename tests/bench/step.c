/*
 * Seconds of a training step (forward, backward, norm, AdamW) of a network, and where they go:
 *
 *	step ARCH BATCH [RUNS]        images/s on stdout as TSV, then the profile by op
 *
 * The best of RUNS steps counts: the machine may be shared. Images and weights are random.
 */
#include "lib/base/error.h"
#include "lib/models/network.h"
#include "lib/program/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct bench {
	const struct device *device;
	struct network *net;
	struct program *step, *update;
	void *block;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void fill(struct program *p, tensor t)
{
	float *host = malloc(t->count * sizeof(*host));

	for (int64_t i = 0; i < t->count; i++)
		host[i] = (float)rand() / RAND_MAX - 0.5f;
	tensor_put(p, t, host);
	free(host);
}

static int build_step(struct bench *b, int64_t batch)
{
	const struct network_config *c = &b->net->config;
	struct network_want want = {0};
	struct network_out out;
	struct program *p = b->step = program_new(PROGRAM_TRAIN);
	tensor image =
		program_input(p, "image", TYPE_REAL, 4, (int64_t[]){batch, c->image, c->image, 3});
	tensor target = program_input(p, "target", TYPE_REAL, 2, (int64_t[]){batch, c->classes});

	network_build(b->net, p, image, &want, &out);
	program_loss(p, cross_entropy(p, out.logits, target));
	TRY(program_plan(p, b->device));
	b->block = b->device->alloc(program_bytes(p));
	TRY(program_bind(p, b->block));
	fill(p, image);
	fill(p, target);
	return 0;
}

static int build_update(struct bench *b)
{
	struct program *p = b->update = program_new(PROGRAM_EVAL);
	struct model *m = b->net->model;
	struct adamw_settings s = {0.9, 0.999, 1e-8, 0.05, 1};
	static float loss = 1;
	tensor grad = program_external(p, "grad", TYPE_REAL, m->size, m->grad), norm, gate;

	norm = sumsq(p, grad);
	gate = update_gate(p, norm, program_external(p, "loss", TYPE_REAL, 1, &loss), NULL, 1);
	adamw(p, &s, program_external(p, "weight", TYPE_REAL, m->size, m->data),
		program_external(p, "m", TYPE_REAL, m->size, calloc(m->size, sizeof(float))),
		program_external(p, "v", TYPE_REAL, m->size, calloc(m->size, sizeof(float))), grad,
		gate);
	TRY(program_plan(p, b->device));
	return program_bind(p, b->device->alloc(program_bytes(p)));
}

static int build(struct bench *b, const char *arch, int64_t batch)
{
	struct network_config c;

	b->device = device_cpu();
	TRY(network_find(arch, &c));
	TRY(network_new(&b->net, &c, NULL));
	TRY(model_allocate(b->net->model, b->device, 1));
	TRY(model_init(b->net->model, -1, 1));
	TRY(build_step(b, batch));
	return build_update(b);
}

static double run(struct bench *b, const struct step *step)
{
	struct model *m = b->net->model;
	double from = now();

	b->device->zero(m->grad, m->size * sizeof(float));
	program_forward(b->step, step);
	program_backward(b->step, step);
	program_forward(b->update, step);
	return now() - from;
}

int main(int argc, char **argv)
{
	const char *arch = argc > 1 ? argv[1] : "deit-t";
	int64_t batch = argc > 2 ? atoll(argv[2]) : 32;
	int runs = argc > 3 ? atoi(argv[3]) : 5;
	struct step step = {.lr = 1e-4f, .divisor = batch, .scale = 1};
	struct bench b;
	double best = 1e9;

	if (build(&b, arch, batch)) {
		fprintf(stderr, "step: %s\n", error_message());
		return 1;
	}
	run(&b, &step);
	for (int i = 0; i < runs; i++) {
		double t = run(&b, &step);

		best = t < best ? t : best;
	}
	printf("network\tbatch\tmilliseconds\timages_per_s\n%s\t%lld\t%.3f\t%.1f\n", arch,
		(long long)batch, best * 1e3, batch / best);
	program_profile(b.step, 1);
	run(&b, &step);
	program_profile_print(b.step, stdout);
	return 0;
}
