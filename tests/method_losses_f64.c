/* The losses in double against vectors worked out by hand and closed forms. */
#include "kernels/adapt.h"
#include "kernels/channel_ce.h"
#include "kernels/cosine.h"
#include "kernels/cross_entropy.h"
#include "kernels/token_loss.h"
#include "tests/tap.h"

static uint64_t state = 11;

static double random_real(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(state >> 11) / 4503599627370496.0 - 1;
}

static void fill(double *x, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		x[i] = random_real();
}

static void check_adapt(const char *name, enum adapt_mode mode, double tau, const double *c,
	const double *want, double want_loss)
{
	struct adapt p = {3, 1, mode, tau, 0.05, 1, 1};
	double w[3], loss, d[3] = {7, 7, 7}, one = 2, worst = 0;

	adapt_forward(&p, &loss, w, c);
	for (int i = 0; i < 3; i++)
		worst = fmax(worst, fabs(w[i] - want[i]));
	ok(worst <= 1e-6, "%s: weights", name);
	near(loss, want_loss, 1e-6, name);
	adapt_backward(&p, d, 0, &one, w, c);
	worst = 0;
	for (int i = 0; i < 3; i++)
		worst = fmax(worst, fabs(d[i] + 2 * w[i]));
	ok(worst <= 1e-12, "%s: no gradient through the weights", name);
}

static void check_adapt_vectors(void)
{
	const double c[3] = {0.2, 0.4, 0.8}, low[3] = {-0.1, 0.02, 0.5};

	check_adapt("V1: ratio_sm", ADAPT_RATIO_SM, 1, c, (double[]){0.673320, 0.209674, 0.117006},
		0.687862);
	check_adapt("V2: neg_sm", ADAPT_NEG_SM, 0.5, c, (double[]){0.507224, 0.340003, 0.152773},
		0.640336);
	check_adapt("V2: inv_sm", ADAPT_INV_SM, 0.5, c, (double[]){0.507224, 0.340003, 0.152773},
		0.640336);
	check_adapt("V3: ratio_raw", ADAPT_RATIO_RAW, 1, c, (double[]){7, 3.5, 1.75}, 8.05);
	check_adapt("V4: ratio_sm, low", ADAPT_RATIO_SM, 1, low,
		(double[]){0.493261, 0.493261, 0.013478}, 1.032722);
	check_adapt("uniform", ADAPT_UNIFORM, 1, c, (double[]){1 / 3.0, 1 / 3.0, 1 / 3.0},
		(0.8 + 0.6 + 0.2) / 3);
	check_adapt("fixed_i", ADAPT_FIXED_I, 1, c, (double[]){1, 2, 120}, 0.8 + 1.2 + 24);
}

/* Each direction has its own weights; the factor is outside. */
static void check_adapt_directions(void)
{
	const double c[6] = {0.2, -0.1, 0.4, 0.02, 0.8, 0.5};
	struct adapt p = {3, 2, ADAPT_RATIO_SM, 1, 0.05, 0.5, 1};
	double w[6], loss;

	adapt_forward(&p, &loss, w, c);
	near(loss, 0.5 * (0.687862 + 1.032722), 1e-6, "two directions: V1 and V4 side by side");
}

static void check_cosine(void)
{
	const double u[3] = {1, 2, -1}, v[3] = {0.5, -1, 2}, one = 1;
	const double want[3] = {0.193022, 0.029696, 0.252413};
	struct cosine p = {1, 1, 1, 3};
	double c, cos, iu, iv, du[3], dv[3], worst = 0, zero[3] = {0};

	cosine_forward(&p, &c, &cos, &iu, &iv, u, v);
	near(c, -0.623610, 1e-6, "V5: cosine");
	cosine_backward(&p, du, 0, dv, 0, &one, &cos, &iu, &iv, u, v);
	for (int i = 0; i < 3; i++)
		worst = fmax(worst, fabs(du[i] - want[i]));
	ok(worst <= 1e-6, "V5: gradient");
	cosine_forward(&p, &c, &cos, &iu, &iv, zero, v);
	cosine_backward(&p, du, 0, dv, 0, &one, &cos, &iu, &iv, zero, v);
	ok(c == 0 && !du[0] && !du[1] && !du[2] && !dv[0] && !dv[1] && !dv[2],
		"a token of zeros: similarity and gradients zero");
	cosine_forward(&p, &c, &cos, &iu, &iv, u, zero);
	cosine_backward(&p, du, 0, dv, 0, &one, &cos, &iu, &iv, u, zero);
	ok(c == 0 && !du[0] && !du[1] && !du[2] && !dv[0] && !dv[1] && !dv[2],
		"a target of zeros: the same");
}

/* V10: a branch in scan order against the reversed teacher is the flipped branch against v. */
static void check_reversal(void)
{
	enum { L = 7, C = 5 };
	struct cosine p = {1, 1, L, C};
	double y[L * C], v[L * C], y_back[L * C], v_back[L * C], c[3], cos[L], iu[L], iv[L];

	fill(y, L * C);
	fill(v, L * C);
	for (int t = 0; t < L; t++) {
		memcpy(y_back + t * C, y + (L - 1 - t) * C, C * sizeof(*y));
		memcpy(v_back + t * C, v + (L - 1 - t) * C, C * sizeof(*v));
	}
	cosine_forward(&p, &c[0], cos, iu, iv, y, v_back);
	cosine_forward(&p, &c[1], cos, iu, iv, y_back, v);
	cosine_forward(&p, &c[2], cos, iu, iv, y, v);
	near(c[0], c[1], 1e-12, "V10: both readings of the reversal agree");
	ok(fabs(c[0] - c[2]) > 1e-3, "V10: the mixed pairing differs");
}

static void check_channel_ce(void)
{
	const double a[3] = {1, 0, -1}, b[3] = {2, 0, 1}, one = 1;
	const double want[3] = {0, 0.060436, -0.060436};
	struct channel_ce p = {1, 3, 2};
	double h, la, lb, value, d[3], worst = 0;

	channel_ce_forward(&p, &h, &la, &lb, &value, a, b, 1);
	near(h, 1.080627, 1e-6, "V6: H_2(a, b)");
	channel_ce_backward(&p, d, 0, NULL, 0, &one, &la, &lb, &value, a, b, 1);
	for (int i = 0; i < 3; i++)
		worst = fmax(worst, fabs(d[i] - want[i]));
	ok(worst <= 1e-6, "V6: gradient");
	channel_ce_forward(&p, &h, &la, &lb, &value, b, b, 1);
	near(h, 1.020191, 1e-6, "V6: H_2(b, b)");
	kl_logits_forward(&p, &h, &la, &lb, &value, a, b, 1);
	near(h, 4 * (1.080627 - 1.020191), 5e-6, "kl_logits: T^2 times the difference of the two");
	kl_logits_forward(&p, &h, &la, &lb, &value, b, b, 1);
	near(h, 0, 1e-14, "kl_logits of equal logits: 0");
}

/* V7: the released code's loss, put together as its row of the recipe does. */
static void check_rc(void)
{
	const double f[3][3] = {{0.1, 0.2, 0.3}, {0, 0.5, -0.5}, {0.9, 0.1, -0.8}};
	const double target[3] = {2, 0, 1}, want[3] = {1.076504, 1.109410, 1.149556};
	const double coef[3] = {1, 2, 120};
	struct channel_ce p = {1, 3, 2};
	double total = 1.5, h[3], la, lb, value;

	for (int i = 0; i < 3; i++) {
		channel_ce_forward(&p, &h[i], &la, &lb, &value, f[i], target, 1);
		total += coef[i] * h[i];
	}
	for (int i = 0; i < 3; i++) {
		int found = 0;

		for (int j = 0; j < 3; j++)
			found |= fabs(h[j] - want[i]) <= 1e-6;
		ok(found, "V7: H = %g", want[i]);
	}
	near(total, 134.089023, 1e-6, "V7: total");
}

static void check_cross_entropy(void)
{
	enum { B = 3, C = 4 };
	const int32_t labels[B] = {2, -1, 0};
	struct cross_entropy p = {B, C};
	double x[B * C], target[B * C] = {0}, loss[2], lse[B], rows[B], d[2][B * C], one = 1;
	double want = 0, worst = 0;

	fill(x, B * C);
	target[2] = target[2 * C] = 1;
	for (int b = 0; b < B; b += 2) {
		double sum = 0;

		for (int c = 0; c < C; c++)
			sum += exp(x[b * C + c]);
		want += log(sum) - x[b * C + labels[b]];
	}
	cross_entropy_forward(&p, &loss[0], lse, rows, x, target, NULL, 5);
	cross_entropy_backward(&p, d[0], 0, NULL, 0, &one, lse, x, target, NULL, 5);
	cross_entropy_forward(&p, &loss[1], lse, rows, x, NULL, labels, 5);
	cross_entropy_backward(&p, d[1], 0, NULL, 0, &one, lse, x, NULL, labels, 5);
	near(loss[0], want / 5, 1e-14, "cross-entropy of one-hot targets");
	near(loss[1], want / 5, 1e-14, "cross-entropy of labels, one of them absent");
	for (int i = 0; i < B * C; i++)
		worst = fmax(worst, fabs(d[0][i] - d[1][i]));
	ok(worst <= 1e-15, "labels and one-hot targets: one gradient");
	for (int i = 0; i < B * C; i++)
		x[i] += 1000;
	cross_entropy_forward(&p, &loss[1], lse, rows, x, target, NULL, 5);
	near(loss[1], loss[0], 1e-12, "cross-entropy does not overflow");
}

static void check_token_loss(void)
{
	const double u[4] = {1, 2, 3, 4}, v[4] = {1, 0, 4, 2};
	struct token_loss p = {1, 2, 2, 0};
	double loss, row;

	token_loss_forward(&p, &loss, &row, u, v, 2);
	near(loss, 5 / 4.0 / 2, 1e-15, "l1 of tokens");
	p.squared = 1;
	token_loss_forward(&p, &loss, &row, u, v, 2);
	near(loss, 9 / 4.0 / 2, 1e-15, "l2 of tokens");
}

int main(void)
{
	check_adapt_vectors();
	check_adapt_directions();
	check_cosine();
	check_reversal();
	check_channel_ce();
	check_rc();
	check_cross_entropy();
	check_token_loss();
	return done();
}
