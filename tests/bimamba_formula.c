/*
 * ViM and VideoMamba in published sizes, whose weights and input are given by formula, against
 * logits of the public implementations in double: tests/golden/make_vim.py says the formula.
 */
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/network.h"
#include "tests/tap.h"

enum { EVERY = 10, MANY = 10 };

#ifdef REAL_DOUBLE
static const double bound = 1e-9;
enum { IN_DOUBLE = 1 };
#else
static const double bound = 1e-4;
enum { IN_DOUBLE = 0 };
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
	int64_t S = n->config.image, classes = n->config.classes, T = n->config.frames;
	int64_t size = network_frames(&n->config) * S * S;
	real *image = memory_new(size * 3, sizeof(*image)),
	     *logits = memory_new(classes, sizeof(*logits));
	struct program *p = program_new(PROGRAM_EVAL);
	struct network_want want = {.tap = TAP_NONE};
	struct network_out y;
	tensor x = program_input(p, "image", TYPE_REAL, T ? 5 : 4,
		T ? (int64_t[]){1, T, S, S, 3} : (int64_t[]){1, S, S, 3});
	void *block;

	network_build(n, p, x, &want, &y);
	program_keep(p, y.logits, "logits");
	TRY(program_plan(p, device_cpu()));
	block = malloc(program_bytes(p));
	TRY(program_bind(p, block));
	for (int64_t i = 0; i < size; i++)
		for (int c = 0; c < 3; c++)
			image[i * 3 + c] = (real)wave(c * size + i, 0);
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

static int run(const char *arch, int64_t frames, double *out)
{
	struct network_config c;
	struct network *n;
	int status;

	TRY(network_find(arch, &c));
	c.classes = EVERY * MANY;
	c.frames = frames;
	TRY(network_new(&n, &c, NULL));
	TRY(model_allocate(n->model, device_cpu(), 0));
	for (int j = 0; j < n->model->count; j++)
		fill_param(n->model, j);
	status = logits_of(n, out);
	network_free(n);
	return status;
}

static void check_logits(const char *arch, int64_t frames, char *rest)
{
	double got[MANY], worst = 0, scale = 0;

	if (!ok(!run(arch, frames, got), "%s runs", arch)) {
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
	if (!ok(worst <= bound * scale, "%s, %lld frames: logits at formula weights", arch,
		    (long long)frames))
		diag("off by %g of the largest", worst / scale);
}

static int takes_long(const char *arch, int64_t frames)
{
	return frames > 2 || (IN_DOUBLE && !strcmp(arch, "videomamba-m"));
}

/* Lines of name, frames where clips are meant, logits. */
static void check_file(const char *path, int clips, int lines)
{
	FILE *f = fopen(path, "r");
	char line[1024];
	int count = 0;

	while (f && fgets(line, sizeof(line), f)) {
		char *rest = line, *arch = strsep(&rest, "\t");
		int64_t frames = clips ? atoi(strsep(&rest, "\t")) : 0;

		count++;
		if (!getenv("TM_LONG") && takes_long(arch, frames))
			skip("minutes: with TM_LONG=1");
		else
			check_logits(arch, frames, rest);
	}
	ok(count == lines, "%s: %d lines", path, lines);
	if (f)
		fclose(f);
}

int main(void)
{
	check_file("tests/golden/vim-formula.tsv", 0, 2);
	check_file("tests/golden/videomamba-formula.tsv", 1, 5);
	return done();
}
