#include "lib/program/bench.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/program/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ERROR_MAX 1e-4 /* relative, between fast form and reference */
#define CHECK_BATCH 2  /* samples in a check */

/* A built, planned and filled program. */
struct subject {
	struct program *p;
	const struct device *device;
	tensor y;
	void *block;
	struct step step;
	uint64_t random;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* Uniform in [-1, 1) */
static real draw(struct subject *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (real)((double)(s->random >> 11) / 4503599627370496.0 - 1);
}

/* Reals are random, integers zero: labels, tables of what is erased and mixed. */
static int fill(struct subject *s, tensor t, int gradient)
{
	void *host = memory_new(t->count, sizeof(real));

	if (!host)
		return STATUS_SYSTEM;
	if ((t->type == TYPE_REAL || t->type == TYPE_BF16) && t->dims > 0 && strcmp(t->name, "mix"))
		for (int64_t i = 0; i < t->count; i++)
			((real *)host)[i] = draw(s);
	for (int64_t i = 0; !strcmp(t->name, "gate") && i < t->count; i++)
		((real *)host)[i] = 1;
	if (!strcmp(t->name, "v") || !strcmp(t->name, "norm2")) /* squares */
		for (int64_t i = 0; i < t->count; i++)
			((real *)host)[i] *= ((real *)host)[i];
	if (gradient)
		tensor_put_grad(s->p, t, host);
	else
		tensor_put(s->p, t, host);
	free(host);
	return 0;
}

static void subject_close(struct subject *s)
{
	program_free(s->p);
	if (s->block)
		s->device->release(s->block);
	memset(s, 0, sizeof(*s));
}

static int subject_open(struct subject *s, const struct bench_case *c, const int64_t *n,
	const struct device *device)
{
	memset(s, 0, sizeof(*s));
	s->step = (struct step){.lr = (real)1e-3, .step = 3, .divisor = 1, .scale = 1};
	s->random = 88172645463325252ull;
	s->device = device;
	s->p = program_new(PROGRAM_TRAIN);
	if (!s->p)
		return STATUS_SYSTEM;
	program_set_half(s->p, device->half);
	s->y = c->build(s->p, n);
	if (s->y)
		program_seed(s->p, s->y);
	TRY(program_plan(s->p, device));
	s->block = device->alloc(program_bytes(s->p) + 1);
	if (!s->block)
		return STATUS_SYSTEM;
	TRY(program_bind(s->p, s->block));
	for (int i = 0; program_input_at(s->p, i); i++)
		TRY(fill(s, program_input_at(s->p, i), 0));
	return 0;
}

/* Forward, and backward from random gradients (whose memory forward may use). */
static int walk(struct subject *s)
{
	program_forward(s->p, &s->step);
	if (s->y && s->y->grad)
		TRY(fill(s, s->y, 1));
	program_backward(s->p, &s->step);
	return 0;
}

/* Adds the squares of a - b and of b. */
static int compare(
	struct subject *a, tensor x, struct subject *b, tensor y, int gradient, double sums[2])
{
	real *first = memory_new(x->count, sizeof(real)),
	     *second = memory_new(x->count, sizeof(real));
	int status = first && second ? 0 : STATUS_SYSTEM;

	if (!status && gradient) {
		tensor_get_grad(a->p, x, first);
		tensor_get_grad(b->p, y, second);
	} else if (!status) {
		tensor_get(a->p, x, first);
		tensor_get(b->p, y, second);
	}
	for (int64_t i = 0; i < x->count && !status; i++) {
		double d = (double)first[i] - second[i];

		sums[0] += d * d;
		sums[1] += (double)second[i] * second[i];
	}
	free(first);
	free(second);
	return status;
}

/* Relative distance of output, gradients and (for ops that write in place) inputs. */
static int distance(struct subject *a, struct subject *b, double *far)
{
	double sums[2] = {0, 0};

	if (a->y)
		TRY(compare(a, a->y, b, b->y, 0, sums));
	for (int i = 0; program_input_at(a->p, i); i++) {
		tensor x = program_input_at(a->p, i), y = program_input_at(b->p, i);

		if (x->type != TYPE_REAL)
			continue;
		TRY(compare(a, x, b, y, 0, sums));
		if (x->flags & TENSOR_GRAD && x->grad)
			TRY(compare(a, x, b, y, 1, sums));
	}
	*far = sqrt(sums[0]) / (sqrt(sums[1]) + 1e-30);
	return 0;
}

/* bf16 has 8 bits, tf32 11. */
static double error_max(const struct device *d)
{
	return d->half ? 3e-2 : d->finish ? 3e-3 : ERROR_MAX;
}

static int check(const struct bench_case *c, const struct device *device, double *far)
{
	struct subject fast, plain;
	int64_t n[BENCH_SIZES];
	int status;

	memcpy(n, c->n, sizeof(n));
	n[0] = n[0] < CHECK_BATCH ? n[0] : CHECK_BATCH;
	memset(&plain, 0, sizeof(plain));
	status = subject_open(&fast, c, n, device);
	if (!status)
		status = subject_open(&plain, c, n, device_cpu_plain());
	if (!status)
		status = walk(&fast);
	if (!status)
		status = walk(&plain);
	if (!status)
		status = distance(&fast, &plain, far);
	subject_close(&fast);
	if (plain.p)
		subject_close(&plain);
	if (!status && device->finish)
		status = device->finish();
	if (!status && !(*far <= error_max(device)))
		return error_context(
			error(STATUS_BUG, "fast form and reference differ by %g", *far), "%s",
			c->op);
	return error_context(status, "%s", c->op);
}

/* What forward and backward must move at least: every input, output and gradient once. */
static void count(struct subject *s, const struct bench_case *c, struct bench_times *t)
{
	double values = s->y ? s->y->count * type_size(s->y->type) : 0, gradients = values;

	for (int i = 0; program_input_at(s->p, i); i++) {
		tensor x = program_input_at(s->p, i);

		values += x->count * type_size(x->type);
		gradients += x->grad ? 2.0 * x->count * type_size(x->type) : 0;
	}
	t->bytes[0] = s->y ? values : 2 * values; /* in place: read and written */
	t->bytes[1] = gradients;
	t->flops[0] = c->flops ? c->flops(c->n) : 0;
	t->flops[1] = t->flops[0] * c->backward;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

/* Seconds of one walk: of several in a row where the device runs by itself. */
static int time_walk(struct subject *s, int backward, double *seconds)
{
	int n = s->device->finish ? 20 : 1;
	double from;

	if (s->device->finish)
		TRY(s->device->finish());
	from = now();
	for (int i = 0; i < n; i++)
		if (backward)
			program_backward(s->p, &s->step);
		else
			program_forward(s->p, &s->step);
	if (s->device->finish)
		TRY(s->device->finish());
	*seconds = (now() - from) / n;
	return 0;
}

static int time_walks(struct subject *s, double seconds, struct bench_times *t)
{
	int backward = s->y && s->y->grad;
	double end = now() + seconds;

	t->seconds[0] = t->seconds[1] = INFINITY;
	for (int i = 0; i < 2 || now() < end; i++) {
		double one[2] = {0, 0};

		TRY(time_walk(s, 0, &one[0]));
		if (backward)
			TRY(time_walk(s, 1, &one[1]));
		if (i > 0) { /* the first touches the memory */
			t->seconds[0] = least(t->seconds[0], one[0]);
			t->seconds[1] = least(t->seconds[1], one[1]);
		}
	}
	if (!backward)
		t->seconds[1] = 0;
	return 0;
}

void bench_shape(const struct bench_case *c, char *text, size_t size)
{
	int used = 0;

	text[0] = '\0';
	for (int i = 0; i < BENCH_SIZES && c->n[i] && used < (int)size; i++)
		used += snprintf(
			text + used, size - used, "%s%lld", i ? "x" : "", (long long)c->n[i]);
}

int bench_run(const struct bench_case *c, const struct device *device, double seconds,
	struct bench_times *t)
{
	struct subject s;
	int status;

	memset(t, 0, sizeof(*t));
	bench_shape(c, t->shape, sizeof(t->shape));
	TRY(check(c, device, &t->error));
	status = subject_open(&s, c, c->n, device);
	if (!status) {
		count(&s, c, t);
		status = time_walks(&s, seconds, t);
	}
	subject_close(&s);
	return error_context(status, "%s", c->op);
}

static tensor build_product(struct program *p, const int64_t *n)
{
	return linear(p, program_input(p, "x", TYPE_REAL, 2, n),
		program_input(p, "weight", TYPE_REAL, 2, (int64_t[]){n[2], n[1]}), NULL, 1);
}

/* Bytes read and written per second by a copy of `bytes`. */
static int copy_speed(size_t bytes, double seconds, double *speed)
{
	const size_t part = 64 << 10;
	char *from = memory_new(bytes, 1), *to = memory_new(bytes, 1);
	double end = now() + seconds, best = INFINITY;
	int status = from && to ? 0 : STATUS_SYSTEM;

	for (int i = 0; !status && (i < 2 || now() < end); i++) {
		double start = now();

#pragma omp parallel for schedule(static)
		for (size_t at = 0; at < bytes; at += part)
			memcpy(to + at, from + at, part);
		if (i > 0)
			best = least(best, now() - start);
	}
	*speed = 2.0 * bytes / best;
	free(from);
	free(to);
	return status;
}

static tensor build_copy(struct program *p, const int64_t *n)
{
	tensor x = program_input(p, "x", TYPE_REAL, 1, n);

	return add(p, x, x);
}

/* A product and a copy that fill a GPU. */
static int device_limits(struct bench_limits *l, const struct device *device, double seconds)
{
	struct bench_case product = {"linear", build_product, NULL, 0, {32768, 4096, 4096}};
	struct bench_case copy = {"add", build_copy, NULL, 0, {1 << 27}};
	struct bench_times t;

	TRY(bench_run(&product, device, seconds, &t));
	l->flops = 2.0 * 32768 * 4096 * 4096 / t.seconds[0];
	TRY(bench_run(&copy, device, seconds, &t));
	l->bytes = l->cached = 8.0 * (1 << 27) / t.seconds[0];
	l->cache = 0;
	return 0;
}

int bench_limits(struct bench_limits *l, const struct device *device, double seconds)
{
	struct bench_case product = {"linear", build_product, NULL, 0, {1920, 256, 512}};
	struct bench_times t;

	if (device->finish)
		return device_limits(l, device, seconds);
	TRY(bench_run(&product, device, seconds, &t));
	l->flops = 2.0 * 1920 * 256 * 512 / t.seconds[0];
	TRY(copy_speed(1 << 20, seconds, &l->cached));
	l->cache = sysconf(_SC_LEVEL3_CACHE_SIZE) > 0 ? sysconf(_SC_LEVEL3_CACHE_SIZE) : 8 << 20;
	return copy_speed(64 << 20, seconds, &l->bytes);
}

double bench_least(const struct bench_times *t, const struct bench_limits *l, int pass)
{
	double bytes = t->bytes[pass] <= l->cache ? l->cached : l->bytes;

	return fmax(t->flops[pass] / l->flops, t->bytes[pass] / bytes);
}
