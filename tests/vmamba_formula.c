/*
 * Published networks at full size: logits of one image against the public implementation, weights
 * and image by a formula that tests/golden/make_vmamba.py writes down, too. Element i of tensor j
 * is a hash of both in [-1, 1), scaled by what the tensor is.
 */
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/network.h"
#include "tests/tap.h"

#define IMAGE 1000 /* the image's number among the tensors */
#define LOGITS 10  /* the first of each network are kept */

static double formula(uint32_t tensor, uint32_t i)
{
	uint32_t x = i + 7919 * tensor + 1;

	for (int round = 0; round < 2; round++)
		x = (x ^ x >> 16) * 0x45d9f3b;
	x ^= x >> 16;
	return x / 2147483648.0 - 1;
}

static int ends_with(const char *name, const char *what)
{
	size_t n = strlen(name), m = strlen(what);

	return n >= m && !strcmp(name + n - m, what);
}

static double value_of(const struct param *p, int tensor, int64_t i)
{
	double x = formula(tensor, (uint32_t)i);

	if (ends_with(p->name, "A_logs"))
		return 0.1 * x + log(i % p->shape[1] + 1);
	if (ends_with(p->name, "dt_projs_bias"))
		return x - 2;
	if (p->dims == 1)
		return 0.1 * x + (ends_with(p->name, "weight") || ends_with(p->name, "Ds"));
	return x / sqrt(p->dims == 3 ? p->shape[2] : p->count / p->shape[0]);
}

static void fill(struct model *m)
{
	for (int j = 0; j < m->count; j++)
		for (int64_t i = 0; i < m->params[j]->count; i++)
			m->params[j]->data[i] = (real)value_of(m->params[j], j, i);
}

static int logits_of(struct network *n, real *host)
{
	int64_t S = n->config.image;
	struct program *p = program_new(PROGRAM_EVAL);
	struct network_want want = {0};
	struct network_out out;
	tensor image = program_input(p, "image", TYPE_REAL, 4, (int64_t[]){1, S, S, 3});
	real *pixels = memory_new(image->count, sizeof(*pixels));
	void *block = NULL;
	int status;

	network_build(n, p, image, &want, &out);
	program_keep(p, out.logits, "logits");
	status = program_plan(p, device_cpu());
	if (!status)
		block = device_cpu()->alloc(program_bytes(p));
	if (!status)
		status = program_bind(p, block);
	for (int64_t i = 0; i < image->count && !status; i++)
		pixels[i] = (real)formula(IMAGE, (uint32_t)i);
	if (!status) {
		tensor_put(p, image, pixels);
		program_forward(p, &(struct step){.divisor = 1, .scale = 1});
		tensor_get(p, out.logits, host);
	}
	program_free(p);
	device_cpu()->release(block);
	free(pixels);
	return status;
}

static void check(const char *arch, const double *want)
{
	struct network_config c;
	struct network *n = NULL;
	real host[1000] = {0};
	double worst = 0, scale = 0;
	int status = network_find(arch, &c);

	if (!status)
		status = network_new(&n, &c, NULL);
	if (!status)
		status = model_allocate(n->model, device_cpu(), 0);
	if (!status) {
		fill(n->model);
		status = logits_of(n, host);
	}
	for (int i = 0; i < LOGITS; i++) {
		double d = fabs(host[i] - want[i]);

		worst = d <= worst ? worst : d;
		scale = fmax(scale, fabs(want[i]));
	}
	if (!ok(!status && worst <= 2e-5 * scale, "%s: logits at formula weights", arch))
		diag("%s, off by %g of %g", status ? error_message() : "run", worst, scale);
	network_free(n);
}

int main(void)
{
	FILE *f = fopen("tests/golden/vmamba-formula.tsv", "r");
	char arch[32];
	double want[LOGITS];

	if (!ok(f != NULL, "the goldens are there"))
		return done();
	while (fscanf(f, "%31s", arch) == 1) {
		int read = 0;

		while (read < LOGITS && fscanf(f, "%lf", &want[read]) == 1)
			read++;
		if (ok(read == LOGITS, "%s: golden logits", arch))
			check(arch, want);
	}
	fclose(f);
	return done();
}
