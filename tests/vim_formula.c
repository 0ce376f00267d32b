/*
 * Published sizes whose weights and image are given by formula, against logits of the public
 * implementations in double: tests/golden/make_vim.py says the formula.
 */
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/network.h"
#include "tests/tap.h"

enum { EVERY = 10, MANY = 10 };

#ifdef REAL_DOUBLE
static const double bound = 1e-9;
#else
static const double bound = 1e-4;
#endif

static double wave(int64_t i, int j)
{
	return sin(0.7 * i + j + 1e-4 * i * i);
}

static int ends(const char *name, const char *tail)
{
	size_t n = strlen(name), m = strlen(tail);

	return n >= m && !strcmp(name + n - m, tail);
}

static void fill_param(struct model *m, int j)
{
	struct param *p = m->params[j];
	int one = ends(p->name, ".D") || ends(p->name, ".D_b") || ends(p->name, "norm.weight") ||
		  ends(p->name, "norm_f.weight");
	real *host = memory_new(p->count, sizeof(*host));
	double scale = p->dims > 1 ? 1.5 / sqrt((double)p->count / p->shape[0]) : 0.1;

	for (int64_t i = 0; i < p->count; i++) {
		host[i] = (real)(scale * wave(i, j) + one);
		if (ends(p->name, "_log"))
			host[i] = (real)(0.1 * wave(i, j) + log(i % p->shape[1] + 1.0));
	}
	param_put(m, p, host);
	free(host);
}

static int logits_of(struct network *n, double *out)
{
	int64_t S = n->config.image, classes = n->config.classes;
	real *image = memory_new(S * S * 3, sizeof(*image)),
	     *logits = memory_new(classes, sizeof(*logits));
	struct program *p = program_new(PROGRAM_EVAL);
	struct network_want want = {.tap = TAP_NONE};
	struct network_out y;
	tensor x = program_input(p, "image", TYPE_REAL, 4, (int64_t[]){1, S, S, 3});
	void *block;

	network_build(n, p, x, &want, &y);
	program_keep(p, y.logits, "logits");
	TRY(program_plan(p, device_cpu()));
	block = malloc(program_bytes(p));
	TRY(program_bind(p, block));
	for (int64_t i = 0; i < S * S; i++)
		for (int c = 0; c < 3; c++)
			image[i * 3 + c] = (real)wave(c * S * S + i, 0);
	tensor_put(p, x, image);
	program_forward(p, &(struct step){.divisor = 1, .scale = 1});
	tensor_get(p, y.logits, logits);
	for (int i = 0; i < MANY; i++)
		out[i] = logits[i * EVERY];
	program_free(p);
	free(block);
	free(image);
	free(logits);
	return 0;
}

static int run(const char *arch, double *out)
{
	struct network_config c;
	struct network *n;
	int status;

	TRY(network_find(arch, &c));
	TRY(network_new(&n, &c, NULL));
	TRY(model_allocate(n->model, device_cpu(), 0));
	for (int j = 0; j < n->model->count; j++)
		fill_param(n->model, j);
	status = logits_of(n, out);
	network_free(n);
	return status;
}

static void check_line(char *line)
{
	double got[MANY], worst = 0, scale = 0;
	char *rest = line, *arch = strsep(&rest, "\t");

	if (!ok(!run(arch, got), "%s runs", arch)) {
		diag("%s", error_message());
		return;
	}
	for (int i = 0; i < MANY; i++) {
		char *word = strsep(&rest, "\t");
		double want = word ? strtod(word, NULL) : NAN, off = fabs(got[i] - want);

		if (!(off <= worst))
			worst = off;
		scale = fmax(scale, fabs(want));
	}
	if (!ok(worst <= bound * scale, "%s: logits at formula weights", arch))
		diag("off by %g of the largest", worst / scale);
}

int main(void)
{
	FILE *f = fopen("tests/golden/vim-formula.tsv", "r");
	char line[1024];
	int count = 0;

	while (f && fgets(line, sizeof(line), f)) {
		check_line(line);
		count++;
	}
	ok(count == 2, "both sizes");
	if (f)
		fclose(f);
	return done();
}
