/*
 * Every case of the op table on the GPU: against the CPU's reference loops, in float (or tf32) and
 * in bf16; call by call and as a graph, and twice, to the same bits; outputs poisoned with NaN
 * before. One precision a process: the first argument, or children for all of them. OP=text takes
 * the cases whose name and sizes begin so; ONCE=1 runs each but once, for tools that slow kernels
 * down.
 */
#include <omp.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/op_cases.h"

static const struct device *gpu;

struct outcome {
	float *all; /* output, then every input gradient */
	int64_t n;
	int status;
};

static int is_input_gradient(tensor t)
{
	return t->flags & TENSOR_GRAD && t->grad;
}

static void collect(struct case_run *r, struct outcome *o)
{
	for (int i = -1;; i++) {
		tensor t = i < 0 ? r->y : program_input_at(r->p, i);

		if (!t)
			return;
		if (i >= 0 && !is_input_gradient(t))
			continue;
		o->all = realloc(o->all, (o->n + t->count) * sizeof(*o->all));
		if (i < 0)
			tensor_get(r->p, t, o->all + o->n);
		else
			tensor_get_grad(r->p, t, o->all + o->n);
		o->n += t->count;
	}
}

static void poison(struct case_run *r, const struct device *d)
{
	size_t bytes = program_bytes(r->p);
	char *nan = malloc(bytes + 1);

	memset(nan, 0xff, bytes);
	d->put(r->block, nan, bytes);
	free(nan);
}

/* walks: 1, or 2 to run the recorded graph a second time */
static struct outcome run_case(const struct op_case *c, const struct device *d, int half, int walks)
{
	struct outcome o = {NULL, 0, 0};
	struct case_run r;

	case_half = half;
	o.status = case_open(&r, c, d);
	case_half = 0;
	if (o.status)
		return o;
	for (int i = 0; i < walks; i++) {
		poison(&r, d);
		case_walk(&r);
	}
	collect(&r, &o);
	if (d->finish)
		o.status = d->finish();
	case_close(&r, d);
	return o;
}

static double distance(const struct outcome *a, const struct outcome *b)
{
	double num = 0, den = 0;

	if (a->n != b->n)
		return NAN;
	for (int64_t i = 0; i < a->n; i++) {
		num += ((double)a->all[i] - b->all[i]) * ((double)a->all[i] - b->all[i]);
		den += (double)b->all[i] * b->all[i];
	}
	return sqrt(num) / (sqrt(den) + 1e-12);
}

static int same(const struct outcome *a, const struct outcome *b)
{
	return a->n == b->n && a->n && !memcmp(a->all, b->all, a->n * sizeof(*a->all));
}

static void check(const struct op_case *c, enum precision precision)
{
	static const double bounds[] = {1e-5, 3e-3, 2e-2};
	struct outcome cpu, plain, graph, again;
	int half = precision == PRECISION_BF16;
	double e;

	cpu = run_case(c, device_cpu_plain(), 0, 1);
	device_use_graphs(0);
	plain = run_case(c, gpu, half, 1);
	if (plain.status == STATUS_UNAVAILABLE || c->cpu_only) {
		ok(c->cpu_only && plain.status == STATUS_UNAVAILABLE, "%s: %s", case_name(c),
			error_message());
		free(cpu.all);
		return;
	}
	e = plain.status || cpu.status ? NAN : distance(&plain, &cpu);
	if (!ok(e <= bounds[precision], "%s: equals the CPU (%.1e)", case_name(c), e))
		diag("relative distance %g, bound %g, %s", e, bounds[precision],
			plain.status ? error_message() : "");
	if (getenv("ONCE")) {
		free(cpu.all);
		free(plain.all);
		return;
	}
	again = run_case(c, gpu, half, 1);
	device_use_graphs(1);
	graph = run_case(c, gpu, half, 2);
	ok(same(&plain, &again), "%s: twice the same bits", case_name(c));
	ok(same(&plain, &graph), "%s: the same bits as a graph", case_name(c));
	free(cpu.all);
	free(plain.all);
	free(graph.all);
	free(again.all);
}

static const char *const names[] = {"fp32", "tf32", "bf16"};

static int run_precision(int precision)
{
	const char *only = getenv("OP");

	if (device_cuda(&gpu, 0, precision)) {
		skip(error_message());
		return done();
	}
	diag("%s, %s", gpu->name, names[precision]);
	for (size_t t = 0; t < sizeof(case_tables) / sizeof(case_tables[0]); t++)
		for (int i = 0; i < case_counts[t] && case_tables[t][i].op; i++)
			if (!only || !strncmp(only, case_name(&case_tables[t][i]), strlen(only)))
				check(&case_tables[t][i], precision);
	return done();
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc > 1)
		return run_precision(atoi(argv[1]));
	for (int i = 0; i < 3; i++) {
		char command[4200];

		snprintf(command, sizeof(command), "'%s' %d > /tmp/gpu_ops.%d.%d 2>&1", argv[0], i,
			(int)getpid(), i);
		failed = system(command);
		ok(!failed, "all cases in %s", names[i]);
		snprintf(command, sizeof(command),
			"grep -A1 '^not ok' /tmp/gpu_ops.%d.%d | sed 's/^/# /'; grep '^# cuda' "
			"/tmp/gpu_ops.%d.%d; grep -c '^ok' /tmp/gpu_ops.%d.%d | sed 's/^/# passed "
			"/'; "
			"rm -f /tmp/gpu_ops.%d.%d",
			(int)getpid(), i, (int)getpid(), i, (int)getpid(), i, (int)getpid(), i);
		if (system(command))
			diag("no output of %s", names[i]);
	}
	return done();
}
