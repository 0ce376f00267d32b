/*
 * Networks against the public implementations: weights imported from a checkpoint in their own
 * names, then logits, the output of every block, the final tokens and the gradient of every
 * parameter; with the fast loops and with the plain ones, and on a GPU (gpu_goldens.c).
 * tests/golden/make_networks.py and its neighbours made the files, in double precision.
 */
#include <unistd.h>
#include "tests/golden_import.h"

struct golden {
	const char *name;
	struct network_config config;
};

#define DEIT .family = NETWORK_DEIT, .classes = 10, .mlp_ratio = 4, .heads = 3, .depth = 2
#define PMAMBA                                                                                     \
	.family = NETWORK_PLAINMAMBA, .classes = 10, .depth = 2, .dim = 32, .patch = 8,            \
	.expand = 2, .kernel = 7

#define VIM .family = NETWORK_VIM, .classes = 10, .depth = 2, .expand = 2
#define VIDEOMAMBA .family = NETWORK_VIDEOMAMBA, .classes = 10, .depth = 2, .expand = 2, .patch = 8
#define VMAMBA(a, b, c, d)                                                                         \
	.family = NETWORK_VMAMBA, .classes = 10, .patch = 4, .depth = (a) + (b) + (c) + (d),       \
	.stages = {a, b, c, d}, .kernel = 3

static const struct golden goldens[] = {
	{"deit-tiny", {"deit", DEIT, .image = 32, .patch = 8, .dim = 48}},
	{"deit-tiny-distilled", {"deit", DEIT, .image = 32, .patch = 8, .dim = 48, .distilled = 1}},
	{"deit-tiny-hf", {"deit", DEIT, .image = 16, .patch = 8, .dim = 24}},
	{"deit-tiny-hf-distilled",
		{"deit", DEIT, .image = 16, .patch = 8, .dim = 24, .distilled = 1}},
	{"plainmamba-tiny",
		{"pmamba", PMAMBA, .image = 40, .state = 16, .stem = 64, .stem_convs = 2}},
	{"plainmamba-local-tiny", {"pmamba", PMAMBA, .image = 40, .state = 16, .stem = 64,
					  .stem_convs = 1, .local = 1}},
	{"plainmamba-mlp-tiny", {"pmamba", PMAMBA, .image = 24, .state = 8, .stem = 16,
					.stem_convs = 1, .mlp_ratio = 2, .scan_order = 1}},
	{"vim-tiny", {"vim", VIM, .image = 40, .patch = 8, .dim = 24, .state = 16}},
	{"vim-plus-tiny", {"vim", .family = NETWORK_VIM, .classes = 10, .depth = 1, .expand = 2,
				  .image = 20, .patch = 8, .stride = 4, .dim = 24, .state = 16}},
	{"vim-mlp-tiny", {"vim", VIM, .image = 32, .patch = 8, .dim = 32, .state = 8,
				 .mlp_ratio = 2, .layer_norm = 1}},
	{"videomamba-tiny", {"videomamba", VIDEOMAMBA, .image = 40, .dim = 24, .state = 16}},
	{"videomamba-clip-tiny",
		{"videomamba", VIDEOMAMBA, .image = 24, .dim = 24, .state = 16, .frames = 3}},
	{"videomamba-mlp-tiny", {"videomamba", VIDEOMAMBA, .image = 24, .dim = 32, .state = 8,
					.frames = 2, .mlp_ratio = 2, .layer_norm = 1}},
	{"mambaout-tiny",
		{"mambaout", .family = NETWORK_MAMBAOUT, .classes = 10, .image = 36, .patch = 4,
			.dim = 6, .depth = 5, .stages = {1, 1, 2, 1}, .kernel = 7}},
	{"vmamba-tiny",
		{"vmamba", VMAMBA(1, 1, 2, 1), .image = 28, .dim = 8, .expand = 2, .state = 3}},
	{"vmamba-mlp-tiny", {"vmamba", VMAMBA(1, 1, 1, 1), .image = 32, .dim = 4, .expand = 2,
				    .state = 3, .mlp_ratio = 2}},
	{"vmamba-noz-tiny", {"vmamba", VMAMBA(1, 1, 2, 1), .image = 20, .dim = 8, .expand = 1,
				    .state = 1, .mlp_ratio = 2, .noz = 1}},
};

/* --- running --- */

struct running {
	const struct golden *golden;
	const struct device *device;
	struct checkpoint *values;
	struct network *net;
	struct program *program;
	struct network_out out;
	void *block;
};

/* Values of the device on the host, malloc'ed. */
static real *host_of(const struct running *r, const real *x, int64_t n)
{
	real *host = memory_new(n, sizeof(*host));

	r->device->get(host, x, n * sizeof(*host));
	return host;
}

static void compare_tensor(struct running *r, const char *name, tensor t)
{
	real *host = memory_new(t->count, sizeof(*host));

	tensor_get(r->program, t, host);
	golden_compare(r->values, r->golden->name, name, host, t->count);
	free(host);
}

/* (B, 3, T, S, S) -> (B, T, S, S, 3) */
static void put_input(struct running *r, tensor image)
{
	int64_t n, S = r->golden->config.image, size = network_frames(&r->golden->config) * S * S;
	double *in = golden_values(r->values, "", "input", &n);
	real *host = memory_new(image->count, sizeof(*host));

	for (int64_t i = 0; i < image->count / 3; i++)
		for (int c = 0; c < 3; c++)
			host[i * 3 + c] = (real)in[((i / size) * 3 + c) * size + i % size];
	tensor_put(r->program, image, host);
	free(host);
	free(in);
}

static int start(struct running *r, enum program_mode mode)
{
	int64_t S = r->golden->config.image, T = r->golden->config.frames;
	struct network_want want = {.tap = TAP_STREAM};
	char name[32];
	tensor image;

	r->program = program_new(mode);
	image = program_input(r->program, "image", TYPE_REAL, T ? 5 : 4,
		T ? (int64_t[]){2, T, S, S, 3} : (int64_t[]){2, S, S, 3});
	network_build(r->net, r->program, image, &want, &r->out);
	program_keep(r->program, r->out.logits, "logits");
	program_keep(r->program, r->out.tokens, "tokens");
	for (int64_t i = 0; i < r->golden->config.depth; i++) {
		snprintf(name, sizeof(name), "tap.%d", (int)i);
		program_keep(r->program, r->out.taps[i], name);
	}
	if (mode != PROGRAM_EVAL)
		program_seed(r->program, r->out.logits);
	TRY(program_plan(r->program, r->device));
	r->block = r->device->alloc(program_bytes(r->program));
	TRY(program_bind(r->program, r->block));
	put_input(r, image);
	program_forward(r->program, &(struct step){.divisor = 1, .scale = 1});
	return 0;
}

static void finish(struct running *r)
{
	program_free(r->program);
	r->device->release(r->block);
	r->program = NULL;
	r->block = NULL;
}

/* --- gradients --- */

/* The names of the golden file for one of our parameters. */
static const char *golden_name(const struct running *r, const char *ours)
{
	static char name[NAME_SIZE];

	if (r->golden->config.family != NETWORK_PLAINMAMBA || !strncmp(ours, "head.", 5))
		return ours;
	snprintf(name, sizeof(name), "backbone.%s", ours);
	return name;
}

/* Every stride-th element, and the sum of all with cos(0.37 i), which is large: errors add up. */
static int sampled(struct running *r, const struct param *p, const real *got)
{
	const char *name = golden_name(r, p->name);
	int64_t n, one;
	double *every = golden_values(r->values, "every.", name, &n);
	double *stride = golden_values(r->values, "stride.", name, &one);
	double *dot = golden_values(r->values, "dot.", name, &one), sum = 0, size = 0, d = 1, e = 1;

	for (int64_t i = 0; i < p->count; i++) {
		sum += got[i] * cos(0.37 * i);
		size += fabs(got[i]);
	}
	if (every && stride && dot && n == (p->count + (int64_t)*stride - 1) / (int64_t)*stride) {
		d = golden_difference(got, every, n, (int64_t)*stride);
		e = fabs(sum - *dot) / size;
	}
	free(every);
	free(stride);
	free(dot);
	if (d <= golden_bound && e <= golden_bound)
		return 1;
	diag("%s: samples off by %g, sum by %g", name, d, e);
	return 0;
}

static int whole(struct running *r, const struct param *p, const real *got)
{
	const char *name = golden_name(r, p->name);
	int64_t n;
	double *want = golden_values(r->values, "grad.", name, &n), d;

	if (!want)
		return sampled(r, p, got);
	d = n == p->count ? golden_difference(got, want, n, 1) : 1;
	free(want);
	if (d <= golden_bound)
		return 1;
	diag("%s: off by %g", name, d);
	return 0;
}

static void compare_gradients(struct running *r)
{
	const struct model *m = r->net->model;
	int good = 1, count = 0;

	for (int i = 0; i < m->count; i++)
		if (!(m->params[i]->flags & PARAM_BUFFER)) {
			real *got = host_of(r, m->params[i]->grad, m->params[i]->count);

			good &= whole(r, m->params[i], got);
			count++;
			free(got);
		}
	ok(good, "%s: gradients of all %d parameters", r->golden->name, count);
}

static void backward(struct running *r)
{
	int64_t n = r->out.logits->count;
	real *seed = memory_new(n, sizeof(*seed));

	for (int64_t i = 0; i < n; i++)
		seed[i] = (real)cos(0.3 * i);
	r->device->zero(r->net->model->grad, r->net->model->size * sizeof(real));
	tensor_put_grad(r->program, r->out.logits, seed);
	program_backward(r->program, &(struct step){.divisor = 1, .scale = 1});
	free(seed);
	compare_gradients(r);
}

/* PyTorch's step of the running statistics, with what the program says of the batch. */
static void compare_statistics(struct running *r)
{
	const struct model *m = r->net->model;
	int good = 1, count = 0;

	for (int i = 0; i < m->count; i++) {
		const struct param *p = m->params[i];
		double *want;
		real *running, *stat;
		int64_t n;

		if (!(p->flags & PARAM_BUFFER) || p->flags & PARAM_COUNTER)
			continue;
		running = host_of(r, p->data, p->count);
		stat = host_of(r, p->grad, p->count);
		want = golden_values(r->values, "after.", golden_name(r, p->name), &n);
		for (int64_t k = 0; want && k < n; k++) {
			double got = 0.9 * running[k] + 0.1 * stat[k];

			good &= fabs(got - want[k]) <= golden_bound * (1 + fabs(want[k]));
		}
		good &= want && n == p->count;
		count++;
		free(want);
		free(running);
		free(stat);
	}
	if (count)
		ok(good, "%s: the %d running statistics after a step", r->golden->name, count);
}

/* --- one network --- */

static int load(struct running *r)
{
	const char *path = in_folder("loaded.h5");
	struct weights_source source = {.path = path, .with_gradients = 1};
	char file[128];
	struct h5 *f;

	snprintf(file, sizeof(file), GOLDEN "%s.safetensors", r->golden->name);
	TRY(import_file(&r->golden->config, file, NULL, path));
	TRY(weights_open(&r->net, &f, &source, r->device));
	h5_close(&f);
	snprintf(file, sizeof(file), GOLDEN "%s-golden.safetensors", r->golden->name);
	return checkpoint_open(&r->values, file, NULL);
}

static int run_eval(struct running *r)
{
	int status = start(r, PROGRAM_EVAL);

	if (!status)
		compare_tensor(r,
			checkpoint_find(r->values, "eval.logits") ? "eval.logits" : "logits",
			r->out.logits);
	finish(r);
	return status;
}

static int run_training(struct running *r)
{
	int status = start(r, PROGRAM_TRAIN);
	char name[32];

	if (!status) {
		compare_tensor(r, "logits", r->out.logits);
		compare_tensor(r, "tokens", r->out.tokens);
		for (int64_t i = 0; i < r->golden->config.depth; i++) {
			snprintf(name, sizeof(name), "tap.%d", (int)i);
			compare_tensor(r, name, r->out.taps[i]);
		}
		backward(r);
		compare_statistics(r);
	}
	finish(r);
	return status;
}

static void test_network(const struct golden *g, const struct device *device)
{
	struct running r = {g, device};
	int status = load(&r);

	if (!status)
		status = run_eval(&r);
	if (!status && checkpoint_find(r.values, "tokens"))
		status = run_training(&r);
	if (!ok(!status, "%s: imported, loaded and run: %s loops", g->name,
		    device->plain ? "plain" : "fast"))
		diag("%s", error_message());
	checkpoint_close(&r.values);
	network_free(r.net);
}

#ifdef ON_GPU
static void run_all(void)
{
	const struct device *gpu;

	if (device_cuda(&gpu, 0, PRECISION_FP32)) {
		skip(error_message());
		return;
	}
	for (size_t i = 0; i < sizeof(goldens) / sizeof(*goldens); i++)
		test_network(&goldens[i], gpu);
}
#else
static void run_all(void)
{
	for (size_t i = 0; i < sizeof(goldens) / sizeof(*goldens); i++)
		for (int plain = 0; plain < 2; plain++)
			test_network(&goldens[i], plain ? device_cpu_plain() : device_cpu());
}
#endif

int main(void)
{
	run_all();
	ok(!remove_folder(test_folder()), "the folder is removed");
	return done();
}
