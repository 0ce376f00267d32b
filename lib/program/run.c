#include "lib/program/internal.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

static struct run run_of(const struct program *p, const struct step *step)
{
	struct run r = {step, (real *)(p->block + p->work_offset), p->device->plain,
		p->mode == PROGRAM_TRAIN};

	return r;
}

/* So that a call's time is its own. */
static void wait_for(const struct program *p)
{
	if (p->device->finish)
		p->device->finish();
}

static void call_forward(struct program *p, const struct call *c, const struct run *r)
{
	double from = p->profiling ? now() : 0;

	p->device->ops[c->op]->forward(c, r);
	if (p->profiling) {
		wait_for(p);
		p->seconds[c->op][0] += now() - from;
		p->runs[c->op][0]++;
	}
}

static void call_backward(struct program *p, const struct call *c, const struct run *r)
{
	double from = p->profiling ? now() : 0;

	if (!c->live)
		return;
	for (int j = 0; j < c->n_out; j++)
		if (c->zero_dy >> j & 1)
			p->device->zero(
				c->out[j]->grad, c->out[j]->count * type_size(c->out[j]->type));
	for (int j = 0; j < c->n_in; j++)
		if (c->adds >> j & 1 && call_dx(c, j) && !call_acc(c, j) &&
			!(c->in[j]->flags & TENSOR_PARAM))
			p->device->zero(
				c->in[j]->grad, c->in[j]->count * type_size(c->in[j]->type));
	p->device->ops[c->op]->backward(c, r);
	if (p->profiling) {
		wait_for(p);
		p->seconds[c->op][1] += now() - from;
		p->runs[c->op][1]++;
	}
}

/* A loss is one number; its gradient is one. Other seeds were handed in by the caller. */
static void seed_losses(struct program *p)
{
	for (int i = 0; i < p->n_tensors; i++) {
		tensor t = p->tensors[i];

		if (t->flags & TENSOR_LOSS && t->grad)
			p->device->set_one(t->grad);
	}
}

/* Of models that train, or of the others: what changes from walk to walk is part of the graph. */
static void halve_models(struct program *p, int trained)
{
	for (int i = 0; i < p->n_models; i++) {
		struct model *m = p->models[i];

		if (m->half && trained == (m->grad != NULL) && (trained || m->half_stale))
			model_halve(m);
	}
}

static void walk(struct program *p, int backward, const struct run *r)
{
	if (backward)
		seed_losses(p);
	else
		halve_models(p, 1);
	for (int i = 0; i < p->n_calls; i++)
		if (backward)
			call_backward(p, &p->calls[p->n_calls - 1 - i], r);
		else
			call_forward(p, &p->calls[i], r);
}

/* Records the walk once; later ones are launched whole. Returns 0 where that is not possible. */
static int launch(struct program *p, int backward, const struct run *r)
{
	const struct device *d = p->device;

	if (!d->capture_begin || !device_uses_graphs() || p->profiling || p->no_graph)
		return 0;
	if (!p->graph[backward]) {
		if (d->capture_begin())
			return 0;
		walk(p, backward, r);
		p->graph[backward] = d->capture_end();
		p->no_graph = !p->graph[backward];
	}
	if (p->no_graph)
		return 0;
	d->graph_launch(p->graph[backward]);
	return 1;
}

static void run_walk(struct program *p, int backward, const struct step *step)
{
	const struct device *d = p->device;
	struct run r = run_of(p, d->step ? d->step(step) : step);

	if (!backward)
		halve_models(p, 0);
	if (!launch(p, backward, &r))
		walk(p, backward, &r);
}

void program_forward(struct program *p, const struct step *step)
{
	run_walk(p, 0, step);
}

void program_backward(struct program *p, const struct step *step)
{
	run_walk(p, 1, step);
}

void program_graphs_free(struct program *p)
{
	for (int i = 0; i < 2; i++) {
		if (p->graph[i])
			p->device->graph_free(p->graph[i]);
		p->graph[i] = NULL;
	}
}

/* Values of a real or half array as reals. */
static void get_values(
	const struct program *p, const void *from, enum type type, int64_t count, real *host)
{
	const char *bytes = (const char *)host;

	p->device->get(host, from, count * type_size(type));
	for (int64_t i = count - 1; i >= 0 && type == TYPE_BF16; i--) {
		uint16_t half;
		uint32_t bits;
		float x;

		memcpy(&half, bytes + 2 * i, sizeof(half));
		bits = (uint32_t)half << 16;
		memcpy(&x, &bits, sizeof(x));
		host[i] = x;
	}
}

/* Rounded to nearest, ties to even. */
static uint16_t half_of(real value)
{
	float x = (float)value;
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	if (x != x)
		return (uint16_t)(bits >> 16 | 64);
	return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void put_values(
	const struct program *p, void *to, enum type type, int64_t count, const real *host)
{
	uint16_t part[4096];

	if (type != TYPE_BF16) {
		p->device->put(to, host, count * type_size(type));
		return;
	}
	for (int64_t at = 0; at < count; at += 4096) {
		int64_t n = count - at < 4096 ? count - at : 4096;

		for (int64_t i = 0; i < n; i++)
			part[i] = half_of(host[at + i]);
		p->device->put((uint16_t *)to + at, part, n * sizeof(*part));
	}
}

/* Index of the first value that is not finite, or -1. */
static int64_t first_bad(
	const struct program *p, const void *values, enum type type, int64_t count, real *host)
{
	enum { PART = 4096 };

	for (int64_t at = 0; at < count; at += PART) {
		int64_t n = count - at < PART ? count - at : PART;

		get_values(p, (const char *)values + at * type_size(type), type, n, host);
		for (int64_t i = 0; i < n; i++)
			if (!isfinite(host[i]))
				return at + i;
	}
	return -1;
}

static int check_inputs(const struct program *p, real *host)
{
	for (int i = 0; i < p->n_tensors; i++) {
		tensor t = p->tensors[i];
		int64_t bad;

		if (t->type != TYPE_REAL || !(t->flags & (TENSOR_INPUT | TENSOR_PARAM)))
			continue;
		bad = first_bad(p, t->data, t->type, t->count, host);
		if (bad >= 0)
			return error(STATUS_NUMBERS, "%s %s is not finite (element %lld)",
				t->flags & TENSOR_PARAM ? "weight" : "input", t->name,
				(long long)bad);
	}
	return 0;
}

static int check_call(const struct program *p, const struct call *c, int backward, real *host)
{
	int n = backward ? c->n_in : c->n_out;

	for (int j = 0; j < n; j++) {
		tensor t = backward ? c->in[j] : c->out[j];
		const void *values = !t ? NULL : backward ? call_dx(c, j) : t->data;
		int64_t bad;

		if (!values || (t->type != TYPE_REAL && t->type != TYPE_BF16))
			continue;
		bad = first_bad(p, values, t->type, t->count, host);
		if (bad >= 0)
			return error(STATUS_NUMBERS,
				"op %s%s%s, %s pass: %s %d is not finite (element %lld of %s)",
				op_name(c->op), *c->scope ? " in " : "", c->scope,
				backward ? "backward" : "forward",
				backward ? "the gradient of input" : "output", j, (long long)bad,
				shape_text(t->dims, t->shape));
	}
	return 0;
}

int program_check(struct program *p, const struct step *step)
{
	struct run r = run_of(p, p->device->step ? p->device->step(step) : step);
	real *host = memory_new(4096, sizeof(*host));
	int status = host ? check_inputs(p, host) : STATUS_SYSTEM;

	for (int i = 0; i < p->n_calls && !status; i++) {
		call_forward(p, &p->calls[i], &r);
		status = check_call(p, &p->calls[i], 0, host);
	}
	if (!status)
		seed_losses(p);
	for (int i = p->n_calls - 1; i >= 0 && !status; i--)
		if (p->calls[i].live) {
			call_backward(p, &p->calls[i], &r);
			status = check_call(p, &p->calls[i], 1, host);
		}
	free(host);
	return status;
}

void program_profile(struct program *p, int on)
{
	p->profiling = on;
	memset(p->seconds, 0, sizeof(p->seconds));
	memset(p->runs, 0, sizeof(p->runs));
}

void program_profile_print(const struct program *p, FILE *f)
{
	int done[OP_COUNT] = {0};

	fprintf(f, "op\tcalls\tforward_s\tbackward_s\n");
	for (;;) {
		int best = -1;

		for (int i = 0; i < OP_COUNT; i++)
			if (!done[i] && p->runs[i][0] &&
				(best < 0 || p->seconds[i][0] + p->seconds[i][1] >
						     p->seconds[best][0] + p->seconds[best][1]))
				best = i;
		if (best < 0)
			return;
		done[best] = 1;
		fprintf(f, "%s\t%lld\t%.6f\t%.6f\n", op_name(best), (long long)p->runs[best][0],
			p->seconds[best][0], p->seconds[best][1]);
	}
}

void tensor_put(struct program *p, tensor t, const void *host)
{
	if (t->type == TYPE_BF16)
		put_values(p, t->data, t->type, t->count, host);
	else
		p->device->put(t->data, host, t->count * type_size(t->type));
}

void tensor_get(struct program *p, tensor t, void *host)
{
	if (t->type == TYPE_BF16)
		get_values(p, t->data, t->type, t->count, host);
	else
		p->device->get(host, t->data, t->count * type_size(t->type));
}

void tensor_put_grad(struct program *p, tensor t, const real *host)
{
	put_values(p, t->grad, t->type, t->count, host);
}

void tensor_get_grad(struct program *p, tensor t, real *host)
{
	get_values(p, t->grad, t->type, t->count, host);
}
