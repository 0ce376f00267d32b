/*
 * Positions of another grid: against those that the projects make on loading, with a class token in
 * the middle, and against the formula.
 */
#include "lib/models/positions.h"
#include "tests/golden_values.h"

/* The same with a class token's row in the middle, which stays what it is. */
static void test_middle(const real *grid, const real *want, int side)
{
	struct network_config c = {.family = NETWORK_VIM, .image = 64, .patch = 16};
	struct position_table from = positions_of(&c, 4), to = positions_of(&c, side);
	real in[17 * 3], out[197 * 3];
	int64_t at = side * side / 2;

	memcpy(in, grid, 8 * 3 * sizeof(*in));
	memcpy(in + 9 * 3, grid + 8 * 3, 8 * 3 * sizeof(*in));
	for (int i = 0; i < 3; i++)
		in[8 * 3 + i] = 70 + i;
	positions_resize(in, &from, out, &to, 3, 0);
	ok(positions_rows(&to) == side * side + 1 && out[at * 3] == 70 && out[at * 3 + 2] == 72 &&
			!memcmp(out, want, at * 3 * sizeof(*out)) &&
			!memcmp(out + (at + 1) * 3, want + at * 3,
				(side * side - at) * 3 * sizeof(*out)),
		"positions: %d x %d around a class token", side, side);
}

static void test_positions(void)
{
	static const char *const sides[] = {"3", "5", "7", "14"};
	struct checkpoint *c;
	real in[16 * 3], out[14 * 14 * 3];
	double *table;
	int64_t n;

	if (!ok(!checkpoint_open(&c, GOLDEN "positions.safetensors", NULL), "position tables"))
		return;
	table = golden_values(c, "", "4", &n);
	for (int64_t i = 0; i < 16 * 3; i++)
		in[i] = (real)table[i];
	for (int i = 0; i < 4; i++) {
		int side = atoi(sides[i]);

		positions_resize(
			in, &(struct position_table){4}, out, &(struct position_table){side}, 3, 0);
		golden_compare(c, "positions", sides[i], out, side * side * 3);
		test_middle(in, out, side);
	}
	free(table);
	checkpoint_close(&c);
}

/* torch.nn.functional.interpolate, bicubic, align_corners=False. */
static double cubic(double x)
{
	const double a = -0.75;

	x = fabs(x);
	if (x <= 1)
		return (a + 2) * x * x * x - (a + 3) * x * x + 1;
	return x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a : 0;
}

static void check_bicubic(int from, int to)
{
	real *in = malloc(from * from * 3 * sizeof(*in)), *out = malloc(to * to * 3 * sizeof(*out));
	double worst = 0, allowed = sizeof(real) == sizeof(double) ? 1e-14 : 1e-6;

	for (int i = 0; i < from * from * 3; i++)
		in[i] = (real)cos(1.7 * i * i);
	positions_resize(
		in, &(struct position_table){from}, out, &(struct position_table){to}, 3, 1);
	for (int y = 0; y < to; y++)
		for (int x = 0; x < to; x++) {
			double sy = (y + 0.5) * from / to - 0.5, sx = (x + 0.5) * from / to - 0.5;
			double sum = 0;

			for (int j = (int)floor(sy) - 1; j <= (int)floor(sy) + 2; j++)
				for (int i = (int)floor(sx) - 1; i <= (int)floor(sx) + 2; i++) {
					int cy = j < 0 ? 0 : j >= from ? from - 1 : j;
					int cx = i < 0 ? 0 : i >= from ? from - 1 : i;

					sum += cubic(sy - j) * cubic(sx - i) *
					       in[(cy * from + cx) * 3 + 1];
				}
			worst = fmax(worst, fabs(sum - out[(y * to + x) * 3 + 1]));
		}
	ok(worst <= allowed, "positions %d x %d to %d x %d: bicubic", from, from, to, to);
	free(in);
	free(out);
}

int main(void)
{
	test_positions();
	check_bicubic(4, 8);
	check_bicubic(14, 16);
	check_bicubic(8, 3);
	return done();
}
