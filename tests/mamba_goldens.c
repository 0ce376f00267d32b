/*
 * Mamba, the language model, against the public implementation: weights imported from what it
 * saves, then logits, the stream after every block, all gradients, the loss, and tokens one by one
 * after a prompt; with the fast loops and with the plain ones. tests/golden/make_mamba.py made the
 * files, in double precision. In float here and in double in mamba_goldens_f64.c.
 */
#include <unistd.h>
#include "lib/io/safetensors.h"
#include "lib/models/convert.h"
#include "lib/models/language.h"
#include "lib/models/weights.h"
#include "tests/folder.h"
#include "tests/golden_values.h"

#define ROWS 2
#define LEN 9
#define PROMPT 4
#define VOCABULARY 24

static const struct network_config config = {"mamba", .family = NETWORK_MAMBA,
	.classes = VOCABULARY, .dim = 20, .depth = 2, .expand = 2, .state = 16};

static char complaints[4000];

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
	size_t used = strlen(complaints);
	va_list ap;

	va_start(ap, format);
	vsnprintf(complaints + used, sizeof(complaints) - used, format, ap);
	va_end(ap);
}

static void quiet(const char *format, ...)
{
}

static int import_file(const char *file, const char *path)
{
	const struct import_options o = {.say = quiet, .complain = complain};
	struct checkpoint *c;
	struct h5 *f;
	int status;

	complaints[0] = 0;
	TRY(checkpoint_open(&c, file, NULL));
	status = h5_create(&f, path, "weights");
	if (!status) {
		status = weights_import(c, &config, &o, f);
		if (status)
			h5_close(&f);
		else
			status = h5_commit(&f);
	}
	checkpoint_close(&c);
	return status;
}

/* NULL when it is refused. */
static struct network *opened(const char *file, const struct device *device)
{
	const char *path = in_folder("opened.h5");
	struct weights_source source = {.path = path, .with_gradients = 1, .tokens = 1};
	struct network *n = NULL;
	struct h5 *f;

	if (import_file(file, path) || weights_open(&n, &f, &source, device)) {
		diag("%s %s", error_message(), complaints);
		return NULL;
	}
	h5_close(&f);
	return n;
}

/* --- running --- */

struct running {
	const struct device *device;
	struct network *net;
	struct checkpoint *values;
	int32_t ids[ROWS * LEN];
	struct program *program;
	struct network_out out;
	tensor in, loss;
	void *block;
};

static int start(struct running *r, enum program_mode mode, int64_t len, struct network_state *s)
{
	struct network_want want = {.tap = TAP_STREAM};
	char name[32];
	tensor labels = NULL;

	r->program = program_new(mode);
	r->in = program_input(r->program, "ids", TYPE_I32, 2, (int64_t[]){ROWS, len});
	network_build_tokens(r->net, r->program, r->in, s, &want, &r->out);
	program_keep(r->program, r->out.logits, "logits");
	program_keep(r->program, r->out.tokens, "tokens");
	for (int i = 0; i < config.depth; i++) {
		snprintf(name, sizeof(name), "tap.%d", i);
		program_keep(r->program, r->out.taps[i], name);
	}
	if (!s) {
		labels = program_input(r->program, "labels", TYPE_I32, 2, (int64_t[]){ROWS, len});
		r->loss = program_keep(
			r->program, label_entropy(r->program, r->out.logits, labels), "loss");
	}
	if (mode != PROGRAM_EVAL)
		program_seed(r->program, r->out.logits);
	TRY(program_plan(r->program, r->device));
	r->block = r->device->alloc(program_bytes(r->program));
	return program_bind(r->program, r->block);
}

static void finish(struct running *r)
{
	program_free(r->program);
	r->device->release(r->block);
	r->program = NULL;
	r->block = NULL;
}

/* Tokens [from, from + len) of every row. */
static void read_tokens(struct running *r, int64_t from, int64_t len, real divisor)
{
	int32_t ids[ROWS * LEN];

	for (int64_t i = 0; i < ROWS * len; i++)
		ids[i] = r->ids[i / len * LEN + from + i % len];
	tensor_put(r->program, r->in, ids);
	program_forward(r->program, &(struct step){.divisor = divisor, .scale = 1});
}

/* Each token's label is the next; the last has none. */
static void put_labels(struct running *r)
{
	int32_t labels[ROWS * LEN];

	for (int i = 0; i < ROWS * LEN; i++)
		labels[i] = i % LEN < LEN - 1 ? r->ids[i + 1] : i ? VOCABULARY : -100;
	tensor_put(r->program, program_find(r->program, "labels"), labels);
}

static void compare(struct running *r, const char *name, tensor t)
{
	real *host = memory_new(t->count, sizeof(*host));

	tensor_get(r->program, t, host);
	golden_compare(r->values, "mamba-tiny", name, host, t->count);
	free(host);
}

static void compare_gradients(struct running *r)
{
	const struct model *m = r->net->model;
	int good = 1;

	for (int i = 0; i < m->count; i++) {
		const struct param *p = m->params[i];
		int64_t n;
		double *want = golden_values(r->values, "grad.", p->name, &n);
		double d = want && n == p->count ? golden_difference(p->grad, want, n, 1) : 1;

		free(want);
		if (!(d <= golden_bound)) {
			diag("%s: off by %g", p->name, d);
			good = 0;
		}
	}
	ok(good, "gradients of all %d parameters", m->count);
}

static void train(struct running *r)
{
	char name[32];
	real seed[ROWS * LEN * VOCABULARY];

	if (!ok(!start(r, PROGRAM_TRAIN, LEN, NULL), "a training program")) {
		diag("%s", error_message());
		return;
	}
	put_labels(r);
	read_tokens(r, 0, LEN, ROWS * (LEN - 1));
	compare(r, "logits", r->out.logits);
	compare(r, "tokens", r->out.tokens);
	compare(r, "loss", r->loss);
	for (int i = 0; i < config.depth; i++) {
		snprintf(name, sizeof(name), "tap.%d", i);
		compare(r, name, r->out.taps[i]);
	}
	for (int i = 0; i < ROWS * LEN * VOCABULARY; i++)
		seed[i] = (real)cos(0.3 * i);
	r->device->zero(r->net->model->grad, r->net->model->size * sizeof(real));
	tensor_put_grad(r->program, r->out.logits, seed);
	program_backward(r->program, &(struct step){.divisor = 1, .scale = 1});
	compare_gradients(r);
	finish(r);
}

/* Ours (B, 3, E) is the last three of theirs (B, E, 4). */
static void compare_states(struct running *r, struct network_state *s)
{
	int64_t E = config.expand * config.dim, N = config.state, n, count = network_state_count(s);
	double *conv = golden_values(r->values, "", "conv_state", &n), *want;
	real *all = memory_new(count, sizeof(*all)), *window;
	/* two buffers a layer, each padded to 16 values */
	int64_t pad = (ROWS * 3 * E + 15) / 16 * 16, scan = (ROWS * E * N + 15) / 16 * 16;

	network_state_get(s, all);
	window = all + (config.depth - 1) * (pad + scan);
	want = memory_new(ROWS * 3 * E, sizeof(*want));
	for (int64_t i = 0; conv && i < ROWS * 3 * E; i++)
		want[i] = conv[(i / (3 * E) * E + i % E) * 4 + 1 + i / E % 3];
	ok(golden_difference(window, want, ROWS * 3 * E, 1) <= golden_bound,
		"the convolution's window of the last layer");
	golden_compare(r->values, "mamba-tiny", "ssm_state", window + pad, ROWS * E * N);
	free(conv);
	free(all);
	free(want);
}

static void generate(struct running *r)
{
	struct network_state *s;
	real got[ROWS * LEN * VOCABULARY], one[ROWS * VOCABULARY];
	int64_t left = LEN - PROMPT;

	if (!ok(!network_state_new(&s, r->net, ROWS, r->device) &&
			    !start(r, PROGRAM_EVAL, PROMPT, s),
		    "a prompt's program")) {
		diag("%s", error_message());
		return;
	}
	read_tokens(r, 0, PROMPT, 1);
	finish(r);
	ok(!start(r, PROGRAM_EVAL, 1, s), "a step's program");
	for (int64_t t = 0; t < left; t++) {
		read_tokens(r, PROMPT + t, 1, 1);
		tensor_get(r->program, r->out.logits, one);
		for (int b = 0; b < ROWS; b++)
			memcpy(got + (b * left + t) * VOCABULARY, one + b * VOCABULARY,
				VOCABULARY * sizeof(*one));
	}
	finish(r);
	golden_compare(r->values, "mamba-tiny", "step.logits", got, ROWS * left * VOCABULARY);
	compare_states(r, s);
	network_state_free(s);
}

static void test_network(const struct device *device)
{
	struct running r = {.device = device};
	double *ids;
	int64_t n;

	r.net = opened(GOLDEN "mamba-tiny.bin", device);
	if (!ok(r.net && !checkpoint_open(&r.values, GOLDEN "mamba-tiny-golden.safetensors", NULL),
		    "imported and loaded: %s loops", device->plain ? "plain" : "fast"))
		return;
	ids = golden_values(r.values, "", "input", &n);
	for (int i = 0; ids && i < ROWS * LEN; i++)
		r.ids[i] = (int32_t)ids[i];
	free(ids);
	train(&r);
	generate(&r);
	checkpoint_close(&r.values);
	network_free(r.net);
}

/* --- names --- */

static int same_values(const struct network *a, const struct network *b)
{
	return a && b && a->model->size == b->model->size &&
	       !memcmp(a->model->data, b->model->data, a->model->size * sizeof(real));
}

static int export_as(const char *spelling, const char *path)
{
	const struct export_options o = {.spelling = spelling, .strict = 1, .say = quiet};
	struct h5 *f;
	int status;

	TRY(h5_open(&f, in_folder("opened.h5"), "weights"));
	status = weights_export(f, &o, path);
	h5_close(&f);
	return status;
}

static int holds(const char *path, const char *name)
{
	struct checkpoint *c;
	int found;

	if (checkpoint_open(&c, path, NULL))
		return -1;
	found = checkpoint_find(c, name) != NULL;
	checkpoint_close(&c);
	return found;
}

static void test_names(void)
{
	static const char head[] = "lm_head.weight";
	struct network *bin = opened(GOLDEN "mamba-tiny.bin", device_cpu()), *back = NULL, *hf;
	char path[4096];

	snprintf(path, sizeof(path), "%s", in_folder("out.safetensors"));
	ok(!export_as("public", path) && holds(path, head) == 1 &&
			holds(path, "backbone.embedding.weight") == 1,
		"the export holds the head too, as the public code saves it");
	back = opened(path, device_cpu());
	ok(same_values(bin, back), "and comes back as it was");
	network_free(back);
	hf = opened(GOLDEN "mamba-tiny-hf.safetensors", device_cpu());
	ok(same_values(bin, hf), "Hugging Face's names: the same values");
	ok(!export_as("hf", path) && holds(path, head) == 0 &&
			holds(path, "backbone.embeddings.weight") == 1,
		"exported under them, without the head");
	back = opened(path, device_cpu());
	ok(same_values(bin, back), "and comes back as it was");
	network_free(back);
	network_free(bin);
	network_free(hf);
}

/* What the public code saves, but the first value of the head is another. */
static int write_untied(struct checkpoint *from, const char *path)
{
	struct safetensors_item items[64] = {{0}};
	struct safetensors_writer *w;
	int n = checkpoint_count(from), status;
	char data[8192];

	for (int i = 0; i < n; i++) {
		const struct tensor_view *v = checkpoint_at(from, i);

		items[i].name = v->name;
		items[i].type = v->type;
		items[i].dims = v->dims;
		memcpy(items[i].shape, v->shape, v->dims * sizeof(*v->shape));
	}
	status = safetensors_create(&w, path, items, n, (const char *[]){NULL});
	for (int i = 0; i < n && !status; i++) {
		const struct tensor_view *v = checkpoint_find(from, items[i].name);

		status =
			items[i].bytes <= (int64_t)sizeof(data) ? checkpoint_raw(from, v, data) : 1;
		if (!strcmp(items[i].name, "lm_head.weight"))
			data[0] ^= 1;
		if (!status)
			status = safetensors_write(w, data, items[i].bytes);
	}
	return status ? status : safetensors_commit(&w);
}

static void test_untied(void)
{
	struct checkpoint *from;
	char path[4096];

	snprintf(path, sizeof(path), "%s", in_folder("untied.safetensors"));
	ok(!checkpoint_open(&from, GOLDEN "mamba-tiny.bin", NULL) && !write_untied(from, path) &&
			import_file(path, in_folder("untied.h5")) == STATUS_DATA &&
			strstr(complaints, "lm_head.weight differs from backbone.embedding.weight"),
		"a head that is not the embedding is refused");
	checkpoint_close(&from);
}

int main(void)
{
	test_network(device_cpu());
	test_network(device_cpu_plain());
	test_names();
	test_untied();
	ok(!remove_folder(test_folder()), "the folder is removed");
	return done();
}
