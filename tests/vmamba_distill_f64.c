/*
 * VMamba under the distillation: what its directions show, which tokens of its stages are compared
 * with which of the teacher's, and the maps of its widths.
 */
#include "tests/micro.h"

enum { B = 2, K = 4, C = 5, DIM = 2, LAYERS = 5 };

static const int64_t grids[LAYERS] = {8, 4, 2, 2, 1};

/* --- taps --- */

static void run_taps(struct network *n, const struct network_want *want, const double *image,
	double *taps[LAYERS], double *logits)
{
	struct program *p = program_new(PROGRAM_EVAL);
	int64_t S = n->config.image;
	tensor x = program_input(p, "image", TYPE_REAL, 4, (int64_t[]){B, S, S, 3});
	struct network_out out;
	void *block;

	network_build(n, p, x, want, &out);
	for (int i = 0; i < LAYERS; i++)
		program_keep(p, out.taps[i], "tap");
	program_keep(p, out.logits, "logits");
	program_plan(p, device_cpu());
	block = malloc(program_bytes(p));
	program_bind(p, block);
	tensor_put(p, x, image);
	program_forward(p, &(struct step){.divisor = 1, .scale = 1});
	for (int i = 0; i < LAYERS; i++) {
		taps[i] = malloc(out.taps[i]->count * sizeof(double));
		tensor_get(p, out.taps[i], taps[i]);
	}
	tensor_get(p, out.logits, logits);
	program_free(p);
	free(block);
}

static void free_taps(double *taps[LAYERS])
{
	for (int i = 0; i < LAYERS; i++)
		free(taps[i]);
}

/* Every direction but one gives nothing: its C and D are zero. */
static void silence_others(struct network *n, int one)
{
	int64_t N = n->config.state;

	for (int i = 0; i < n->model->count; i++) {
		struct param *p = n->model->params[i];
		int64_t part = p->count / K, row, from = 0;

		if (micro_ends(p->name, ".x_proj_weight")) {
			row = p->shape[2];
			from = part - N * row;
		} else if (!micro_ends(p->name, ".Ds")) {
			continue;
		}
		for (int k = 0; k < K; k++)
			for (int64_t j = from; j < part && k != one; j++)
				p->data[k * part + j] = 0;
	}
}

static struct network *filled(int noz)
{
	struct network_config c = micro_vmamba(DIM, noz);
	struct network *n;

	c.mlp_ratio = 0;
	network_new(&n, &c, NULL);
	model_allocate(n->model, device_cpu(), 0);
	micro_state = 88172645463325252ull;
	micro_fill(n->model);
	return n;
}

/* Largest difference of direction k of a (B, K, L, D) and a (B, L, D). */
static double distance(const double *apart, const double *one, int k, int64_t size)
{
	double worst = 0;

	for (int64_t b = 0; b < B; b++)
		for (int64_t i = 0; i < size; i++)
			worst = fmax(
				worst, fabs(apart[(b * K + k) * size + i] - one[b * size + i]));
	return worst;
}

/*
 * A block is no sum of its directions, for the norm follows the sum; where one direction alone
 * speaks, it is that direction's block: x + o_k, not x + K o_k.
 */
static void check_direction(int noz, int k, const double *image)
{
	struct network_want want = {.tap = TAP_RESID}, stream = {.tap = TAP_STREAM};
	double *apart[LAYERS], *whole[LAYERS], logits[2][B * C], worst = 0;
	struct network *n = filled(noz);

	silence_others(n, k);
	run_taps(n, &want, image, apart, logits[0]);
	run_taps(n, &stream, image, whole, logits[1]);
	for (int i = 0; i < LAYERS; i++) {
		int64_t side = network_layer_grid(&n->config, i);

		worst = fmax(worst, distance(apart[i], whole[i], k,
					    side * side * network_layer_dim(&n->config, i)));
	}
	ok(worst <= 1e-12, "%s: direction %d alone is the block", noz ? "v05_noz" : "v0", k);
	ok(!memcmp(logits[0], logits[1], sizeof(logits[0])), "taps do not change the logits");
	free_taps(apart);
	free_taps(whole);
	network_free(n);
}

/* Residual taps are x + branches, merged ones the mean, and directions differ. */
static void check_kinds(const double *image)
{
	struct network_want resid = {.tap = TAP_RESID}, branch = {.tap = TAP_BRANCH};
	struct network_want merged = {.tap = TAP_RESID, .merged = 1};
	double *r[LAYERS], *o[LAYERS], *m[LAYERS], logits[B * C], worst[2] = {0}, least = 1;
	struct network *n = filled(0);

	run_taps(n, &resid, image, r, logits);
	run_taps(n, &branch, image, o, logits);
	run_taps(n, &merged, image, m, logits);
	for (int i = 0; i < LAYERS; i++) {
		int64_t size = grids[i] * grids[i] * network_layer_dim(&n->config, i);
		double apart = 0;

		for (int64_t j = 0; j < size; j++) {
			double x = r[i][j] - o[i][j], mean = 0;

			for (int k = 0; k < K; k++) {
				mean += r[i][k * size + j] / K;
				worst[0] = fmax(worst[0],
					fabs(r[i][k * size + j] - o[i][k * size + j] - x));
			}
			worst[1] = fmax(worst[1], fabs(mean - m[i][j]));
			apart = fmax(apart, fabs(r[i][j] - r[i][size + j]));
		}
		least = fmin(least, apart);
	}
	ok(worst[0] <= 1e-12, "every direction adds its branch to the same stream");
	ok(worst[1] <= 1e-12, "merged is the mean over directions");
	ok(least > 1e-3, "directions differ in every layer, on a single token, too");
	free_taps(r);
	free_taps(o);
	free_taps(m);
	network_free(n);
}

/* --- pairs --- */

/* Place (y, x) of a grid of side n, whose tokens are means of f x f ones. */
static void place(double *out, const double *x, int64_t n, int64_t f, int64_t i)
{
	memset(out, 0, C * sizeof(*out));
	for (int64_t k = 0; k < f * f; k++) {
		int64_t at = (i / n * f + k / f) * n * f + i % n * f + k % f;

		for (int c = 0; c < C; c++)
			out[c] += x[at * C + c] / (f * f);
	}
}

static double cosine_of(const double *u, const double *v)
{
	double uv = 0, uu = 0, vv = 0;

	for (int c = 0; c < C; c++) {
		uv += u[c] * v[c];
		uu += u[c] * u[c];
		vv += v[c] * v[c];
	}
	return uv / sqrt(uu * vv);
}

/* Of layer i, direction k: the finer grid is pooled, whichever it is; the class token left out. */
static double expected(int i, int k, int64_t side, const double *taps, const double *tokens)
{
	int64_t g = grids[i], n = g < side ? g : side;
	double sum = 0, u[C], v[C];

	for (int b = 0; b < B; b++)
		for (int64_t j = 0; j < n * n; j++) {
			place(u, taps + (b * K + k) * g * g * C, n, g / n, j);
			place(v, tokens + (b * (side * side + 1) + 1) * C, n, side / n, j);
			sum += cosine_of(u, v);
		}
	return sum / (B * n * n);
}

static double *random_values(struct program *p, tensor t)
{
	double *host = malloc(t->count * sizeof(*host));

	for (int64_t i = 0; i < t->count; i++)
		host[i] = micro_random();
	tensor_put(p, t, host);
	return host;
}

static void check_pairs(int64_t side)
{
	struct network_config c = micro_vmamba(DIM, 0);
	struct network_out out = {.logits = NULL};
	struct teacher_out teacher = {.extra = 1, .grid = side};
	struct program *p = program_new(PROGRAM_TRAIN);
	double cosines[LAYERS * K], *taps[LAYERS], *tokens, worst = 0;
	char name[8];
	struct settings s;
	struct objective o;
	void *block;

	micro_settings(&s, "method=wsab calib=none");
	for (int i = 0; i < LAYERS; i++) {
		snprintf(name, sizeof(name), "tap%d", i);
		out.taps[i] = program_input_grad(
			p, name, 4, (const int64_t[]){B, K, grids[i] * grids[i], C});
	}
	teacher.tokens =
		program_input(p, "t", TYPE_REAL, 3, (const int64_t[]){B, side * side + 1, C});
	objective_build_distill(&o, &s.distill, p, &c, &out, &teacher, NULL);
	if (!ok(!program_plan(p, device_cpu()), "teacher of %lld x %lld builds", (long long)side,
		    (long long)side)) {
		diag("%s", error_message());
		return;
	}
	block = malloc(program_bytes(p));
	program_bind(p, block);
	for (int i = 0; i < LAYERS; i++)
		taps[i] = random_values(p, out.taps[i]);
	tokens = random_values(p, teacher.tokens);
	program_forward(p, &(struct step){.divisor = B, .scale = 1});
	tensor_get(p, o.cosines, cosines);
	for (int i = 0; i < LAYERS; i++)
		for (int k = 0; k < K; k++)
			worst = fmax(worst,
				fabs(cosines[i * K + k] - expected(i, k, side, taps[i], tokens)));
	ok(worst <= 1e-14 && o.layers == LAYERS && o.directions == K,
		"teacher of %lld x %lld: every token of every stage has its pair", (long long)side,
		(long long)side);
	free_taps(taps);
	free(tokens);
	free(block);
	program_free(p);
}

/* --- maps --- */

static int has(const struct model *m, const char *name, int64_t rows, int64_t columns)
{
	const struct param *p = model_find(m, name);

	return p && p->dims == 2 && p->shape[0] == rows && p->shape[1] == columns &&
	       p->group == GROUP_MAP;
}

static struct model *maps_of(const char *text, struct calibration **c)
{
	struct network_config student = micro_vmamba(DIM, 0);
	struct model *m = model_new();
	int64_t dims[NETWORK_LAYERS];
	struct settings s;

	micro_settings(&s, text);
	distill_tap_dims(&s.distill, &student, dims);
	calibration_new(c, &s.distill, m, dims, 10, LAYERS);
	return m;
}

static void check_maps(void)
{
	struct calibration *c;
	struct model *m = maps_of("method=wsab", &c);

	ok(m->count == 4 && c->maps == 4 && has(m, "map.width2.weight", 10, 2) &&
			has(m, "map.width4.weight", 10, 4) && has(m, "map.width8.weight", 10, 8) &&
			has(m, "map.width16.weight", 10, 16),
		"a map for each width");
	ok(c->map_of[2] == c->map_of[3] && c->map_of[0] != c->map_of[1],
		"layers of one width share theirs");
	calibration_free(c);
	model_free(m);
	m = maps_of("method=wsab calib_share=layer tap=inner", &c);
	ok(m->count == 5 && has(m, "map.0.weight", 10, 4) && has(m, "map.4.weight", 10, 32),
		"calib_share=layer tap=inner: one each, as wide as the scan");
	calibration_free(c);
	model_free(m);
	m = maps_of("method=feature", &c);
	ok(m->count == 1 && has(m, "map.weight", 10, 16), "feature: the last layer's alone");
	calibration_free(c);
	model_free(m);
}

static int verdict(const char *text, int64_t width, int64_t side)
{
	struct network_config c = micro_vmamba(DIM, 0);
	struct settings s;

	micro_settings(&s, text);
	return objective_check(&s.distill, &c, width, side, 1, 5);
}

static void check_refusals(void)
{
	ok(verdict("method=rc", 10, 4) == STATUS_DATA && strstr(error_message(), "equal widths"),
		"rc: unequal widths are refused");
	ok(verdict("method=rc", 16, 4) == STATUS_DATA && strstr(error_message(), "the student 2"),
		"rc: a teacher as wide as the last stage is not as wide as the others");
	ok(verdict("method=wsab calib=none", 16, 4) == STATUS_DATA, "wsab without a map: the same");
	ok(!verdict("method=feature calib=none feature_loss=l2", 16, 4) &&
			verdict("method=feature calib=none feature_loss=l2", 2, 4) == STATUS_DATA,
		"feature without a map asks for the last width alone");
	ok(!verdict("method=wsab", 10, 4) && !verdict("method=wsab", 10, 8),
		"with a map any width goes");
	ok(verdict("method=wsab", 10, 3) == STATUS_DATA &&
			strstr(error_message(), "divide each other"),
		"grids that do not divide each other are refused");
	ok(!verdict("method=feature", 10, 3), "the last stage's single token suits any grid");
}

int main(void)
{
	static double image[B * 16 * 16 * 3];

	for (int i = 0; i < B * 16 * 16 * 3; i++)
		image[i] = micro_random();
	for (int k = 0; k < K; k++) {
		check_direction(0, k, image);
		check_direction(1, k, image);
	}
	check_kinds(image);
	check_pairs(4);
	check_pairs(8);
	check_pairs(2);
	check_pairs(1);
	check_maps();
	check_refusals();
	return done();
}
