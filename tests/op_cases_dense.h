/* Cases of the ops in ops_basic.c and ops_dense.c. */
static tensor build_add(struct program *p, const int64_t *n)
{
	tensor a = case_input(p, "a", 2, n[0], n[1], 0, 0);
	tensor b = case_input(p, "b", 2, n[0], n[1], 0, 0);

	return add(p, add(p, a, b), add(p, a, a)); /* a is read three times */
}

static tensor build_mean_of_two(struct program *p, const int64_t *n)
{
	tensor a = case_input(p, "a", 2, n[0], n[1], 0, 0);

	return mean_of_two(p, a, case_input(p, "b", 2, n[0], n[1], 0, 0));
}

/* n: rows, in, out; n[3]: 1 with bias, 2 without, 3 with x read twice */
static tensor build_linear(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 2, n[0], n[1], 0, 0);
	tensor w = case_input(p, "weight", 2, n[2], n[1], 0, 0);
	tensor b = n[3] != 2 ? case_input(p, "bias", 1, n[2], 0, 0, 0) : NULL;
	tensor y = linear(p, x, w, b, n[3] == 1 ? 0.5 : 1);

	return n[3] == 3 ? add(p, y, linear(p, x, w, NULL, 1)) : y;
}

/* A weight of four axes over tokens. */
static tensor build_linear_patch(struct program *p, const int64_t *n)
{
	return linear(p, case_input(p, "x", 3, n[0], n[1], 12, 0),
		case_input(p, "weight", 4, n[2], 3, 2, 2), case_input(p, "bias", 1, n[2], 0, 0, 0),
		1);
}

/* n: rows, dim; n[2]: 1 plain, 2 with weight and bias, 3 the same with x read twice */
static tensor build_layernorm(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 2, n[0], n[1], 0, 0);
	tensor w = n[2] > 1 ? case_input(p, "weight", 1, n[1], 0, 0, 0) : NULL;
	tensor b = n[2] > 1 ? case_input(p, "bias", 1, n[1], 0, 0, 0) : NULL;
	tensor y = layernorm(p, x, w, b, 1e-5);

	return n[2] == 3 ? add(p, x, y) : y;
}

static tensor build_rmsnorm(struct program *p, const int64_t *n)
{
	return rmsnorm(p, case_input(p, "x", 2, n[0], n[1], 0, 0),
		case_input(p, "weight", 1, n[1], 0, 0, 0), 1e-5);
}

/* Norms of what an op stores: halves where a program keeps them. */
static tensor build_norm_stored(struct program *p, const int64_t *n)
{
	tensor x = linear(p, case_input(p, "x", 2, n[0], 8, 0, 0),
		case_input(p, "project", 2, n[1], 8, 0, 0), NULL, 1);
	tensor w = case_input(p, "weight", 1, n[1], 0, 0, 0);

	return add(p, rmsnorm(p, x, w, 1e-5),
		layernorm(p, x, w, case_input(p, "bias", 1, n[1], 0, 0, 0), 1e-5));
}

static tensor build_gelu(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 2, n[0], n[1], 0, 0);
	tensor wide = add(p, x, add(p, x, x)); /* in [-3, 3) */

	return add(p, gelu(p, wide), wide);
}

/* n: batch, L, heads, dim; n[4]: 1 all, 2 causal, 3 and 4 the same with segments, 5 read twice */
static tensor build_attention(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "qkv", 3, n[0], n[1], 3 * n[2] * n[3], 0);
	tensor s = n[4] == 3 || n[4] == 4
			   ? case_constant(p, "segments", TYPE_I32, 2, n[0], n[1], 0, 0)
			   : NULL;
	tensor y = attention(p, x, n[2], n[4] % 2 == 0, s);

	return n[4] == 5 ? add(p, y, attention(p, x, n[2], 1, NULL)) : y;
}

/* The same over what linear stores, as in a network. */
static tensor build_attention_stored(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 3, n[0], n[1], 8, 0);
	tensor w = case_input(p, "weight", 2, 3 * n[2] * n[3], 8, 0, 0);
	tensor s = n[4] == 3 || n[4] == 4
			   ? case_constant(p, "segments", TYPE_I32, 2, n[0], n[1], 0, 0)
			   : NULL;
	tensor qkv = linear(p, x, w, NULL, 1), y = attention(p, qkv, n[2], n[4] % 2 == 0, s);

	return n[4] == 5 ? add(p, y, attention(p, qkv, n[2], 1, NULL)) : y;
}

/* Samples of 5, 7, 9, ... tokens side by side. */
static void fill_samples(struct program *p, const int64_t *n)
{
	tensor t = program_find(p, "segments");
	int32_t *host = malloc(t->count * sizeof(*host)), start = 0, len = 5;

	for (int64_t i = 0; i < t->count; i++) {
		int32_t at = (int32_t)(i % t->shape[1]);

		if (at == 0)
			start = 0, len = 5;
		else if (at == start + len)
			start = at, len += 2;
		host[i] = start;
	}
	tensor_put(p, t, host);
	free(host);
}

static const struct op_case cases_dense[] = {
	{"add", build_add, {1, 1}},
	{"add", build_add, {33, 31}},
	{"add", build_add, {257, 197}},
	{"mean_of_two", build_mean_of_two, {33, 31}},
	{"linear", build_linear, {1, 1, 1, 1}},
	{"linear", build_linear, {33, 31, 17, 1}},
	{"linear", build_linear, {64, 48, 10, 2}},
	{"linear", build_linear, {197, 257, 33, 3}},
	{"linear", build_linear, {1088, 64, 80, 1}},
	{"linear", build_linear, {300, 33, 300, 1}},
	{"linear", build_linear, {3, 520, 259, 1}},
	{"linear patch", build_linear_patch, {2, 9, 40}},
	{"layernorm", build_layernorm, {1, 33, 2}},
	{"layernorm", build_layernorm, {197, 48, 3}},
	{"layernorm", build_layernorm, {1088, 192, 2}},
	{"layernorm without weight", build_layernorm, {33, 31, 1}},
	{"rmsnorm", build_rmsnorm, {33, 31}},
	{"rmsnorm", build_rmsnorm, {257, 192}},
	{"norms of stored", build_norm_stored, {21, 12}},
	{"norms of stored", build_norm_stored, {197, 192}, .large = 1},
	{"norms of stored", build_norm_stored, {33, 1030}, .large = 1},
	{"gelu", build_gelu, {1, 31}},
	{"gelu", build_gelu, {197, 100}},
	{"attention", build_attention, {2, 17, 3, 16, 1}},
	{"attention", build_attention, {1, 1, 2, 3, 1}},
	{"attention", build_attention, {1, 197, 1, 33, 1}, NULL, 0, 1},
	{"attention", build_attention, {1, 33, 1, 64, 5}},
	{"attention causal", build_attention, {2, 31, 2, 5, 2}},
	{"attention causal", build_attention, {1, 65, 1, 16, 2}},
	{"attention causal", build_attention, {1, 257, 1, 16, 2}, NULL, 0, 1},
	{"attention segments", build_attention, {2, 67, 2, 8, 3}, fill_samples},
	{"attention segments", build_attention, {2, 197, 2, 8, 3}, fill_samples, 0, 1},
	{"attention causal segments", build_attention, {2, 33, 2, 8, 4}, fill_samples},
	{"attention stored", build_attention_stored, {1, 17, 1, 16, 5}},
	{"attention stored", build_attention_stored, {1, 197, 3, 64, 1}, .large = 1},
	{"attention stored", build_attention_stored, {2, 130, 1, 64, 5}, .large = 1},
	{"attention stored", build_attention_stored, {1, 65, 2, 128, 2}, .large = 1},
	{"attention stored segments", build_attention_stored, {2, 77, 2, 32, 3}, fill_samples,
		.large = 1},
	{"attention stored causal segments", build_attention_stored, {1, 140, 1, 64, 4},
		fill_samples, .large = 1},
};
