/*
 * Which tokens of a student with a class token in the middle (ViM) are compared with which of the
 * teacher's: cosines of random taps against loops that look the pairs up.
 */
#include "tests/micro.h"

enum { B = 2, K = 2, C = 5 };

struct grids {
	const char *name;
	int64_t student, teacher, extra,
		at; /* sides; the teacher's class tokens, the first's index */
};

static double *random_values(struct program *p, tensor t)
{
	double *host = malloc(t->count * sizeof(*host));

	for (int64_t i = 0; i < t->count; i++)
		host[i] = micro_random();
	tensor_put(p, t, host);
	return host;
}

/* Token `i` of a sequence without its class tokens. */
static int64_t row_of(int64_t i, int64_t at, int64_t extra)
{
	return i < at ? i : i + extra;
}

/* Place (y, x) of a grid of side n, whose tokens are pooled from f x f ones. */
static void place(double *out, const double *x, int64_t n, int64_t f, int64_t y, int64_t column,
	int64_t at, int64_t extra)
{
	memset(out, 0, C * sizeof(*out));
	for (int64_t k = 0; k < f * f; k++) {
		int64_t i = (y * f + k / f) * n * f + column * f + k % f;

		for (int c = 0; c < C; c++)
			out[c] += x[row_of(i, at, extra) * C + c] / (f * f);
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

/* Mean over the samples' pairs of direction k. */
static double expected(const struct grids *g, const double *s, const double *t, int k)
{
	int64_t n = g->student < g->teacher ? g->student : g->teacher, G = g->student * g->student;
	int64_t L = G + 1, T = g->teacher * g->teacher + g->extra, pairs = n * n + (g->extra > 0);
	double sum = 0, u[C], v[C];

	for (int b = 0; b < B; b++) {
		const double *x = s + (b * K + k) * L * C, *y = t + b * T * C;

		for (int64_t i = 0; i < n * n; i++) {
			place(u, x, n, g->student / n, i / n, i % n, G / 2, 1);
			place(v, y, n, g->teacher / n, i / n, i % n, g->at, g->extra);
			sum += cosine_of(u, v);
		}
		if (g->extra)
			sum += cosine_of(x + G / 2 * C, y + g->at * C);
	}
	return sum / (B * pairs);
}

static void check(const struct grids *g)
{
	struct network_config c = micro_vim(C);
	int64_t L = g->student * g->student + 1, T = g->teacher * g->teacher + g->extra;
	struct network_out out = {.logits = NULL};
	struct teacher_out teacher = {NULL, NULL, g->extra, g->at, g->teacher};
	struct settings s;
	struct objective o;
	struct program *p = program_new(PROGRAM_TRAIN);
	double cosines[2 * K], *taps[2], *tokens, worst = 0;
	void *block;

	c.patch = c.image / g->student;
	micro_settings(&s, "method=wsab calib=none");
	for (int i = 0; i < c.depth; i++)
		out.taps[i] =
			program_input_grad(p, i ? "b" : "a", 4, (const int64_t[]){B, K, L, C});
	teacher.tokens = program_input(p, "t", TYPE_REAL, 3, (const int64_t[]){B, T, C});
	objective_build_distill(&o, &s.distill, p, &c, &out, &teacher, NULL);
	if (!ok(!program_plan(p, device_cpu()), "%s builds", g->name)) {
		diag("%s", error_message());
		return;
	}
	block = malloc(program_bytes(p));
	program_bind(p, block);
	for (int i = 0; i < c.depth; i++)
		taps[i] = random_values(p, out.taps[i]);
	tokens = random_values(p, teacher.tokens);
	program_forward(p, &(struct step){.divisor = B, .scale = 1});
	tensor_get(p, o.cosines, cosines);
	for (int i = 0; i < c.depth; i++)
		for (int k = 0; k < K; k++)
			worst = fmax(
				worst, fabs(cosines[i * K + k] - expected(g, taps[i], tokens, k)));
	ok(worst <= 1e-14, "%s: every token has its pair", g->name);
	for (int i = 0; i < c.depth; i++)
		free(taps[i]);
	free(tokens);
	free(block);
	program_free(p);
}

/* What cannot be compared is said before anything is built. */
static void check_refusals(void)
{
	struct network_config c = micro_vim(6);
	struct settings s;

	micro_settings(&s, "method=rc");
	ok(objective_check(&s.distill, &c, 10, 4, 1, 5) == STATUS_DATA &&
			strstr(error_message(), "equal widths"),
		"rc: unequal widths are refused");
	ok(!objective_check(&s.distill, &c, 6, 4, 1, 5), "rc: equal ones are not");
	micro_settings(&s, "method=wsab");
	ok(objective_check(&s.distill, &c, 10, 3, 1, 5) == STATUS_DATA &&
			strstr(error_message(), "divide each other"),
		"grids that do not divide each other are refused");
}

static const struct grids table[] = {
	{"DeiT of the same grid", 4, 4, 1, 0},
	{"distilled DeiT of the same grid", 4, 4, 2, 0},
	{"finer DeiT", 2, 4, 1, 0},
	{"finer distilled DeiT", 2, 8, 2, 0},
	{"coarser DeiT", 4, 2, 1, 0},
	{"coarser distilled DeiT", 8, 2, 2, 0},
	{"ViM of the same grid", 4, 4, 1, 8},
	{"finer ViM", 2, 4, 1, 8},
	{"coarser ViM", 4, 2, 1, 2},
	{"no class token, the same grid", 4, 4, 0, 0},
	{"no class token, coarser", 4, 2, 0, 0},
	{"one token and its class token", 1, 1, 1, 0},
};

int main(void)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		check(&table[i]);
	check_refusals();
	return done();
}
