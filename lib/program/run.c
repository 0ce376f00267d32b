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

static void call_forward(struct program *p, const struct call *c, const struct run *r)
{
	double from = p->profiling ? now() : 0;

	p->device->ops[c->op]->forward(c, r);
	if (p->profiling) {
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
			p->device->zero(c->out[j]->grad, c->out[j]->count * sizeof(real));
	for (int j = 0; j < c->n_in; j++)
		if (c->adds >> j & 1 && call_dx(c, j) && !call_acc(c, j) &&
			!(c->in[j]->flags & TENSOR_PARAM))
			p->device->zero(c->in[j]->grad, c->in[j]->count * sizeof(real));
	p->device->ops[c->op]->backward(c, r);
	if (p->profiling) {
		p->seconds[c->op][1] += now() - from;
		p->runs[c->op][1]++;
	}
}

void program_forward(struct program *p, const struct step *step)
{
	struct run r = run_of(p, step);

	for (int i = 0; i < p->n_calls; i++)
		call_forward(p, &p->calls[i], &r);
}

/* A loss is one number; its gradient is one. Other seeds were handed in by the caller. */
static void seed_losses(struct program *p)
{
	const real one = 1;

	for (int i = 0; i < p->n_tensors; i++) {
		tensor t = p->tensors[i];

		if (t->flags & TENSOR_LOSS && t->grad)
			p->device->put(t->grad, &one, sizeof(one));
	}
}

void program_backward(struct program *p, const struct step *step)
{
	struct run r = run_of(p, step);

	seed_losses(p);
	for (int i = p->n_calls - 1; i >= 0; i--)
		call_backward(p, &p->calls[i], &r);
}

/* Index of the first value that is not finite, or -1. */
static int64_t first_bad(const struct program *p, const real *values, int64_t count, real *host)
{
	enum { PART = 4096 };

	for (int64_t at = 0; at < count; at += PART) {
		int64_t n = count - at < PART ? count - at : PART;

		p->device->get(host, values + at, n * sizeof(real));
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
		bad = first_bad(p, t->data, t->count, host);
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
		const real *values = !t ? NULL : backward ? call_dx(c, j) : t->data;
		int64_t bad;

		if (!values || t->type != TYPE_REAL)
			continue;
		bad = first_bad(p, values, t->count, host);
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
	struct run r = run_of(p, step);
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
	p->device->put(t->data, host, t->count * type_size(t->type));
}

void tensor_get(struct program *p, tensor t, void *host)
{
	p->device->get(host, t->data, t->count * type_size(t->type));
}

void tensor_put_grad(struct program *p, tensor t, const real *host)
{
	p->device->put(t->grad, host, t->count * sizeof(real));
}

void tensor_get_grad(struct program *p, tensor t, real *host)
{
	p->device->get(host, t->grad, t->count * sizeof(real));
}
