/* First values of parameters: by formula in double, by distribution, and what they depend on. */
#include "kernels/philox.h"
#include "lib/base/error.h"
#include "lib/program/model.h"
#include "tests/tap.h"

#define MANY 100000

static double values[MANY], other[MANY];

static struct param *make(
	struct model *m, enum init init, double a, const char *name, int64_t rows, int64_t columns)
{
	return model_param(m, 0, init, a, name, 2, rows, columns);
}

static double worst_formula(enum init init, const double *got, int64_t n)
{
	double worst = 0;

	for (int64_t i = 0; i < n; i++) {
		double want = log((double)(i % 16 + 1)), step, e;

		if (init == INIT_DT_BIAS) {
			/* what softplus gives back must be a step in range */
			step = log1p(exp(got[i]));
			want = step + log(-expm1(-step));
			if (!(step >= 0.001 * (1 - 1e-12) && step <= 0.1))
				return 1;
		}
		e = fabs(got[i] - want) / fmax(1, fabs(want));
		if (!(e <= worst))
			worst = e;
	}
	return worst;
}

static void check_steps(struct model *m)
{
	double mean = 0, square = 0, low = log(0.001), span = log(0.1) - low;

	param_init(make(m, INIT_DT_BIAS, 0, "dt_bias", 1, MANY), 3, values);
	ok(worst_formula(INIT_DT_BIAS, values, MANY) <= 1e-13, "step biases invert softplus");
	for (int i = 0; i < MANY; i++) {
		double u = (log(log1p(exp(values[i]))) - low) / span;

		mean += u / MANY;
		square += u * u / MANY;
	}
	ok(fabs(mean - 0.5) < 0.004 && fabs(square - 1 / 3.0) < 0.004,
		"steps are even on the log scale (mean %.4f, square %.4f)", mean, square);
}

/*
 * Correlation of the squares of values `lag` apart: 0 if they are independent, error 1/sqrt(MANY)
 */
static double square_correlation(int lag, double variance)
{
	double sum = 0;

	for (int i = lag; i < MANY; i++)
		sum += (values[i] * values[i] / variance - 1) *
		       (values[i - lag] * values[i - lag] / variance - 1);
	return sum / (2 * MANY);
}

static void check_draws(struct model *m)
{
	double sum = 0, square = 0, beyond = 0, neighbours = 0;

	param_init(make(m, INIT_NORMAL, 0.5, "normal", 1, MANY), 3, values);
	for (int i = 0; i < MANY; i++) {
		sum += values[i];
		square += values[i] * values[i];
		beyond += fabs(values[i]) > 0.5 * 1.959963985;
		neighbours += i ? values[i] * values[i - 1] : 0;
	}
	ok(fabs(sum / MANY) < 0.006 && fabs(square / MANY - 0.25) < 0.005 &&
			fabs(beyond / MANY - 0.05) < 0.003 && fabs(neighbours / MANY) < 0.004,
		"normal: mean, variance, tail, neighbours");
	for (int lag = 1; lag <= 4; lag++)
		ok(fabs(square_correlation(lag, 0.25)) < 0.02,
			"normal: values %d apart are independent", lag);
	param_init(make(m, INIT_UNIFORM, 2, "uniform", 1, MANY), 3, values);
	sum = square = 0;
	for (int i = 0; i < MANY; i++) {
		sum += values[i];
		square += values[i] * values[i];
		if (!(values[i] >= -2 && values[i] <= 2))
			sum = NAN;
	}
	ok(fabs(sum / MANY) < 0.02 && fabs(square / MANY - 4 / 3.0) < 0.02, "uniform in [-2, 2]");
}

static int differ(struct model *m, const char *name, uint64_t seed)
{
	param_init(make(m, INIT_NORMAL, 1, name, 1, 64), seed, other);
	return memcmp(values, other, 64 * sizeof(*values)) != 0;
}

static void check_keys(struct model *m)
{
	param_init(make(m, INIT_NORMAL, 1, "blocks.0.weight", 1, 64), 3, values);
	ok(!differ(m, "blocks.0.weight", 3), "one name and seed, one draw");
	ok(differ(m, "blocks.1.weight", 3), "another name, another draw");
	ok(differ(m, "blocks.0.weight", 4), "another seed, another draw");
}

static void check_eye(struct model *m)
{
	enum { ROWS = 48, COLUMNS = 32 };
	double square = 0;
	int ones = 0;

	param_init(make(m, INIT_EYE, 0.02, "eye", ROWS, COLUMNS), 3, values);
	for (int i = 0; i < ROWS * COLUMNS; i++) {
		int diagonal = i / COLUMNS == i % COLUMNS;

		ones += diagonal && values[i] == 1;
		square += diagonal ? 0 : values[i] * values[i] / (ROWS * COLUMNS - COLUMNS);
	}
	ok(ones == COLUMNS && fabs(square - 4e-4) < 6e-5, "eye: ones, and N(0, 0.02) elsewhere");
}

int main(void)
{
	struct model *m = model_new();

	param_init(make(m, INIT_A_LOG, 0, "A_log", 3, 16), 3, values);
	ok(worst_formula(INIT_A_LOG, values, 48) <= 1e-15, "A_log is ln(n + 1)");
	param_init(make(m, INIT_ONE, 0, "one", 2, 2), 3, values);
	param_init(make(m, INIT_ZERO, 0, "zero", 2, 2), 3, other);
	ok(values[3] == 1 && other[3] == 0, "ones and zeros");
	check_steps(m);
	check_draws(m);
	check_keys(m);
	check_eye(m);
	model_free(m);
	return done();
}
