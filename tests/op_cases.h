/*
 * The case table of ops, and what is done with each case.
 *
 * A case builds one op (or a few) over inputs made by case_input, whose values are drawn at random
 * from a fixed seed, and returns the output. The runners (op_gradients_f64.c, op_backends.c) then
 * check gradients against central differences in double, fast forms against reference loops,
 * one thread against several, and two runs against each other.
 *
 * To add a case: write a build function in one of the tests/op_cases_*.h and add a row there.
 */
#ifndef TESTS_OP_CASES_H
#define TESTS_OP_CASES_H

#include "kernels/orders.h"
#include "lib/base/error.h"
#include "lib/program/ops.h"
#include "lib/program/program.h"
#include "tests/tap.h"

struct op_case {
	const char *op;
	/* n: the sizes of the row */
	tensor (*build)(struct program *p, const int64_t *n);
	int64_t n[8];
	/* fills inputs that random reals do not suit (labels, tables); may be NULL */
	void (*fill)(struct program *p, const int64_t *n);
	double bound; /* of the gradient's relative error in double; 0: 1e-6 */
	int large;    /* too large for central differences: op_backends alone */
	int cpu_only; /* a GPU has no form of it, and refuses it */
};

static uint64_t case_state;
static int case_half; /* programs store activations as bf16 */

/* Uniform in [-1, 1): xorshift, not the product's generator */
static double case_random(void)
{
	case_state ^= case_state << 13;
	case_state ^= case_state >> 7;
	case_state ^= case_state << 17;
	return (double)(case_state >> 11) / 4503599627370496.0 - 1;
}

__attribute__((unused)) static tensor case_input(
	struct program *p, const char *name, int dims, int64_t a, int64_t b, int64_t c, int64_t d)
{
	const int64_t shape[4] = {a, b, c, d};

	return program_input_grad(p, name, dims, shape);
}

/* What an op leaves: halves where a program keeps them. */
__attribute__((unused)) static tensor case_half_input(
	struct program *p, const char *name, int dims, int64_t a, int64_t b, int64_t c, int64_t d)
{
	tensor t = case_input(p, name, dims, a, b, c, d);

	if (t && case_half)
		t->type = TYPE_BF16;
	return t;
}

/* The same without a gradient. */
__attribute__((unused)) static tensor case_constant(struct program *p, const char *name,
	enum type type, int dims, int64_t a, int64_t b, int64_t c, int64_t d)
{
	const int64_t shape[4] = {a, b, c, d};

	return program_input(p, name, type, dims, shape);
}

#include "tests/op_cases_dense.h"
#include "tests/op_cases_scan.h"
#include "tests/op_cases_image.h"
#include "tests/op_cases_input.h"
#include "tests/op_cases_language.h"

static const struct op_case *const case_tables[] = {
	cases_dense, cases_scan, cases_image, cases_input, cases_language};
static const int case_counts[] = {sizeof(cases_dense) / sizeof(cases_dense[0]),
	sizeof(cases_scan) / sizeof(cases_scan[0]), sizeof(cases_image) / sizeof(cases_image[0]),
	sizeof(cases_input) / sizeof(cases_input[0]),
	sizeof(cases_language) / sizeof(cases_language[0])};

/* A built, planned and filled program of one case. */
struct case_run {
	struct program *p;
	tensor y;
	void *block;
	real *dy;
	struct step step;
};

static int case_open(struct case_run *r, const struct op_case *c, const struct device *device)
{
	memset(r, 0, sizeof(*r));
	r->step = (struct step){
		.seed = 7, .epoch = 1, .step = 3, .lr = 0.1, .divisor = 5, .scale = 1};
	r->p = program_new(PROGRAM_TRAIN);
	program_set_half(r->p, case_half);
	r->y = c->build(r->p, c->n);
	program_seed(r->p, r->y);
	TRY(program_plan(r->p, device));
	r->block = device->alloc(program_bytes(r->p));
	TRY(program_bind(r->p, r->block));
	case_state = 88172645463325252ull;
	for (int i = 0;; i++) {
		tensor t = program_input_at(r->p, i);
		real *host;

		if (!t)
			break;
		if (t->type != TYPE_REAL && t->type != TYPE_BF16)
			continue;
		host = malloc(t->count * sizeof(*host));
		for (int64_t j = 0; j < t->count; j++)
			host[j] = case_random();
		tensor_put(r->p, t, host);
		free(host);
	}
	if (c->fill)
		c->fill(r->p, c->n);
	r->dy = malloc(r->y->count * sizeof(*r->dy));
	for (int64_t j = 0; j < r->y->count; j++)
		r->dy[j] = case_random();
	return 0;
}

static void case_close(struct case_run *r, const struct device *device)
{
	program_free(r->p);
	device->release(r->block);
	free(r->dy);
}

/* Forward and backward from the case's random output gradient. */
__attribute__((unused)) static void case_walk(struct case_run *r)
{
	program_forward(r->p, &r->step);
	if (r->y->grad)
		tensor_put_grad(r->p, r->y, r->dy);
	program_backward(r->p, &r->step);
}

static const char *case_name(const struct op_case *c)
{
	static char text[160];
	int used = snprintf(text, sizeof(text), "%s", c->op);

	for (int i = 0; i < 8 && c->n[i]; i++)
		used += snprintf(text + used, sizeof(text) - used, " %lld", (long long)c->n[i]);
	return text;
}

#endif
