/* Input and target ops against their contract, said a second time sample by sample. */
#include "kernels/image_input.h"
#include "kernels/philox.h"
#include "tests/op_cases.h"

static double normalised(int byte, int channel)
{
	const double mean[] = {0.485, 0.456, 0.406}, std[] = {0.229, 0.224, 0.225};

	return (byte / 255.0 - mean[channel]) / std[channel];
}

/* Before mixing: value (i, j, c) of sample b, as fill_input wrote it */
static double erased(const uint8_t *pixels, int64_t S, int b, int i, int j, int c)
{
	struct philox w;
	float z[4];

	if (b % 2 == 0 || i < b % 3 || i >= b % 3 + 4 || j < 2 || j >= 5)
		return normalised(pixels[((b * S + i) * S + j) * 3 + c], c);
	w = philox(7, PURPOSE_ERASE, 2, 100 + b, (uint32_t)(i * S + j));
	philox_normal(w.v[0], w.v[1], z);
	philox_normal(w.v[2], w.v[3], z + 2);
	return z[c];
}

static double mixed(const uint8_t *pixels, const int64_t *n, int b, int i, int j, int c)
{
	int64_t S = n[1];
	int shard = b / n[2], partner = (int)(shard * n[2] + n[2] - 1 - b % n[2]);
	double own = erased(pixels, S, b, i, j, c), other = erased(pixels, S, partner, i, j, c);

	if (shard % 3 == 1)
		return (real)0.7 * own + (1 - (real)0.7) * other;
	if (shard % 3 == 2 && i >= 1 && i < S - 1 && j >= 2)
		return other;
	return own;
}

static double target_of(int label, int c)
{
	if (label < 0)
		return 0;
	return c == label ? 1 - 0.1 + 0.1 / 7 : 0.1 / 7;
}

static void check(const int64_t *n)
{
	struct op_case c = {"image_input", build_image_input, {n[0], n[1], n[2]}, fill_input};
	int64_t S = n[1];
	struct case_run r;
	uint8_t *pixels = malloc(n[0] * S * S * 3);
	real *x = malloc(n[0] * S * S * 3 * sizeof(*x)), target[12 * 7];
	double worst = 0, worst_target = 0;

	case_open(&r, &c, device_cpu());
	program_forward(r.p, &r.step);
	tensor_get(r.p, program_find(r.p, "pixels"), pixels);
	tensor_get(r.p, program_find(r.p, "target"), target);
	tensor_get(r.p, r.y, x);
	for (int64_t i = 0; i < n[0] * S * S * 3; i++) {
		double e =
			fabs(x[i] - mixed(pixels, n, (int)(i / (S * S * 3)), (int)(i / (S * 3) % S),
					    (int)(i / 3 % S), (int)(i % 3)));

		if (!(e <= worst))
			worst = e;
	}
	for (int i = 0; i < n[0] * 7; i++) {
		int b = i / 7, shard = b / (int)n[2];
		int partner = (int)(shard * n[2] + n[2] - 1 - b % n[2]);
		double lambda = shard % 3 ? 0.7 : 1, e;

		e = fabs(target[i] - lambda * target_of(b % 5 - 1, i % 7) -
			 (1 - lambda) * target_of(partner % 5 - 1, i % 7));
		if (!(e <= worst_target))
			worst_target = e;
	}
	if (!ok(worst <= 1e-7, "%s: pixels", case_name(&c)))
		diag("error %g", worst);
	if (!ok(worst_target <= 1e-7, "%s: targets", case_name(&c)))
		diag("error %g", worst_target);
	case_close(&r, device_cpu());
	free(pixels);
	free(x);
}

int main(void)
{
	struct program *p = program_new(PROGRAM_EVAL);
	tensor bytes = case_constant(p, "pixels", TYPE_U8, 4, 6, 8, 8, 3);
	tensor labels = case_constant(p, "labels", TYPE_I32, 1, 6, 0, 0, 0);

	check((int64_t[]){12, 8, 4});
	check((int64_t[]){6, 33, 2});
	image_input(p, bytes, 2);
	soft_target(p, labels, 7, 0.1, 3);
	ok(program_plan(p, device_cpu()) == STATUS_DATA, "two ideas of a shard are refused");
	program_free(p);
	return done();
}
