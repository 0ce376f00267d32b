/* Philox against the published answers; uniform, bounded and normal numbers by their distribution.
 */
#include "kernels/philox.h"
#include "tests/tap.h"

/* Answers of Random123's kat_vectors for philox4x32-10 */
static void check_answers(void)
{
	static const uint32_t cases[3][10] = {
		{0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
		{~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
		{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
			0x94fdcceb, 0x5001e420, 0x24126ea1}};

	for (int i = 0; i < 3; i++) {
		const uint32_t *c = cases[i];
		uint64_t seed = c[4] | (uint64_t)c[5] << 32;
		uint64_t sample = c[1] | (uint64_t)(c[3] >> 16) << 32;
		struct philox r = philox_attempt(
			seed, (enum purpose)(c[3] & 255), c[2], sample, c[0], c[3] >> 8 & 255);

		ok(!memcmp(r.v, c + 6, sizeof(r.v)), "published answer %d", i + 1);
	}
}

static void check_keys(void)
{
	struct philox base = philox(1, PURPOSE_TEST, 2, 3, 4);
	struct philox other[] = {philox(2, PURPOSE_TEST, 2, 3, 4), philox(1, PURPOSE_MIX, 2, 3, 4),
		philox(1, PURPOSE_TEST, 3, 3, 4), philox(1, PURPOSE_TEST, 2, 4, 4),
		philox(1, PURPOSE_TEST, 2, 3, 5), philox(1ull << 40 | 1, PURPOSE_TEST, 2, 3, 4),
		philox(1, PURPOSE_TEST, 2, 1ull << 40 | 3, 4)};
	int same = 0;

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		same += !memcmp(&base, &other[i], sizeof(base));
	ok(same == 0, "every part of the key counts");
}

static void check_uniform(void)
{
	ok(philox_uniform(0) == 0 && philox_uniform(~0u) == 1 - 0x1p-24f, "uniform is in [0, 1)");
	ok(philox_uniform53(0, 0) == 0 && philox_uniform53(~0u, ~0u) == 1 - 0x1p-53,
		"uniform in double too");
}

static void check_below(void)
{
	enum { N = 7, DRAWS = 70000 };
	int count[N] = {0}, outside = 0;
	double chi = 0;

	for (uint32_t i = 0; i < DRAWS; i++)
		count[philox_below(5, PURPOSE_TEST, 0, i, 0, N)]++;
	for (int i = 0; i < N; i++)
		chi += pow(count[i] - DRAWS / (double)N, 2) / (DRAWS / (double)N);
	ok(chi < 22.5, "bounded integers are even (chi-square %.1f, 6 degrees)", chi);
	/* two thirds of all words are rejected for some n between 2^31 and 2^32 */
	for (uint32_t i = 0; i < 1000; i++)
		outside += philox_below(5, PURPOSE_TEST, 0, i, 1, 0x80000001u) > 0x80000000u;
	ok(outside == 0 && philox_below(5, PURPOSE_TEST, 0, 0, 0, 1) == 0, "and stay below n");
}

static void check_normal(void)
{
	enum { N = 200000 };
	double sum[5] = {0}, cross = 0, worst = 0;
	int beyond = 0;

	for (uint32_t i = 0; i < N; i++) {
		struct philox r = philox(9, PURPOSE_TEST, 1, i, 0);
		float x[2];
		double radius, want;

		philox_normal(r.v[0], r.v[1], x);
		want = sqrt(-2 * log(((r.v[0] >> 8) + 1) * 0x1p-24));
		radius = hypot(x[0], x[1]);
		if (fabs(radius - want) > worst)
			worst = fabs(radius - want);
		cross += (double)x[0] * x[1];
		beyond += fabs((double)x[0]) > 1.959963985;
		for (int k = 1; k <= 4; k++)
			sum[k] += pow(x[0], k) + pow(x[1], k);
	}
	ok(worst < 2e-6, "radius as in double (off by %.1e)", worst);
	ok(fabs(sum[1] / (2 * N)) < 0.008 && fabs(sum[2] / (2 * N) - 1) < 0.012,
		"mean %.4f, variance %.4f", sum[1] / (2 * N), sum[2] / (2 * N));
	ok(fabs(sum[3] / (2 * N)) < 0.03 && fabs(sum[4] / (2 * N) - 3) < 0.08,
		"third and fourth moments %.3f, %.3f", sum[3] / (2 * N), sum[4] / (2 * N));
	ok(fabs(cross / N) < 0.012, "the two are uncorrelated");
	ok(fabs(beyond / (double)N - 0.05) < 0.003, "5 %% lie beyond 1.96");
}

static void check_angle(void)
{
	int octant[8] = {0};
	double worst = 0, chi = 0;

	for (uint32_t i = 0; i < 80000; i++) {
		uint32_t b = philox(11, PURPOSE_TEST, 0, i, 0).v[0];
		double turn = (b >> 30) + ((int32_t)(b << 2 >> 8) - (1 << 23)) * 0x1p-24;
		float x[2];
		double off;

		philox_normal(0x12345678, b, x);
		off = fabs(remainder(atan2(x[1], x[0]) - turn * M_PI / 2, 2 * M_PI));
		if (off > worst)
			worst = off;
		octant[(int)floor((atan2(x[1], x[0]) + M_PI) / (M_PI / 4)) & 7]++;
	}
	for (int i = 0; i < 8; i++)
		chi += pow(octant[i] - 10000, 2) / 10000;
	ok(worst < 3e-7, "angle as in double (off by %.1e)", worst);
	ok(chi < 24.3, "angles are even (chi-square %.1f, 7 degrees)", chi);
}

int main(void)
{
	check_answers();
	check_keys();
	check_uniform();
	check_below();
	check_normal();
	check_angle();
	return done();
}
