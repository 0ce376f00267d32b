/*
 * The calibration stage: the whitening of the teacher's tokens, and a map that is fitted while the
 * student is left alone.
 */
#include "lib/train/fit_map.h"
#include "tests/train_session.h"

/* Cholesky's factor in place, lower; 0 if a is positive definite. */
static int factor(double *a, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j <= i; j++) {
			double sum = a[i * n + j];

			for (int64_t k = 0; k < j; k++)
				sum -= a[i * n + k] * a[j * n + k];
			if (i == j && !(sum > 0))
				return -1;
			a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
		}
	return 0;
}

/*
 * W is the symmetric root of (S + 0.01 tr(S) / D I)^-1: it is symmetric, positive definite, and
 * W (S + ...) W is the identity. The bias takes the mean to 0.
 */
static void check_whitening(void)
{
	enum { D = 12, N = 400 };
	static double x[N][D], S[D * D], a[D * D], WS[D * D];
	double sum[D] = {0}, moment[D * D] = {0}, trace = 0, worst = 0, shift = 0, skew = 0;
	struct calibration *c;
	struct distill_settings d = {.calib_teacher = TEACHER_FROZEN};
	struct model *m = model_new();
	const real *w, *bias;

	calibration_new(&c, &d, m, (int64_t[]){8}, D, 1);
	model_allocate(m, device_cpu(), 0);
	for (int i = 0; i < N; i++) {
		double shared = micro_random();

		for (int j = 0; j < D; j++)
			x[i][j] = (j + 1) * micro_random() + 3 * shared + j;
		x[i][D - 1] = x[i][0] - x[i][1]; /* singular without the ridge */
		for (int j = 0; j < D; j++) {
			sum[j] += x[i][j];
			for (int k = 0; k < D; k++)
				moment[j * D + k] += x[i][j] * x[i][k];
		}
	}
	for (int i = 0; i < N; i++)
		for (int j = 0; j < D; j++)
			for (int k = 0; k < D; k++)
				S[j * D + k] += (x[i][j] - sum[j] / N) * (x[i][k] - sum[k] / N) / N;
	for (int j = 0; j < D; j++)
		trace += S[j * D + j];
	for (int j = 0; j < D; j++)
		S[j * D + j] += 0.01 * trace / D;
	ok(!calibration_whiten(c, N, sum, moment), "whitening of %d tokens", N);
	w = c->teacher_weight->data;
	bias = c->teacher_bias->data;
	for (int i = 0; i < D; i++)
		for (int j = 0; j < D; j++)
			for (int k = 0; k < D; k++)
				WS[i * D + j] += w[i * D + k] * S[k * D + j];
	for (int i = 0; i < D; i++) {
		double mean = bias[i];

		for (int j = 0; j < D; j++) {
			double v = 0;

			for (int k = 0; k < D; k++)
				v += WS[i * D + k] * w[j * D + k];
			worst = fmax(worst, fabs(v - (i == j)));
			skew = fmax(skew, fabs(w[i * D + j] - w[j * D + i]));
			mean += w[i * D + j] * sum[j] / N;
			a[i * D + j] = w[i * D + j];
		}
		shift = fmax(shift, fabs(mean));
	}
	ok(worst <= 1e-4, "W (S + ridge) W is the identity");
	ok(skew <= 1e-5 && !factor(a, D), "W is symmetric and positive definite");
	ok(shift <= 1e-4, "the mean goes to 0");
	ok(calibration_whiten(c, N, sum, memset(moment, 0xff, sizeof(moment))) == STATUS_NUMBERS,
		"moments that are not finite are refused");
	calibration_free(c);
	model_free(m);
}

static void check_fit(const char *more)
{
	struct fit_report r;
	struct session s;
	char text[256];
	int64_t n, m;
	real *weights, *map;
	int status;

	snprintf(text, sizeof(text), "method=wsab batch=16 lr=3e-3 schedule=constant %s", more);
	session_start(&s, text, 1);
	weights = session_values(s.t->model, 0, &n);
	map = session_values(s.t->model, GROUP_MAP, &m);
	status = fit_map(s.t, session_data, 0, NULL, NULL, NULL, &r);
	if (!ok(!status && r.after < r.before, "calibrate %s: better on what was held back", more))
		diag("%s: %g before, %g after", status ? error_message() : "", r.before, r.after);
	ok(!session_moved(s.t->model, 0, weights),
		"the student and its running statistics are left alone");
	ok(session_moved(s.t->model, GROUP_MAP, map) > 0, "the map has moved");
	free(weights);
	free(map);
	session_end(&s);
}

/* The frozen side must have been fitted: mapped tokens have mean 0 and deviation about 1. */
static void check_frozen_side(void)
{
	double sum = 0, square = 0;
	struct fit_report r;
	struct session s;
	int64_t D, n = 0;
	const real *w, *b;
	tensor v;

	session_start(&s, "method=wsab batch=16 lr=3e-3 schedule=constant calib_teacher=frozen", 1);
	ok(!fit_map(s.t, session_data, 0, NULL, NULL, NULL, &r), "calibrate with the frozen side");
	v = program_find(s.t->train, "teacher tokens"); /* of the last batch that was judged */
	D = tensor_last(v);
	w = s.t->map->teacher_weight->data;
	b = s.t->map->teacher_bias->data;
	for (int64_t i = 0; i < v->count / D; i++) {
		const real *x = (const real *)v->data + i * D;

		if (i % v->shape[1] == 0)
			continue; /* the class token is not compared */
		for (int64_t j = 0; j < D; j++, n++) {
			double y = b[j];

			for (int64_t k = 0; k < D; k++)
				y += (double)w[j * D + k] * x[k];
			sum += y;
			square += y * y;
		}
	}
	ok(fabs(sum / n) < 0.1 && square / n > 0.2 && square / n < 1.2,
		"its tokens: mean %.3f, square %.3f", sum / n, square / n);
	session_end(&s);
}

int main(void)
{
	if (session_open()) {
		ok(0, "images: %s", error_message());
		return done();
	}
	check_whitening();
	check_fit("");
	check_fit("calib_form=mlp2 calib_share=layer");
	check_frozen_side();
	session_close();
	return done();
}
