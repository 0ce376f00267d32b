/* Cases of the ops in ops_tokens.c and ops_image.c. */

/* n: batch, L, C, index + 1 */
static tensor build_insert_token(struct program *p, const int64_t *n)
{
	tensor token = case_input(p, "token", 3, 1, 1, n[2], 0);
	tensor x = case_input(p, "x", 3, n[0], n[1], n[2], 0);

	return insert_token(p, insert_token(p, x, token, n[3] - 1), token, n[1] + 1);
}

static tensor build_add_rows(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 3, n[0], n[1], n[2], 0);

	return add_rows(p, x, case_input(p, "rows", 3, 1, n[1], n[2], 0));
}

/* n: batch, tokens before + 1, frames, n, C; the gradient of x is added to */
static tensor build_clip_rows(struct program *p, const int64_t *n)
{
	int64_t before = n[1] - 1;
	tensor x = case_input(p, "x", 3, n[0], before + n[2] * n[3], n[4], 0);
	tensor rows = case_input(p, "rows", 3, 1, before + n[3], n[4], 0);
	tensor times = case_input(p, "times", 3, 1, n[2], n[4], 0);

	return add(p, clip_rows(p, x, rows, times, before), clip_rows(p, x, rows, times, before));
}

/* n: batch, L, C, from + 1, n; two slices of one tensor, which overlap */
static tensor build_slice_tokens(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 3, n[0], n[1], n[2], 0);

	return add(p, slice_tokens(p, x, n[3] - 1, n[4]), slice_tokens(p, x, 0, n[4]));
}

static tensor build_mean_tokens(struct program *p, const int64_t *n)
{
	return mean_tokens(p, case_input(p, "x", 3, n[0], n[1], n[2], 0));
}

/* n: batch, height, width, C, f, K (0: none) */
static tensor build_pool_tokens(struct program *p, const int64_t *n)
{
	tensor x = n[5] ? case_input(p, "x", 4, n[0], n[5], n[1] * n[2], n[3])
			: case_input(p, "x", 3, n[0], n[1] * n[2], n[3], 0);

	return pool_tokens(p, x, n[1], n[2], n[4]);
}

/* y[i] = x[7 i mod L]: L must not be a multiple of 7 */
static tensor build_permute_tokens(struct program *p, const int64_t *n)
{
	int32_t order[512];
	tensor x = case_input(p, "x", 3, n[0], n[1], n[2], 0);

	for (int64_t i = 0; i < n[1]; i++)
		order[i] = (int32_t)(7 * i % n[1]);
	return add(p, permute_tokens(p, x, order), x);
}

/* n: batch, C, then lengths of three; the first is taken twice */
static tensor build_concat_tokens(struct program *p, const int64_t *n)
{
	tensor a = case_input(p, "a", 3, n[0], n[2], n[1], 0);
	tensor b = case_input(p, "b", 3, n[0], n[3], n[1], 0);
	tensor c = case_input(p, "c", 3, n[0], n[4], n[1], 0);

	return concat_tokens(p, 4, (tensor[]){a, b, a, c}, (real)0.5);
}

/* n: batch, L, C; of what an op stores: halves where a program keeps them */
static tensor build_concat_halves(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 3, n[0], n[1], n[2], 0);
	tensor y = dwconv1d_silu(p, x, case_input(p, "weight", 3, n[2], 1, 4, 0),
		case_input(p, "bias", 1, n[2], 0, 0, 0), 1, NULL);

	return concat_tokens(p, 2, (tensor[]){y, y}, (real)0.5);
}

/* n: batch, height, width, C, k */
static tensor build_patches(struct program *p, const int64_t *n)
{
	return patches(p, case_input(p, "image", 4, n[0], n[1], n[2], n[3]), n[4]);
}

/* n: batch, height, width, C; the gradient of x is added to */
static tensor build_merge_patches(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 3, n[0], n[1] * n[2], n[3], 0);

	return add(p, merge_patches(p, x, n[1], n[2]), merge_patches(p, x, n[1], n[2]));
}

/* Of what an op stores. */
static tensor build_merge_stored(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 3, n[0], n[1] * n[2], n[3], 0);

	return merge_patches(p, gelu(p, x), n[1], n[2]);
}

/* With bias. n: batch, size, cin, cout, k, stride, pad + 1 */
static tensor build_conv2d_bias(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 4, n[0], n[1], n[1] + 1, n[2]);

	return conv2d(p, x, case_input(p, "weight", 4, n[3], n[2], n[4], n[4]),
		case_input(p, "bias", 1, n[3], 0, 0, 0), n[5], n[6] - 1);
}

/* The second one drops nothing. */
static tensor build_residual(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 3, n[0], n[1], n[2], 0);
	tensor branch = case_input(p, "branch", 3, n[0], n[1], n[2], 0);

	return residual(p, residual(p, x, branch, 0.5, 1), branch, 0, 2);
}

/* n: rows, then three widths; the second part is not used */
static tensor build_split(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 2, n[0], n[1] + n[2] + n[3], 0, 0), out[3];

	split(p, x, 3, n + 1, out);
	return add(p, out[0], out[2]);
}

static tensor build_weighted_sum(struct program *p, const int64_t *n)
{
	tensor a = case_input(p, "a", 1, 1, 0, 0, 0), b = case_input(p, "b", 1, 1, 0, 0, 0);

	return weighted_sum(p, 4, (tensor[]){a, b, a, b}, (real[]){0.5, 2, -3, 0.25});
}

/* n: batch, size, cin, cout, k, stride, pad + 1; without bias where the stride is 2 */
static tensor build_conv2d(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 4, n[0], n[1], n[1] + 1, n[2]);
	tensor weight = case_input(p, "weight", 4, n[3], n[2], n[4], n[4]);
	tensor bias = n[5] == 2 ? NULL : case_input(p, "bias", 1, n[3], 0, 0, 0);

	return conv2d(p, x, weight, bias, n[5], n[6] - 1);
}

/* The gradient of x is added to. */
static tensor build_conv2d_twice(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 4, n[0], n[1], n[1] + 1, n[2]);
	tensor weight = case_input(p, "weight", 4, n[3], n[2], n[4], n[4]);

	return add(p, conv2d(p, x, weight, NULL, n[5], n[6] - 1),
		conv2d(p, x, weight, NULL, n[5], n[6] - 1));
}

/* n: rows, C, relu + 1, uses of x */
static tensor build_batchnorm(struct program *p, const int64_t *n)
{
	tensor x = case_input(p, "x", 2, n[0], n[1], 0, 0), y;
	tensor weight = case_input(p, "weight", 1, n[1], 0, 0, 0);
	tensor bias = case_input(p, "bias", 1, n[1], 0, 0, 0);
	tensor mean = case_constant(p, "mean", TYPE_REAL, 1, n[1], 0, 0, 0);
	tensor var = case_constant(p, "var", TYPE_REAL, 1, n[1], 0, 0, 0);

	y = batchnorm(p, x, weight, bias, mean, var, 1e-5, (int)n[2] - 1);
	if (n[3] > 1)
		y = add(p, y, batchnorm(p, x, weight, bias, mean, var, 1e-5, (int)n[2] - 1));
	return y;
}

static tensor case_norm(struct program *p, tensor x, const char *const *names)
{
	int64_t C = tensor_last(x);

	return batchnorm(p, x, case_input(p, names[0], 1, C, 0, 0, 0),
		case_input(p, names[1], 1, C, 0, 0, 0),
		case_constant(p, names[2], TYPE_REAL, 1, C, 0, 0, 0),
		case_constant(p, names[3], TYPE_REAL, 1, C, 0, 0, 0), 1e-5, 0);
}

/* Convolutions of what ops store. n: batch, size, cin, c, k of the second, stride, pad + 1 */
static tensor build_stem(struct program *p, const int64_t *n)
{
	static const char *const first[] = {"w1", "b1", "m1", "v1"};
	static const char *const second[] = {"w2", "b2", "m2", "v2"};
	tensor x = case_input(p, "x", 4, n[0], n[1], n[1] + 1, n[2]);

	x = conv2d(p, x, case_input(p, "weight1", 4, n[3], n[2], 3, 3), NULL, 1, 1);
	x = case_norm(p, x, first);
	x = conv2d(p, x, case_input(p, "weight2", 4, n[3], n[3], n[4], n[4]), NULL, n[5], n[6] - 1);
	return case_norm(p, x, second);
}

static const struct op_case cases_image[] = {
	{"insert_token", build_insert_token, {3, 31, 33, 1}},
	{"insert_token", build_insert_token, {5, 197, 48, 99}},
	{"add_rows", build_add_rows, {3, 31, 33}},
	{"add_rows", build_add_rows, {5, 197, 48}},
	{"clip_rows", build_clip_rows, {3, 2, 4, 5, 33}},
	{"clip_rows", build_clip_rows, {2, 3, 1, 9, 31}},
	{"clip_rows", build_clip_rows, {2, 1, 3, 1, 7}},
	{"clip_rows", build_clip_rows, {5, 2, 8, 49, 48}, NULL, 0, 1},
	{"slice_tokens", build_slice_tokens, {3, 31, 33, 5, 20}},
	{"slice_tokens", build_slice_tokens, {5, 197, 48, 2, 196}},
	{"mean_tokens", build_mean_tokens, {3, 31, 33}},
	{"mean_tokens", build_mean_tokens, {5, 197, 48}},
	{"pool_tokens", build_pool_tokens, {3, 4, 6, 33, 2}},
	{"pool_tokens", build_pool_tokens, {2, 8, 8, 48, 2, 4}},
	{"permute_tokens", build_permute_tokens, {3, 31, 33}},
	{"permute_tokens", build_permute_tokens, {5, 197, 48}},
	{"concat_tokens", build_concat_tokens, {3, 33, 31, 1, 5}},
	{"concat_tokens", build_concat_tokens, {5, 48, 1, 196, 33}},
	{"concat_tokens of halves", build_concat_halves, {3, 31, 33}},
	{"concat_tokens of halves", build_concat_halves, {5, 197, 48}},
	{"patches", build_patches, {3, 8, 4, 3, 4}},
	{"patches", build_patches, {5, 64, 64, 3, 16}},
	{"merge_patches", build_merge_patches, {3, 4, 6, 33}},
	{"merge_patches", build_merge_patches, {2, 7, 5, 20}},
	{"merge_patches", build_merge_patches, {2, 1, 1, 31}},
	{"merge_patches", build_merge_stored, {2, 3, 4, 48}},
	{"merge_patches", build_merge_stored, {5, 14, 13, 96}, NULL, 0, 1},
	{"residual", build_residual, {8, 3, 33}},
	{"residual", build_residual, {8, 197, 48}},
	{"split", build_split, {31, 33, 7, 33}},
	{"split", build_split, {197, 64, 31, 64}},
	{"weighted_sum", build_weighted_sum, {1}},
	{"conv2d", build_conv2d, {2, 13, 3, 33, 7, 2, 4}},
	{"conv2d", build_conv2d, {2, 14, 16, 16, 3, 1, 2}},
	{"conv2d", build_conv2d, {2, 14, 17, 48, 3, 1, 2}},
	{"conv2d patches", build_conv2d, {2, 17, 16, 32, 4, 4, 1}},
	{"conv2d patches", build_conv2d, {1, 17, 33, 72, 8, 8, 1}},
	{"conv2d", build_conv2d, {1, 9, 5, 7, 5, 3, 3}},
	{"conv2d", build_conv2d, {2, 1, 3, 5, 1, 1, 1}},
	{"conv2d overlapping patches", build_conv2d, {2, 32, 3, 17, 16, 8, 1}},
	{"conv2d", build_conv2d, {3, 9, 24, 112, 3, 2, 1}},
	{"conv2d overlapping", build_conv2d_bias, {2, 7, 3, 12, 3, 2, 2}},
	{"conv2d overlapping", build_conv2d_bias, {2, 8, 24, 48, 3, 2, 2}},
	{"conv2d overlapping", build_conv2d_bias, {2, 28, 48, 96, 3, 2, 2}, NULL, 0, 1},
	{"conv2d twice", build_conv2d_twice, {2, 9, 16, 16, 3, 1, 2}},
	{"conv2d patches twice", build_conv2d_twice, {2, 9, 16, 16, 4, 4, 1}},
	{"conv2d", build_conv2d, {3, 48, 3, 64, 7, 2, 4}, NULL, 0, 1},
	{"conv2d", build_conv2d, {2, 31, 64, 64, 3, 1, 2}, NULL, 0, 1},
	{"conv2d", build_conv2d, {16, 16, 16, 16, 3, 1, 2}, NULL, 0, 1},
	{"conv2d patches", build_conv2d, {3, 40, 64, 192, 8, 8, 1}, NULL, 0, 1},
	{"stem", build_stem, {2, 17, 3, 64, 3, 1, 2}, NULL, 0, 1},
	{"stem", build_stem, {3, 33, 3, 64, 3, 1, 2}, NULL, 0, 1},
	{"stem", build_stem, {2, 16, 3, 16, 3, 1, 2}, NULL, 0, 1},
	{"stem", build_stem, {2, 16, 3, 20, 4, 4, 1}, NULL, 0, 1},
	{"batchnorm", build_batchnorm, {33, 31, 1, 1}},
	{"batchnorm", build_batchnorm, {600, 64, 1, 2}},
	{"batchnorm relu", build_batchnorm, {257, 16, 2, 1}},
	{"batchnorm relu", build_batchnorm, {1031, 40, 2, 2}},
};
