/* bench-kernels: checks and times the ops. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/cli/recipe.h"
#include "lib/program/bench.h"
#include "lib/program/blas.h"

struct choice {
	char **ops;
	int count;
	const char *shape;
	double seconds;
	int64_t batch;
	int list;
};

enum { KEY_SECONDS = 256, KEY_LIST, KEY_BATCH, KEY_SHAPE };

static const struct argp_option options[] = {
	{"seconds", KEY_SECONDS, "S", 0, "Time each case for about S seconds (0.2)"},
	{"batch", KEY_BATCH, "N", 0, "Samples of each case that has more than one (its own)"},
	{"shape", KEY_SHAPE, "PATTERN", 0,
		"Only cases whose sizes after the first match, such as 14x384*"},
	{"list", KEY_LIST, NULL, 0, "Name the ops and stop"},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct choice *s = state->input;

	switch (key) {
	case KEY_SECONDS:
		s->seconds = cli_number(state, "--seconds", arg, 0, 3600);
		return 0;
	case KEY_BATCH:
		s->batch = cli_integer(state, "--batch", arg, 1, 1 << 20);
		return 0;
	case KEY_SHAPE:
		s->shape = arg;
		return 0;
	case KEY_LIST:
		s->list = 1;
		return 0;
	case ARGP_KEY_ARGS:
		s->ops = state->argv + state->next;
		s->count = state->argc - state->next;
		return 0;
	case ARGP_KEY_ARG:
		return ARGP_ERR_UNKNOWN;
	default:
		return 0;
	}
}

static const struct argp argp = {options, parse, "[OP...]",
	"Times every op, or those whose names match, after checking its fast form "
	"against "
	"the reference loops.\v"
	"One row for each size and pass: the error of the check, the best time, floating-point "
	"operations and bytes per second, and the share of the least time that products and bytes "
	"allow on this machine (a product inside the cache, a copy of memory).\n\n"
	"Examples:\n"
	"  bench-kernels\n"
	"  bench-kernels --threads 1 linear 'dwconv*'"};

static int wanted(const struct choice *s, const struct bench_case *c)
{
	char shape[BENCH_SHAPE];
	const char *rest;

	bench_shape(c, shape, sizeof(shape));
	rest = strchr(shape, 'x');
	if (s->shape && fnmatch(s->shape, rest ? rest + 1 : "", FNM_EXTMATCH))
		return 0;
	for (int i = 0; i < s->count; i++)
		if (!fnmatch(s->ops[i], c->op, 0))
			return 1;
	return s->count == 0;
}

/* Some ops are the CPU's alone. */
static int has_form(const struct device *device, const struct bench_case *c)
{
	for (int i = 0; i < OP_COUNT; i++)
		if (!strcmp(op_name(i), c->op))
			return device->ops[i] != NULL;
	return 1;
}

static int known(const char *pattern)
{
	for (int i = 0; i < OP_COUNT; i++)
		if (!fnmatch(pattern, op_name(i), 0))
			return 1;
	return 0;
}

static void put_row(struct result *r, const struct bench_case *c, const struct bench_times *t,
	const struct bench_limits *l, int pass)
{
	result_text(r, "op", c->op);
	result_text(r, "shape", t->shape);
	result_text(r, "pass", pass ? "backward" : "forward");
	result_real(r, "error", t->error, "%.1e");
	result_real(r, "microseconds", t->seconds[pass] * 1e6, "%.1f");
	result_real(r, "gflop_per_s", t->flops[pass] / t->seconds[pass] * 1e-9, "%.1f");
	result_real(r, "gb_per_s", t->bytes[pass] / t->seconds[pass] * 1e-9, "%.1f");
	result_real(r, "share", bench_least(t, l, pass) / t->seconds[pass], "%.3f");
	result_row(r);
}

static int time_all(const struct choice *s, struct result *r)
{
	const struct bench_case *c;
	const struct device *device;
	struct bench_limits limits;

	TRY(cli_open_device(&device));
	TRY(bench_limits(&limits, device, s->seconds));
	cli_say("%s, %d threads: product %.1f GFLOP/s, copy %.1f GB/s in cache, %.1f GB/s in "
		"memory",
		device->name, cli.threads, limits.flops * 1e-9, limits.cached * 1e-9,
		limits.bytes * 1e-9);
	for (int i = 0; (c = bench_case_at(i)); i++) {
		struct bench_case sized;
		struct bench_times t;

		if (!wanted(s, c))
			continue;
		if (!has_form(device, c)) {
			cli_say("%s has no form for %s: left out", c->op, device->name);
			continue;
		}
		sized = *c;
		if (s->batch && c->n[0] > 1)
			sized.n[0] = s->batch;
		TRY(bench_run(&sized, device, s->seconds, &t));
		for (int pass = 0; pass < 2; pass++)
			if (t.seconds[pass] > 0)
				put_row(r, c, &t, &limits, pass);
	}
	return 0;
}

static int run(const struct choice *s)
{
	struct result *r;
	int status;

	TRY(blas_start());
	for (int i = 0; i < s->count; i++)
		if (!known(s->ops[i]))
			return error(STATUS_USAGE, "no op is called %s: see --list", s->ops[i]);
	r = result_new(stdout);
	if (!r)
		return STATUS_SYSTEM;
	if (!s->list) {
		status = time_all(s, r);
		result_free(r);
		return status;
	}
	for (int i = 0; i < OP_COUNT; i++) {
		result_text(r, "op", op_name(i));
		result_row(r);
	}
	result_free(r);
	return 0;
}

int main(int argc, char **argv)
{
	struct choice s = {.seconds = 0.2};

	cli_start(&argp, argc, argv, &s, CLI_DEVICE | CLI_THREADS | CLI_JSON);
	return cli_end(run(&s));
}
