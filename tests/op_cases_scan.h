/* Cases of the ops in ops_scan.c and ops_loss.c. */

/*
 * n: family, height, width, E, N; bits of n[5]: 1 by token, 2 merged, 4 segments, 16 halves, 32 the
 * last direction alone, 64 zero-order hold
 */
static tensor build_scan(struct program *p, const int64_t *n)
{
	static int32_t order[4 * 3137], code[4 * 3137];
	enum order_family family = n[0] - 1;
	int64_t L = n[1] * n[2], E = n[3], N = n[4], flags = n[5];
	struct scan_settings s = {order_directions(family), flags & 1, flags >> 1 & 1, 2, order,
		family == ORDER_CONTINUOUS ? code : NULL, NULL, flags >> 6 & 1};

	tensor (*take)(struct program *, const char *, int, int64_t, int64_t, int64_t, int64_t) =
		flags & 16 ? case_half_input : case_input;

	order_fill(family, n[1], n[2], order, code);
	if (flags & 32) {
		s.order += (s.directions - 1) * L;
		s.directions = 1;
	}
	return selective_scan(p, &s, take(p, "u", 3, 2, L, E, 0), take(p, "r", 3, 2, L, E, 0),
		case_input(p, "beta", 1, E, 0, 0, 0), case_input(p, "A_log", 2, E, N, 0, 0),
		take(p, "B", 3, 2, L, N, 0), take(p, "C", 3, 2, L, N, 0),
		case_input(p, "D", 1, E, 0, 0, 0),
		family == ORDER_CONTINUOUS ? case_input(p, "direction_B", 2, 5, N, 0, 0) : NULL,
		flags & 4 ? case_constant(p, "segments", TYPE_I32, 2, 2, L, 0, 0) : NULL);
}

/* Samples of 3 tokens in a row. */
static void fill_segments(struct program *p, const int64_t *n)
{
	tensor t = program_find(p, "segments");
	int32_t *host;

	if (!t)
		return;
	host = malloc(t->count * sizeof(*host));
	for (int64_t i = 0; i < t->count; i++)
		host[i] = (int32_t)(i % t->shape[1] / 3 * 3);
	tensor_put(p, t, host);
	free(host);
}

/* n: batch, height, width, E, k */
static tensor build_dwconv2d(struct program *p, const int64_t *n)
{
	return dwconv2d_silu(p, case_input(p, "x", 3, n[0], n[1] * n[2], n[3], 0), n[1], n[2],
		case_input(p, "weight", 4, n[3], 1, n[4], n[4]),
		case_input(p, "bias", 1, n[3], 0, 0, 0));
}

/* The second one's input is what an op stores: halves where a program keeps them. */
static tensor build_dwconv2d_twice(struct program *p, const int64_t *n)
{
	return dwconv2d_silu(p, build_dwconv2d(p, n), n[1], n[2],
		case_input(p, "weight2", 4, n[3], 1, n[4], n[4]),
		case_input(p, "bias2", 1, n[3], 0, 0, 0));
}

static tensor build_dwconv2d_alone(struct program *p, const int64_t *n)
{
	return dwconv2d(p, build_dwconv2d(p, n), n[1], n[2],
		case_input(p, "weight2", 4, n[3], 1, n[4], n[4]),
		case_input(p, "bias2", 1, n[3], 0, 0, 0));
}

/* Without bias. */
static tensor build_dwconv2d_plain(struct program *p, const int64_t *n)
{
	return dwconv2d_silu(p, case_input(p, "x", 3, n[0], n[1] * n[2], n[3], 0), n[1], n[2],
		case_input(p, "weight", 4, n[3], 1, n[4], n[4]), NULL);
}

/* n: batch, L, E; n[3]: 1 causal, 2 mirrored, 3 and 4 the same with segments */
static tensor build_dwconv1d(struct program *p, const int64_t *n)
{
	return dwconv1d_silu(p, case_input(p, "x", 3, n[0], n[1], n[2], 0),
		case_input(p, "weight", 3, n[2], 1, 4, 0), case_input(p, "bias", 1, n[2], 0, 0, 0),
		n[3] % 2 == 0,
		n[3] > 2 ? case_constant(p, "segments", TYPE_I32, 2, n[0], n[1], 0, 0) : NULL);
}

static tensor build_dwconv1d_twice(struct program *p, const int64_t *n)
{
	return dwconv1d_silu(p, build_dwconv1d(p, n), case_input(p, "weight2", 3, n[2], 1, 4, 0),
		case_input(p, "bias2", 1, n[2], 0, 0, 0), n[3] % 2 == 0, NULL);
}

/* n: batch, K, L, E */
static tensor build_gate(struct program *p, const int64_t *n)
{
	return gate(p, case_input(p, "y", 4, n[0], n[1], n[2], n[3]),
		case_input(p, "z", 3, n[0], n[2], n[3], 0));
}

static tensor build_gate_pair(struct program *p, const int64_t *n)
{
	return gate_pair(p, case_input(p, "y", 4, n[0], n[1], n[2], n[3]),
		case_input(p, "y2", 4, n[0], n[1], n[2], n[3]), (real)0.25,
		case_input(p, "z", 3, n[0], n[2], n[3], 0));
}

static tensor build_gate_merged(struct program *p, const int64_t *n)
{
	return gate(p, case_input(p, "y", 3, n[0], n[1], n[2], 0),
		case_input(p, "z", 3, n[0], n[1], n[2], 0));
}

/* All halves where a program keeps them; a is read twice. n: batch, L, W, W' */
static tensor build_gate_join(struct program *p, const int64_t *n)
{
	tensor a = case_half_input(p, "a", 3, n[0], n[1], n[2], 0);

	return gate_join(p,
		gate_join(p, a, case_half_input(p, "b", 3, n[0], n[1], n[3], 0),
			case_half_input(p, "c", 3, n[0], n[1], n[2] - n[3], 0)),
		case_input(p, "b2", 3, n[0], n[1], n[2] - n[3], 0),
		case_input(p, "c2", 3, n[0], n[1], n[3], 0));
}

/* With stochastic depth of one half: the stream of the next tap holds kept and dropped samples. */
static tensor build_directions(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 3, n[0], n[2], n[3], 0);
	tensor o = case_input(p, "o", 4, n[0], n[1], n[2], n[3]);
	tensor y = merge_directions(p, x, o, 0.5, 3);

	return tap_resid(p, y, tap_resid(p, x, o, 4), 2);
}

static tensor build_mean_directions(struct program *p, const int64_t *n)
{
	return mean_directions(p, case_input(p, "s", 4, n[0], n[1], n[2], n[3]));
}

/* Inputs r, b, A, B, C, D of the k-th scan of VMamba's four. */
static void cross_inputs(struct program *p, int k, const int64_t *n, int half, tensor in[6])
{
	static char name[4][6][4];
	int64_t L = n[0] * n[1], E = n[2], N = n[3];

	tensor (*take)(struct program *, const char *, int, int64_t, int64_t, int64_t, int64_t) =
		half ? case_half_input : case_input;

	for (int i = 0; i < 6; i++)
		snprintf(name[k][i], sizeof(name[k][i]), "%c%d", "rbABCD"[i], k);
	in[0] = take(p, name[k][0], 3, 2, L, E, 0);
	in[1] = case_input(p, name[k][1], 1, E, 0, 0, 0);
	in[2] = case_input(p, name[k][2], 2, E, N, 0, 0);
	in[3] = take(p, name[k][3], 3, 2, L, N, 0);
	in[4] = take(p, name[k][4], 3, 2, L, N, 0);
	in[5] = case_input(p, name[k][5], 1, E, 0, 0, 0);
}

/*
 * A scan in each direction by one of VMamba's own orders, with its own parameters, side by side.
 * n: height, width, E, N
 */
static tensor build_cross_scan(struct program *p, const int64_t *n)
{
	int32_t order[4 * 64];
	int64_t L = n[0] * n[1], E = n[2];
	tensor u = case_input(p, "u", 3, 2, L, E, 0), y[4];

	order_fill(ORDER_CROSS, n[0], n[1], order, NULL);
	for (int k = 0; k < 4; k++) {
		struct scan_settings s = {1, 1, 1, 1, order + k * L, NULL};
		tensor in[6];

		cross_inputs(p, k, n, 0, in);
		y[k] = selective_scan(
			p, &s, u, in[0], in[1], in[2], in[3], in[4], in[5], NULL, NULL);
	}
	return concat_tokens(p, 4, y, 1);
}

/* The same in one call. n[4]: 1 halves, 2 summed; n[5]: how many of the four, if not all. */
static tensor build_scans(struct program *p, const int64_t *n)
{
	static int32_t order[4 * 3136];
	int64_t L = n[0] * n[1], E = n[2], N = n[3], K = n[5] ? n[5] : 4;
	struct scan_settings s = {K, 1, n[4] >> 1 & 1, 1, order, NULL};
	tensor u = (n[4] & 1 ? case_half_input : case_input)(p, "u", 3, 2, L, E, 0), y[4];
	tensor r[4], B[4], C[4], in[6];

	order_fill(ORDER_CROSS, n[0], n[1], order, NULL);
	for (int k = 0; k < K; k++) {
		cross_inputs(p, k, n, n[4] & 1, in);
		r[k] = in[0];
		B[k] = in[3];
		C[k] = in[4];
	}
	selective_scans(p, &s, u, r, case_input(p, "beta", 2, K, E, 0, 0),
		case_input(p, "A_log", 2, K * E, N, 0, 0), B, C,
		case_input(p, "D", 1, K * E, 0, 0, 0), y);
	return s.merged ? y[0] : concat_tokens(p, (int)K, y, 1);
}

static tensor build_cosine(struct program *p, const int64_t *n)
{
	return cosine(p, case_input(p, "u", 4, n[0], n[1], n[2], n[3]),
		case_input(p, "v", 3, n[0], n[2], n[3], 0));
}

/* n: layers, K, mode + 1, stop_gradient + 1 */
static tensor build_adapt(struct program *p, const int64_t *n)
{
	struct adapt_settings s = {.mode = n[2] - 1,
		.tau = 0.7,
		.eps = 0.05,
		.stop_gradient = (int)n[3] - 1,
		.factor = 0.5};
	tensor c[8], weights, cosines;
	char name[8];

	for (int i = 0; i < n[0]; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		c[i] = case_input(p, name, 1, n[1], 0, 0, 0);
	}
	return adapt(p, &s, (int)n[0], c, &weights, &cosines);
}

static tensor build_cross_entropy(struct program *p, const int64_t *n)
{
	return cross_entropy(p, case_input(p, "logits", 2, n[0], n[1], 0, 0),
		case_input(p, "target", 2, n[0], n[1], 0, 0));
}

static tensor build_kl_logits(struct program *p, const int64_t *n)
{
	return kl_logits(p, case_input(p, "student", 2, n[0], n[1], 0, 0),
		case_input(p, "teacher", 2, n[0], n[1], 0, 0), 2);
}

static tensor build_channel_ce(struct program *p, const int64_t *n)
{
	return channel_ce(p, case_input(p, "a", 2, n[0], n[1], 0, 0),
		case_input(p, "b", 2, n[0], n[1], 0, 0), 2);
}

/* Of both distances: they share an op. */
static tensor build_token_loss(struct program *p, const int64_t *n)
{
	tensor u = case_input(p, "u", 3, n[0], n[1], n[2], 0);
	tensor v = case_input(p, "v", 3, n[0], n[1], n[2], 0);

	return add(p, l1_tokens(p, u, v), l2_tokens(p, u, v));
}

static tensor build_shard_part(struct program *p, const int64_t *n)
{
	return shard_part(p, case_input(p, "x", 1, n[0], 0, 0, 0));
}

/* Sixteen states and an odd width, one state and an even and an odd one. */
#define SCAN_SIZE(h, w)                                                                            \
	{"selective_scans size", build_scans, {h, w, 9, 16, 1 + 2}, NULL, 0, 1},                   \
		{"selective_scans size", build_scans, {h, w, 6, 1, 1 + 2}, NULL, 0, 1},            \
	{                                                                                          \
		"selective_scans size", build_scans, {h, w, 5, 1, 1 + 2}, NULL, 0, 1               \
	}

static const struct op_case cases_scan[] = {
	{"selective_scan", build_scan, {4, 4, 4, 33, 8, 8}},
	{"selective_scan merged", build_scan, {4, 3, 5, 40, 4, 2 + 8}},
	{"selective_scan by token", build_scan, {3, 5, 3, 7, 3, 1 + 2}},
	{"selective_scan segments", build_scan, {2, 1, 31, 9, 2, 1 + 4}, fill_segments},
	{"selective_scan causal", build_scan, {1, 1, 197, 31, 2, 4}, fill_segments},
	{"selective_scan states", build_scan, {4, 3, 3, 9, 20, 8}, .large = 1},
	{"selective_scan merged segments", build_scan, {4, 3, 4, 35, 16, 2 + 4}, fill_segments,
		.large = 1},
	{"selective_scan_zoh", build_scan, {4, 3, 4, 9, 3, 64}, .cpu_only = 1},
	{"selective_scan_zoh by token", build_scan, {2, 1, 13, 5, 4, 1 + 2 + 4 + 64}, fill_segments,
		.cpu_only = 1},
	{"selective_scan", build_scan, {4, 14, 14, 33, 16, 8}, .large = 1},
	{"selective_scan merged", build_scan, {4, 14, 14, 40, 16, 2 + 8}, .large = 1},
	{"selective_scan merged", build_scan, {4, 1, 29, 64, 8, 2 + 8}, .large = 1},
	{"selective_scan halves", build_scan, {4, 14, 14, 40, 16, 2 + 8 + 16}, .large = 1},
	{"selective_scan halves", build_scan, {4, 5, 7, 96, 8, 8 + 16}, .large = 1},
	{"selective_scan alone", build_scan, {1, 1, 23, 70, 16, 1 + 2}, .large = 1},
	{"selective_scan alone", build_scan, {2, 1, 197, 136, 16, 1 + 2 + 16 + 32}, .large = 1},
	{"selective_scan alone", build_scan, {2, 1, 13, 40, 8, 2 + 32}, .large = 1},
	{"selective_scan alone", build_scan, {3, 5, 6, 33, 8, 1 + 16 + 32}, .large = 1},
	{"selective_scan long", build_scan, {2, 1, 730, 33, 16, 1 + 2}, .large = 1},
	{"selective_scan long", build_scan, {2, 1, 1569, 40, 16, 1 + 2 + 16 + 32}, .large = 1},
	{"selective_scan long", build_scan, {2, 1, 2353, 70, 16, 1 + 2 + 32}, .large = 1},
	{"selective_scan long", build_scan, {2, 1, 2353, 64, 16, 1 + 16}, .large = 1},
	{"selective_scan long", build_scan, {1, 1, 3137, 31, 8, 1 + 2}, .large = 1},
	{"selective_scan long", build_scan, {4, 49, 64, 33, 16, 2 + 8}, .large = 1},
	{"selective_scan long", build_scan, {4, 28, 28, 72, 16, 8 + 16}, .large = 1},
	{"selective_scan long", build_scan, {3, 56, 56, 33, 1, 1 + 2 + 16}, .large = 1},
	{"dwconv2d_silu", build_dwconv2d, {2, 4, 4, 33, 7}},
	{"dwconv2d_silu", build_dwconv2d, {3, 7, 5, 64, 3}},
	{"dwconv2d_silu", build_dwconv2d, {1, 1, 31, 5, 5}},
	{"dwconv2d", build_dwconv2d_alone, {2, 4, 5, 33, 3}},
	{"dwconv2d", build_dwconv2d_alone, {3, 14, 15, 72, 7}, NULL, 0, 1},
	{"dwconv2d_silu no bias", build_dwconv2d_plain, {2, 4, 5, 33, 3}},
	{"dwconv2d_silu no bias", build_dwconv2d_plain, {2, 14, 14, 72, 3}, NULL, 0, 1},
	{"dwconv2d_silu no bias", build_dwconv2d_plain, {2, 31, 33, 40, 3}, NULL, 0, 1},
	{"dwconv2d_silu no bias", build_dwconv2d_plain, {2, 5, 7, 33, 11}, NULL, 0, 1},
	{"dwconv2d_silu twice", build_dwconv2d_twice, {2, 4, 5, 6, 7}},
	{"dwconv2d_silu twice", build_dwconv2d_twice, {2, 15, 17, 70, 7}, NULL, 0, 1},
	{"dwconv2d_silu twice", build_dwconv2d_twice, {3, 14, 14, 33, 3}, NULL, 0, 1},
	{"dwconv2d_silu twice", build_dwconv2d_twice, {3, 14, 14, 72, 7}, NULL, 0, 1},
	{"dwconv2d_silu twice", build_dwconv2d_twice, {300, 2, 9, 8, 7}, NULL, 0, 1},
	{"dwconv1d_silu", build_dwconv1d, {2, 31, 33, 1}},
	{"dwconv1d_silu mirrored", build_dwconv1d, {2, 33, 31, 2}},
	{"dwconv1d_silu segments", build_dwconv1d, {2, 14, 5, 3}, fill_segments},
	{"dwconv1d_silu mirrored segments", build_dwconv1d, {2, 14, 5, 4}, fill_segments},
	{"dwconv1d_silu", build_dwconv1d, {1, 1, 3, 1}},
	{"dwconv1d_silu twice", build_dwconv1d_twice, {2, 35, 6, 1}},
	{"dwconv1d_silu twice", build_dwconv1d_twice, {3, 197, 34, 2}, NULL, 0, 1},
	{"gate", build_gate, {2, 4, 31, 33}},
	{"gate", build_gate, {3, 4, 33, 100}},
	{"gate merged", build_gate_merged, {2, 31, 33}},
	{"gate pair", build_gate_pair, {2, 2, 31, 33}},
	{"gate pair", build_gate_pair, {3, 1, 33, 100}},
	{"gate_join", build_gate_join, {2, 5, 33, 20}},
	{"gate_join", build_gate_join, {3, 197, 128, 80}, NULL, 0, 1},
	{"directions", build_directions, {8, 4, 9, 33}},
	{"mean_directions", build_mean_directions, {2, 4, 31, 33}},
	{"cross scan", build_cross_scan, {3, 2, 5, 3}},
	{"cross scan one state", build_cross_scan, {3, 4, 33, 1}},
	{"cross scan", build_cross_scan, {7, 7, 40, 16}, NULL, 0, 1},
	{"cross scan one state", build_cross_scan, {7, 7, 64, 1}, NULL, 0, 1},
	{"selective_scans", build_scans, {3, 2, 5, 3}},
	{"selective_scans merged", build_scans, {2, 4, 33, 2, 2}},
	{"selective_scans one state", build_scans, {3, 5, 7, 1, 2}},
	{"selective_scans two", build_scans, {3, 3, 6, 1, 0, 2}},
	{"selective_scans three", build_scans, {1, 4, 6, 4, 2, 3}},
	{"selective_scans", build_scans, {7, 7, 40, 16, 1}, NULL, 0, 1},
	{"selective_scans merged", build_scans, {14, 9, 100, 16, 1 + 2}, NULL, 0, 1},
	{"selective_scans merged", build_scans, {1, 1, 96, 8, 1 + 2}, NULL, 0, 1},
	{"selective_scans three", build_scans, {2, 2, 96, 16, 1 + 2, 3}, NULL, 0, 1},
	{"selective_scans one state", build_scans, {7, 7, 64, 1, 1}, NULL, 0, 1},
	{"selective_scans one state", build_scans, {14, 13, 33, 1, 1}, NULL, 0, 1},
	{"selective_scans one state merged", build_scans, {14, 14, 70, 1, 1 + 2}, NULL, 0, 1},
	{"selective_scans one state merged", build_scans, {1, 5, 34, 1, 1 + 2}, NULL, 0, 1},
	SCAN_SIZE(1, 1),
	SCAN_SIZE(2, 2),
	SCAN_SIZE(1, 5),
	SCAN_SIZE(7, 7),
	SCAN_SIZE(8, 8),
	SCAN_SIZE(14, 14),
	SCAN_SIZE(1, 197),
	SCAN_SIZE(2, 365),
	SCAN_SIZE(28, 28),
	SCAN_SIZE(3, 523),
	SCAN_SIZE(13, 181),
	SCAN_SIZE(56, 56),
	{"cosine", build_cosine, {2, 4, 9, 33}},
	{"cosine", build_cosine, {3, 1, 197, 48}},
	{"adapt ratio_sm", build_adapt, {5, 4, 1, 1}},
	{"adapt neg_sm", build_adapt, {5, 4, 2, 1}},
	{"adapt inv_sm", build_adapt, {5, 2, 3, 1}},
	{"adapt ratio_raw", build_adapt, {5, 4, 4, 1}},
	{"adapt uniform", build_adapt, {5, 4, 5, 2}},
	{"adapt fixed_i", build_adapt, {5, 1, 6, 2}},
	{"adapt ratio_sm", build_adapt, {3, 37, 1, 1}},
	{"cross_entropy", build_cross_entropy, {33, 10}},
	{"cross_entropy", build_cross_entropy, {197, 100}},
	{"kl_logits", build_kl_logits, {33, 10}},
	{"channel_ce", build_channel_ce, {31, 33}},
	{"token_loss", build_token_loss, {5, 31, 33}},
	{"shard_part", build_shard_part, {3}},
};
