/* Top-1 and top-5 of weights on images, as one result row. */
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/cli/cli.h"
#include "lib/cli/data_options.h"
#include "lib/cli/recipe.h"
#include "lib/models/weights.h"
#include "lib/train/evaluate.h"
#include "lib/train/predictions.h"

#include <stdlib.h>
#include <string.h>

struct options {
	const char *weights, *best, *data, *predictions, *score, *name, *per_class;
	const char *columns[64];
	int n_columns;
	struct recipe recipe;
	struct data_options loading;
	int64_t batch;
	double min;
};

enum {
	KEY_WEIGHTS = 0x1001,
	KEY_BEST,
	KEY_DATA,
	KEY_PREDICTIONS,
	KEY_SCORE,
	KEY_NAME,
	KEY_PER_CLASS,
	KEY_COLUMN,
	KEY_BATCH,
	KEY_MIN,
};

static const struct argp_option table[] = {
	{"weights", KEY_WEIGHTS, "FILE", 0, "Weights to judge", 0},
	{"best", KEY_BEST, "FILE", 0, "A second weight file of the same row (best epoch)", 0},
	{"data", KEY_DATA, "FILE", 0, "Images; without labels the top five of each are printed", 0},
	{"predictions", KEY_PREDICTIONS, "FILE", 0, "Write each sample's logits and ranks", 0},
	{"score", KEY_SCORE, "FILE", 0, "Score this predictions file instead of weights", 0},
	{"name", KEY_NAME, "ROW", 0, "Name of the row (default: the architecture)", 0},
	{"per-class", KEY_PER_CLASS, "FILE", 0, "Write hits per class (TSV)", 0},
	{"column", KEY_COLUMN, "KEY=VALUE", 0, "One more column of the row", 0},
	{"batch", KEY_BATCH, "N", 0, "Images a step (default 100)", 0},
	{"min", KEY_MIN, "PERCENT", 0, "Exit 1 when top-1 is below this", 0}, DATA_OPTIONS,
	RECIPE_OPTIONS, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	const char **paths[] = {&o->weights, &o->best, &o->data, &o->predictions, &o->score,
		&o->name, &o->per_class};

	if (key >= KEY_WEIGHTS && key <= KEY_PER_CLASS) {
		*paths[key - KEY_WEIGHTS] = arg;
		return 0;
	}
	switch (key) {
	case KEY_COLUMN:
		if (!strchr(arg, '=') || o->n_columns == 64)
			argp_error(state, "--column %s: key=value is wanted, 64 at most", arg);
		o->columns[o->n_columns++] = arg;
		return 0;
	case KEY_BATCH:
		o->batch = cli_integer(state, "--batch", arg, 1, 65536);
		return 0;
	case KEY_MIN:
		o->min = cli_number(state, "--min", arg, 0, 100);
		return 0;
	case ARGP_KEY_END:
		if (!o->data || !o->weights == !o->score)
			argp_error(state, "--data and either --weights or --score are needed");
		if (cli.part.count && (!o->weights || !o->predictions || o->best || o->per_class))
			argp_error(state,
				"--part goes with --weights and --predictions, without --best and "
				"--per-class: score the joined file");
		if (o->score && (o->best || o->predictions || cli.dry_run))
			argp_error(state, "--best, --predictions and --dry-run go with --weights");
		return 0;
	}
	if (!data_option(&o->loading, key, arg, state))
		return 0;
	return recipe_option(&o->recipe, key, arg, state);
}

/* One weight file judged. */
struct judged {
	struct network_config config;
	int64_t parameters;
	struct scores scores;
	char hash[80];
	double seconds;
};

static int worker_threads(const struct options *o, const struct evaluator *e)
{
	return data_workers(&o->loading, e->network->config.image, e->device);
}

static void print_memory(const struct options *o, const struct settings *s,
	const struct dataset *data, const struct evaluator *e, const struct predictions *p)
{
	int64_t logits =
		p ? e->limit * (e->network->config.classes * (int64_t)sizeof(real) + 1) : 0;
	const struct memory_part parts[] = {
		{"parameters", model_bytes(e->network->model, e->device, 0)},
		{"evaluation", evaluate_bytes(e, data, &s->augment, worker_threads(o, e))},
		{"predictions", logits}, {"data", dataset_bytes(data)}};

	memory_print(parts, sizeof(parts) / sizeof(parts[0]));
}

/* The images of this part, and what tells it from a part of another run. */
static int take_part(const struct options *o, const struct settings *s, const struct dataset *data,
	struct evaluator *e, struct predictions *p, const struct judged *j)
{
	TRY(part_range(&cli.part, data->count, o->batch, &e->first, &e->limit));
	if (!p)
		return 0;
	p->first = e->first;
	p->part = cli.part;
	snprintf(p->part_of, sizeof(p->part_of),
		"weights %s\n%lld images by %lld, resized to %lld, %s", j->hash,
		(long long)data->count, (long long)o->batch, (long long)s->augment.resize,
		cli.precision);
	return 0;
}

static int evaluate_all(const struct options *o, const struct settings *s, struct dataset *data,
	struct evaluator *e, struct predictions *p, struct judged *j)
{
	TRY(evaluator_bind(e, NULL));
	if (p)
		TRY(predictions_begin(p, e->limit, e->network->config.classes));
	return evaluate(e, data, &s->augment, worker_threads(o, e), &j->scores,
		p ? predictions_add : NULL, p);
}

static int judge(const struct options *o, const struct settings *s, const struct device *d,
	struct dataset *data, const char *path, struct predictions *p, struct judged *j)
{
	struct weights_source source = {.path = path};
	struct evaluator *e = NULL;
	struct network *n;
	struct h5 *f;
	int status;
	double start = cli_seconds();

	TRY(weights_open(&n, &f, &source, d));
	status = h5_content_hash(f, j->hash);
	if (!status)
		status = provenance_input(&cli.provenance, f);
	h5_close(&f);
	j->config = n->config;
	j->parameters = model_parameters(n->model, 0);
	if (!status && data->classes)
		status = weights_check_classes(path, &n->config, o->data, data->classes);
	if (!status)
		status = evaluator_new(&e, n, o->batch, 0, d);
	if (!status)
		status = take_part(o, s, data, e, p, j);
	if (!status && cli.dry_run)
		print_memory(o, s, data, e, p);
	else if (!status)
		status = evaluate_all(o, s, data, e, p, j);
	evaluator_free(e);
	network_free(n);
	j->seconds = cli_seconds() - start;
	return status;
}

static double percent(int64_t hits, int64_t count)
{
	return count ? 100.0 * hits / count : 0;
}

static void put_scores(struct result *r, const char *prefix, const struct scores *s)
{
	char name[32];

	snprintf(name, sizeof(name), "%stop1", prefix);
	result_real(r, name, percent(s->top1, s->count), "%.4f");
	snprintf(name, sizeof(name), "%stop5", prefix);
	result_real(r, name, percent(s->top5, s->count), "%.4f");
	snprintf(name, sizeof(name), "%stop1_hits", prefix);
	result_int(r, name, s->top1);
	snprintf(name, sizeof(name), "%stop5_hits", prefix);
	result_int(r, name, s->top5);
}

static void put_columns(struct result *r, const struct options *o)
{
	for (int i = 0; i < o->n_columns; i++) {
		const char *equals = strchr(o->columns[i], '=');
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)(equals - o->columns[i]), o->columns[i]);
		result_text(r, name, equals + 1);
	}
}

/* "NVIDIA H200" of "cuda:0 NVIDIA H200"; a CPU by its model and cores. */
static const char *hardware(void)
{
	const char *device = cli.provenance.device, *card = strchr(device, ' ');

	return !strncmp(device, "cuda", 4) && card ? card + 1 : hardware_name();
}

static int print_row(const struct options *o, struct dataset *data, const struct judged *j,
	const struct judged *best)
{
	struct result *r = result_new(stdout);
	char hash[80];

	if (!r)
		return STATUS_SYSTEM;
	TRY(h5_content_hash(data->file, hash));
	result_text(r, "name", o->name ? o->name : j->config.arch);
	result_text(r, "arch", j->config.arch);
	result_int(r, "n", j->scores.count);
	put_scores(r, "", &j->scores);
	result_real(r, "loss", j->scores.loss, "%.6f");
	if (best)
		put_scores(r, "best_", &best->scores);
	result_int(r, "parameters", j->parameters);
	put_columns(r, o);
	result_text(r, "weights", j->hash);
	if (best)
		result_text(r, "best_weights", best->hash);
	result_text(r, "data", hash);
	result_text(r, "version", cli.provenance.version);
	result_text(r, "hardware", hardware());
	result_real(r, "eval_seconds", j->seconds, "%.2f");
	result_row(r);
	result_free(r);
	return 0;
}

static int finish(const struct options *o, struct dataset *data, const struct judged *j,
	const struct judged *best, struct predictions *p)
{
	if (o->predictions)
		TRY(predictions_save(p, data, o->predictions, &cli.provenance));
	if (cli.part.count)
		return 0;
	if (o->per_class)
		TRY(predictions_per_class(p, data, o->per_class));
	if (!data->classes)
		return predictions_print(p, data, stdout);
	TRY(print_row(o, data, j, best));
	if (percent(j->scores.top1, j->scores.count) >= o->min)
		return 0;
	cli_warn("top-1 of %.2f %% is below %.2f %%", percent(j->scores.top1, j->scores.count),
		o->min);
	return STATUS_NO;
}

static int work(const struct options *o, struct dataset *data, struct predictions *p)
{
	struct judged last = {0}, best = {0};
	const struct device *d;
	struct settings s;

	TRY(recipe_apply(&o->recipe, &s));
	TRY(cli_open_device(&d));
	cli.provenance.settings = settings_text(&s);
	TRY(provenance_input(&cli.provenance, data->file));
	if (o->score) {
		TRY(predictions_load(p, data, o->score, &last.scores, last.hash));
		strcpy(last.config.arch, "-");
		return finish(o, data, &last, NULL, p);
	}
	TRY(judge(o, &s, d, data, o->weights,
		o->predictions || o->per_class || !data->classes ? p : NULL, &last));
	if (cli.dry_run)
		return 0;
	if (o->best)
		TRY(judge(o, &s, d, data, o->best, NULL, &best));
	return finish(o, data, &last, o->best ? &best : NULL, p);
}

static int run(const struct options *o)
{
	struct predictions p = {0};
	struct dataset *data;
	int status;

	TRY(data_open(&data, &o->loading, o->data, cli.part.count > 0));
	status = work(o, data, &p);
	predictions_release(&p);
	dataset_close(data);
	return status;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {table, parse, 0,
		"Judges a classifier: top-1, top-5, per class; one result row on standard output.\v"
		"A sample is right at k if fewer than k classes have a larger logit, or an equal "
		"one "
		"and a lower index.\n\n"
		"Examples:\n"
		"  eval-cls --weights student.h5 --data test.h5\n"
		"  eval-cls --weights last.h5 --best best.h5 --data test.h5 --predictions p.h5\n"
		"  eval-cls --score p.h5 --data test.h5\n\n"
		"--part I/N writes the predictions of the I-th of N slices and prints no row: "
		"join-parts puts them together, --score judges the whole.\n",
		0, 0, 0};
	struct options o = {.batch = 100, .loading = DATA_DEFAULT};

	cli_start(&argp, argc, argv, &o,
		CLI_DEVICE | CLI_THREADS | CLI_DRY_RUN | CLI_PROVENANCE | CLI_JSON | CLI_PART);
	return cli_end(run(&o));
}
