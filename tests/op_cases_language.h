/* Cases of what language models add: embedding, label_entropy, walks in pieces. */

/* n: batch, L, vocabulary, C */
static tensor build_embedding(struct program *p, const int64_t *n)
{
	tensor ids = case_constant(p, "ids", TYPE_I32, 2, n[0], n[1], 0, 0);

	return embedding(p, ids, case_input(p, "table", 2, n[2], n[3], 0, 0));
}

/* n: batch, L, classes; n[3]: 2 logits that an op stores */
static tensor build_label_entropy(struct program *p, const int64_t *n)
{
	tensor labels = case_constant(p, "ids", TYPE_I32, 2, n[0], n[1], 0, 0);
	tensor x = case_input(p, "logits", 3, n[0], n[1], n[3] == 2 ? 8 : n[2], 0);

	if (n[3] == 2)
		x = linear(p, x, case_input(p, "weight", 2, n[2], 8, 0, 0), NULL, 1);
	return label_entropy(p, x, labels);
}

/* Numbers that come again and again, some outside the table. */
static void fill_ids(struct program *p, const int64_t *n)
{
	tensor t = program_find(p, "ids");
	int32_t *host = malloc(t->count * sizeof(*host));

	for (int64_t i = 0; i < t->count; i++)
		host[i] = (int32_t)(i * i % (n[2] + 2)) - 1;
	tensor_put(p, t, host);
	free(host);
}

/* What an op leaves, without a gradient. */
static tensor case_left(
	struct program *p, const char *name, int dims, int64_t a, int64_t b, int64_t c)
{
	tensor t = case_constant(p, name, TYPE_REAL, dims, a, b, c, 0);

	if (t && case_half)
		t->type = TYPE_BF16;
	return t;
}

/* A start that is made anew in every walk. */
static tensor case_start(struct program *p, int64_t a, int64_t b, int64_t c)
{
	tensor from = case_constant(p, "from", TYPE_REAL, 3, a, b, c, 0);

	return add(p, from, from);
}

/* Two rows one after the other. n: batch, L of the first, L of the second, E, N */
static tensor build_scan_carried(struct program *p, const int64_t *n)
{
	struct scan_settings s = {1, 1, 1, 1, NULL, NULL, case_start(p, n[0], n[3], n[4])};
	int64_t E = n[3], N = n[4];
	tensor y[2], w[3];

	program_set_mode(p, PROGRAM_EVAL);
	w[0] = case_constant(p, "beta", TYPE_REAL, 1, E, 0, 0, 0);
	w[1] = case_constant(p, "A_log", TYPE_REAL, 2, E, N, 0, 0);
	w[2] = case_constant(p, "D", TYPE_REAL, 1, E, 0, 0, 0);
	for (int i = 0; i < 2; i++) {
		int64_t L = n[1 + i];

		y[i] = selective_scan(p, &s, case_left(p, i ? "u1" : "u", 3, n[0], L, E),
			case_left(p, i ? "r1" : "r", 3, n[0], L, E), w[0], w[1],
			case_left(p, i ? "B1" : "B", 3, n[0], L, N),
			case_left(p, i ? "C1" : "C", 3, n[0], L, N), w[2], NULL, NULL);
	}
	program_set_mode(p, PROGRAM_TRAIN);
	return concat_tokens(p, 2, y, 1);
}

static tensor build_dwconv1d_carried(struct program *p, const int64_t *n)
{
	tensor window = case_start(p, n[0], 3, n[3]), y[2];
	tensor weight = case_constant(p, "weight", TYPE_REAL, 3, n[3], 1, 4, 0);
	tensor bias = case_constant(p, "bias", TYPE_REAL, 1, n[3], 0, 0, 0);

	program_set_mode(p, PROGRAM_EVAL);
	for (int i = 0; i < 2; i++)
		y[i] = dwconv1d_carried(p, case_left(p, i ? "x1" : "x", 3, n[0], n[1 + i], n[3]),
			weight, bias, window);
	program_set_mode(p, PROGRAM_TRAIN);
	return concat_tokens(p, 2, y, 1);
}

static const struct op_case cases_language[] = {
	{"embedding", build_embedding, {2, 9, 7, 5}, fill_ids},
	{"embedding", build_embedding, {3, 257, 50, 96}, fill_ids, .large = 1},
	{"embedding", build_embedding, {4, 300, 3, 1000}, fill_ids, .large = 1},
	{"label_entropy", build_label_entropy, {3, 5, 7}, fill_ids},
	{"label_entropy", build_label_entropy, {2, 31, 1031}, fill_ids, .large = 1},
	{"label_entropy stored", build_label_entropy, {2, 33, 200, 2}, fill_ids},
	{"selective_scan carried", build_scan_carried, {2, 1, 5, 33, 3}},
	{"selective_scan carried", build_scan_carried, {3, 31, 1, 70, 16}},
	{"selective_scan carried", build_scan_carried, {2, 9, 17, 40, 20}},
	{"dwconv1d_silu carried", build_dwconv1d_carried, {2, 1, 2, 33}},
	{"dwconv1d_silu carried", build_dwconv1d_carried, {3, 2, 1, 64}},
	{"dwconv1d_silu carried", build_dwconv1d_carried, {2, 33, 70, 40}},
};
