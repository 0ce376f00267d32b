/*
 * Every case of the table in float: the fast form against the reference loops; one, two and three
 * threads, and two runs, to the same bits; outputs poisoned with NaN before.
 */
#include <omp.h>
#include "tests/op_cases.h"

/* Output and all input gradients one after another. */
static float *collect(struct case_run *r, int64_t *count)
{
	float *all = NULL;
	int64_t n = 0;

	for (int i = -1;; i++) {
		tensor t = i < 0 ? r->y : program_input_at(r->p, i);

		if (!t)
			break;
		if (i >= 0 && (!(t->flags & TENSOR_GRAD) || !t->grad))
			continue;
		all = realloc(all, (n + t->count) * sizeof(*all));
		if (i < 0)
			tensor_get(r->p, t, all + n);
		else
			tensor_get_grad(r->p, t, all + n);
		n += t->count;
	}
	*count = n;
	return all;
}

static float *walk(const struct op_case *c, const struct device *device, int threads, int64_t *n)
{
	struct case_run r;
	float *all;

	omp_set_num_threads(threads);
	if (case_open(&r, c, device)) {
		diag("%s: %s", case_name(c), error_message());
		return NULL;
	}
	memset(r.block, 0xff, program_bytes(r.p)); /* NaN */
	case_walk(&r);
	all = collect(&r, n);
	case_close(&r, device);
	return all;
}

static double distance(const float *a, const float *b, int64_t n)
{
	double num = 0, den = 0;

	for (int64_t i = 0; i < n; i++) {
		num += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
		den += (double)b[i] * b[i];
	}
	return sqrt(num) / (sqrt(den) + 1e-12);
}

static void check(const struct op_case *c)
{
	int64_t n = 0;
	float *plain = walk(c, device_cpu_plain(), 1, &n), *one = walk(c, device_cpu(), 1, &n);
	float *two = walk(c, device_cpu(), 2, &n), *three = walk(c, device_cpu(), 3, &n);
	float *again = walk(c, device_cpu(), 2, &n);
	int good = plain && one && two && three && again;
	double e = good ? distance(one, plain, n) : NAN;

	if (!ok(e <= 1e-5, "%s: fast equals plain", case_name(c)))
		diag("relative distance %g", e);
	ok(good && !memcmp(one, two, n * sizeof(*one)) && !memcmp(one, three, n * sizeof(*one)) &&
			!memcmp(two, again, n * sizeof(*one)),
		"%s: the same bits for 1, 2, 3 threads and twice", case_name(c));
	free(plain);
	free(one);
	free(two);
	free(three);
	free(again);
}

/* A device without some op, as a GPU is without those of the CPU alone. */
static void check_lacking(void)
{
	const struct op_impl *ops[OP_COUNT];
	struct device lacking = *device_cpu();
	struct case_run r;
	int refused = 0;

	memcpy(ops, lacking.ops, sizeof(ops));
	ops[OP_selective_scan_zoh] = NULL;
	lacking.ops = ops;
	lacking.name = "some device";
	for (size_t t = 0; t < sizeof(case_tables) / sizeof(case_tables[0]); t++)
		for (int i = 0; i < case_counts[t] && case_tables[t][i].op; i++) {
			const struct op_case *c = &case_tables[t][i];

			if (!c->cpu_only)
				continue;
			refused += case_open(&r, c, &lacking) == STATUS_UNAVAILABLE &&
				   strstr(error_message(), "has no form for some device") != NULL;
			program_free(r.p);
		}
	ok(refused == 2, "an op that a device lacks is refused: %s", error_message());
}

int main(void)
{
	check_lacking();
	for (size_t t = 0; t < sizeof(case_tables) / sizeof(case_tables[0]); t++)
		for (int i = 0; i < case_counts[t] && case_tables[t][i].op; i++)
			check(&case_tables[t][i]);
	return done();
}
