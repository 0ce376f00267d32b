/* What tests/golden/make_checkpoints.py put into its files: element i of tensor k by formula. */
#ifndef TESTS_CHECKPOINT_VALUES_H
#define TESTS_CHECKPOINT_VALUES_H

#include "lib/io/checkpoint.h"
#include "tests/tap.h"

struct expected {
	const char *name;
	enum number_type type;
	int dims;
	int64_t shape[3];
	int k;		     /* -1: values are listed */
	int64_t at[3], from; /* element (a, b, c) is number from + a at[0] + b at[1] + c at[2] */
	double listed[3];
};

static const struct expected expected[] = {
	{"plain", NUMBER_F32, 2, {3, 4}, 0, {4, 1}},
	{"tied", NUMBER_F32, 2, {3, 4}, 0, {4, 1}},
	{"transposed", NUMBER_F32, 2, {3, 5}, 1, {1, 3}},
	{"slice", NUMBER_F32, 2, {4, 2}, 2, {4, 1}, 5},
	{"permuted", NUMBER_F32, 3, {4, 2, 3}, 3, {1, 12, 4}},
	{"bf16", NUMBER_BF16, 1, {7}, 4, {1}},
	{"half", NUMBER_F16, 2, {3, 3}, 5, {3, 1}},
	{"double", NUMBER_F64, 1, {4}, 6, {1}},
	{"count", NUMBER_I64, 0, {0}, -1, {0}, 0, {12345678901}},
	{"int", NUMBER_I32, 1, {2}, -1, {0}, 0, {-7, 7}},
	{"flags", NUMBER_BOOL, 1, {3}, -1, {0}, 0, {1, 0, 1}},
	{"bytes", NUMBER_U8, 1, {2}, -1, {0}, 0, {0, 200}},
	{"empty", NUMBER_F32, 2, {0, 4}, 0, {4, 1}},
	{"scalar", NUMBER_F32, 0, {0}, -1, {0}, 0, {2.5}},
	{"parameter", NUMBER_F32, 2, {2, 2}, 7, {2, 1}},
};
#define EXPECTED (int)(sizeof(expected) / sizeof(*expected))

static double expected_value(const struct expected *e, int64_t i)
{
	int64_t index[3] = {0}, n = e->from;

	if (e->k < 0)
		return e->listed[i];
	for (int d = e->dims; d-- > 0; i /= e->shape[d])
		index[d] = i % e->shape[d];
	for (int d = 0; d < e->dims; d++)
		n += index[d] * e->at[d];
	return ((7 * n + 3 * e->k) % 23 - 11) / 2.0;
}

static void check_one(const struct checkpoint *c, const char *name)
{
	const struct tensor_view *v = checkpoint_find(c, name);
	const struct expected *e = expected;
	double d[64];
	float f[64];
	int good;

	while (strcmp(e->name, name))
		e++;
	good = v && v->type == e->type && v->dims == e->dims &&
	       !memcmp(v->shape, e->shape, e->dims * sizeof(*e->shape)) && v->count <= 64 &&
	       !checkpoint_double(c, v, d) && !checkpoint_float(c, v, f);
	for (int64_t i = 0; good && i < v->count; i++)
		good = d[i] == expected_value(e, i) && f[i] == (float)expected_value(e, i);
	ok(good, "%s: type, shape and values", name);
}

__attribute__((unused)) static void check_values(const struct checkpoint *c)
{
	for (int i = 0; i < EXPECTED; i++)
		check_one(c, expected[i].name);
	ok(checkpoint_count(c) == EXPECTED + 1, "nothing else is there");
}

#endif
