#include "lib/train/settings.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum kind { KEY_INT, KEY_REAL, KEY_CHOICE, KEY_RANDAUGMENT };

struct key {
	const char *name;
	enum kind kind;
	size_t offset;
	double min, max;
	const char *choices; /* "a|b|c", in the order of the enum */
	const char *doc;
};

#define AT(member) offsetof(struct settings, member)
#define CHOICE(name, member, choices, doc)                                                         \
	{                                                                                          \
		name, KEY_CHOICE, AT(member), 0, 0, choices, doc                                   \
	}
#define REAL(name, member, min, max, doc)                                                          \
	{                                                                                          \
		name, KEY_REAL, AT(member), min, max, NULL, doc                                    \
	}
#define INT(name, member, min, max, doc)                                                           \
	{                                                                                          \
		name, KEY_INT, AT(member), min, max, NULL, doc                                     \
	}

static const struct key keys[] = {
	CHOICE("method", distill.method, "task|feature|logits|rc|wsab", "what the loss is"),
	REAL("task_weight", distill.task_weight, 0, 1, "alpha: share of the task in the loss"),
	CHOICE("adapt_mode", distill.adapt_mode, "ratio_sm|neg_sm|inv_sm|ratio_raw|uniform|fixed_i",
		"weights of the layers"),
	REAL("tau", distill.tau, 1e-6, 1e6, "temperature of the layers' weights"),
	REAL("eps_c", distill.eps_c, 1e-9, 1, "lowest similarity in a ratio"),
	CHOICE("weights_stopgrad", distill.weights_stopgrad, "off|on",
		"no gradient through the layers' weights"),
	CHOICE("sim", distill.similarity, "token|flattened|pooled", "what a cosine is taken of"),
	CHOICE("target", distill.target, "tokens|prenorm|cls", "the teacher's features"),
	CHOICE("tap", distill.tap, "resid|branch|inner|stream", "the student's features"),
	CHOICE("directions", distill.merged, "apart|merged", "a loss per scan direction, or one"),
	CHOICE("dir_reduce", distill.dir_reduce, "2/K|sum|mean",
		"factor of the sum over directions"),
	CHOICE("calib", distill.calib, "before+joint|joint|before|none",
		"when the map is trained; none: no map"),
	CHOICE("calib_form", distill.calib_form, "linear1|mlp2", "form of the map"),
	CHOICE("calib_share", distill.calib_share, "width|layer", "one map, or one per layer"),
	CHOICE("calib_teacher", distill.calib_teacher, "identity|standardise|frozen",
		"what is done to the teacher's side"),
	CHOICE("calib_standardise", distill.calib_standardise, "off|on",
		"student features to mean 0, deviation 1 per token"),
	CHOICE("feature_loss", distill.feature_loss, "rc|cos|l1|l2", "distance of method=feature"),
	REAL("kd_temperature", distill.kd_temperature, 1e-3, 1e3, "T of logits, feature rc and rc"),
	REAL("rc_last", distill.rc_last, 0, 1e6, "weight of the last layer in method=rc"),

	CHOICE("score", subclone.score, "least_change|magnitude|first|random",
		"which units subcloning keeps"),
	INT("n_init_layers", subclone.n_init_layers, -1, NETWORK_LAYERS,
		"layers taken from the teacher; -1: all there are"),
	CHOICE("subclone_from", subclone.from_before, "after|before", "whose values are copied"),
	CHOICE("rescale", subclone.rescale, "off|on", "scale the MLP by the widths' ratio"),

	CHOICE("optimizer", train.optimizer, "adamw|sgd", ""),
	REAL("lr", train.lr, 0, 1e3, "peak learning rate"),
	REAL("lr_batch", train.lr_batch, 0, 1e9, "lr counts for this batch; 0: for any"),
	REAL("lr_min", train.lr_min, 0, 1e3, "where the cosine ends"),
	REAL("lr_warmup", train.lr_warmup, 0, 1e3, "where epoch-cosine's warm-up begins"),
	CHOICE("schedule", train.schedule, "cosine|epoch-cosine|constant", ""),
	REAL("warmup", train.warmup, 0, 1e6, "cosine: share of the steps; epoch-cosine: epochs"),
	REAL("beta1", train.beta1, 0, 0.999999, ""),
	REAL("beta2", train.beta2, 0, 0.99999999, ""),
	REAL("adam_eps", train.adam_eps, 1e-20, 1, ""),
	REAL("momentum", train.momentum, 0, 0.999999, "of sgd"),
	REAL("decay", train.decay, 0, 10, "weight decay"),
	CHOICE("decay_rule", train.decay_all, "upstream|release",
		"release: also A_log, direction_Bs, positions"),
	REAL("clip", train.clip, 0, 1e9, "largest norm of the gradient; 0: off"),
	REAL("smoothing", train.smoothing, 0, 0.999, "label smoothing"),
	REAL("drop_path", train.drop_path, 0, 0.99, "stochastic depth of the last block"),
	INT("batch", train.batch, 1, 1 << 20, "images a step"),
	INT("epochs", train.epochs, 1, 1000000, ""),
	INT("steps", train.steps, 0, 1e12, "stop after so many steps; 0: after the epochs"),
	INT("shards", train.shards, 1, 4096,
		"a power of two; part of the result, not of the speed"),
	INT("limit", train.limit, 0, 1e12, "use the first so many images; 0: all"),
	INT("first", train.first, 0, 1e12, "leave out so many images before"),
	INT("repeat_aug", train.repeat_aug, 1, 64, "views of an image in an epoch"),
	INT("valid_every", train.valid_every, 1, 1000000, "epochs between validations"),
	INT("eval_batch", train.eval_batch, 1, 65536, "images a step of an evaluation"),
	INT("views", train.views, 0, 1000000,
		"augmentations repeat after so many epochs; 0: never"),

	INT("size", augment.size, 0, 8192, "side of a view; 0: the network's input"),
	INT("resize", augment.resize, 0, 8192, "evaluation: short side before the crop; 0: size"),
	CHOICE("augment", augment.geometry, "none|crop|shift", "geometry of a training view"),
	REAL("scale_min", augment.scale_min, 1e-4, 1, "area of a random crop"),
	REAL("scale_max", augment.scale_max, 1e-4, 1, ""),
	REAL("ratio_min", augment.ratio_min, 1e-2, 100, "aspect of a random crop"),
	REAL("ratio_max", augment.ratio_max, 1e-2, 100, ""),
	INT("shift", augment.shift, 0, 4096, "pixels, border repeated"),
	REAL("flip", augment.flip, 0, 1, "probability of a horizontal flip"),
	{"randaugment", KEY_RANDAUGMENT, AT(augment.rand), 0, 0, NULL, "timm's notation, or none"},
	REAL("jitter", augment.jitter, 0, 1, "colour jitter"),
	REAL("erase", augment.erase, 0, 1, "probability of random erasing"),
	REAL("mixup", augment.mixup, 0, 100, "Beta parameter; 0: off"),
	REAL("cutmix", augment.cutmix, 0, 100, "Beta parameter; 0: off"),
	REAL("mix_prob", augment.mix_probability, 0, 1, "probability that a batch is mixed"),
	REAL("mix_switch", augment.mix_switch, 0, 1, "share of cutmix where both are on"),
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

void settings_default(struct settings *s)
{
	memset(s, 0, sizeof(*s));
	s->distill = (struct distill_settings){.method = METHOD_TASK,
		.task_weight = 0.5,
		.tau = 1,
		.eps_c = 0.05,
		.weights_stopgrad = 1,
		.calib_standardise = 1,
		.kd_temperature = 2,
		.rc_last = 120};
	s->subclone.n_init_layers = -1;
	s->train = (struct train_settings){.lr = 5e-4,
		.lr_min = 0,
		.lr_warmup = 1e-6,
		.warmup = 0.05,
		.beta1 = 0.9,
		.beta2 = 0.999,
		.adam_eps = 1e-8,
		.momentum = 0.9,
		.decay = 0.05,
		.batch = 64,
		.epochs = 1,
		.shards = 1,
		.repeat_aug = 1,
		.valid_every = 1,
		.eval_batch = 100};
	augment_preset(&s->augment, "none", 0);
	s->augment.shift = 3;
	s->augment.flip = 0.5;
}

static const struct key *key_find(const char *name)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

/* Index of text among "a|b|c", or -1. */
static int choice_index(const char *choices, const char *text)
{
	size_t n = strlen(text);

	for (int i = 0;; i++) {
		const char *end = strchrnul(choices, '|');

		if ((size_t)(end - choices) == n && !strncmp(choices, text, n))
			return i;
		if (!*end)
			return -1;
		choices = end + 1;
	}
}

static void choice_text(const char *choices, int index, char *out, size_t size)
{
	while (index-- > 0)
		choices = strchrnul(choices, '|') + 1;
	snprintf(out, size, "%.*s", (int)(strchrnul(choices, '|') - choices), choices);
}

static int set_choice(struct settings *s, const struct key *k, const char *text)
{
	int i = choice_index(k->choices, text);

	if (i < 0)
		return error(
			STATUS_USAGE, "%s = %s: one of %s is wanted", k->name, text, k->choices);
	*(int *)((char *)s + k->offset) = i;
	return 0;
}

/* A number or a fraction "1/1.3", whole. */
static int parse_number(const char *text, double *x)
{
	char *end;
	double y;

	errno = 0;
	*x = strtod(text, &end);
	if (end == text || errno == ERANGE || isspace((unsigned char)*text))
		return -1;
	if (*end == '/') {
		const char *rest = end + 1;

		y = strtod(rest, &end);
		if (end == rest || !(y != 0))
			return -1;
		*x /= y;
	}
	return *end || !isfinite(*x) ? -1 : 0;
}

static int set_number(struct settings *s, const struct key *k, const char *text)
{
	double x;

	if (parse_number(text, &x) || !(x >= k->min && x <= k->max) ||
		(k->kind == KEY_INT && x != floor(x)))
		return error(STATUS_USAGE, "%s = %s: %s from %.9g to %.9g is wanted", k->name, text,
			k->kind == KEY_INT ? "a whole number" : "a number", k->min, k->max);
	if (k->kind == KEY_INT)
		*(int64_t *)((char *)s + k->offset) = (int64_t)x;
	else
		*(double *)((char *)s + k->offset) = x;
	return 0;
}

static char *trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = 0;
	return text;
}

int settings_set(struct settings *s, const char *assignment)
{
	char line[512], *equals, *name, *value;
	const struct key *k;

	if (strlen(assignment) >= sizeof(line))
		return error(STATUS_USAGE, "a setting of %zu characters is too long",
			strlen(assignment));
	strcpy(line, assignment);
	equals = strchr(line, '=');
	if (!equals)
		return error(STATUS_USAGE, "'%s' is no setting: key=value is wanted", line);
	*equals = 0;
	name = trim(line);
	value = trim(equals + 1);
	k = key_find(name);
	if (!k)
		return error(STATUS_USAGE, "no setting '%s': --help-settings lists them", name);
	switch (k->kind) {
	case KEY_CHOICE:
		return set_choice(s, k, value);
	case KEY_RANDAUGMENT:
		return randaugment_parse((struct randaugment *)((char *)s + k->offset), value);
	default:
		return set_number(s, k, value);
	}
}

int settings_read(struct settings *s, const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	int number = 0, status = 0;

	if (!f)
		return error(STATUS_NOINPUT, "%s: %s", path, strerror(errno));
	while (!status && getline(&line, &room, f) >= 0) {
		char *comment = strchr(line, '#'), *text;

		number++;
		if (comment)
			*comment = 0;
		text = trim(line);
		if (*text && settings_set(s, text)) {
			error_context(STATUS_DATA, "%s: line %d", path, number);
			status = STATUS_DATA;
		}
	}
	if (!status && ferror(f))
		status = error(STATUS_NOINPUT, "%s: cannot be read: %s", path, strerror(errno));
	free(line);
	fclose(f);
	return status;
}

static json_t *key_json(const struct settings *s, const struct key *k)
{
	const char *at = (const char *)s + k->offset;
	char text[128];

	switch (k->kind) {
	case KEY_CHOICE:
		choice_text(k->choices, *(const int *)at, text, sizeof(text));
		return json_string(text);
	case KEY_RANDAUGMENT:
		randaugment_print((const struct randaugment *)at, text, sizeof(text));
		return json_string(text);
	case KEY_INT:
		return json_integer(*(const int64_t *)at);
	default:
		return json_real(*(const double *)at);
	}
}

char *settings_text(const struct settings *s)
{
	json_t *o = json_object();
	char *text;

	for (size_t i = 0; i < N_KEYS; i++)
		json_object_set_new(o, keys[i].name, key_json(s, &keys[i]));
	text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(12));
	json_decref(o);
	if (!text)
		error(STATUS_SYSTEM, "out of memory writing settings");
	return text;
}

static int compare_objects(json_t *a, json_t *b)
{
	const char *name;
	json_t *v;

	json_object_foreach(a, name, v)
	{
		json_t *w = json_object_get(b, name);
		char *x, *y;

		if (w && json_equal(v, w))
			continue;
		x = json_dumps(v, JSON_ENCODE_ANY);
		y = w ? json_dumps(w, JSON_ENCODE_ANY) : strdup("nothing");
		error(STATUS_DATA,
			"setting %s is %s now and was %s: use the same settings, or "
			"another state file",
			name, x, y);
		free(x);
		free(y);
		return STATUS_DATA;
	}
	return 0;
}

int settings_compare(const char *ours, const char *theirs)
{
	json_t *a = json_loads(ours, 0, NULL), *b = json_loads(theirs, 0, NULL);
	int status = a && json_is_object(b)
			     ? compare_objects(a, b)
			     : error(STATUS_DATA, "the settings kept in the file are damaged");

	json_decref(a);
	json_decref(b);
	return status;
}

/* As it would be written in a recipe: the shortest text that reads back as the same value. */
static void value_text(const struct settings *s, const struct key *k, char *text, size_t size)
{
	const char *at = (const char *)s + k->offset;

	switch (k->kind) {
	case KEY_CHOICE:
		choice_text(k->choices, *(const int *)at, text, size);
		return;
	case KEY_RANDAUGMENT:
		randaugment_print((const struct randaugment *)at, text, size);
		return;
	case KEY_INT:
		snprintf(text, size, "%lld", (long long)*(const int64_t *)at);
		return;
	case KEY_REAL:
		for (int digits = 6; digits <= 17; digits++) {
			snprintf(text, size, "%.*g", digits, *(const double *)at);
			if (strtod(text, NULL) == *(const double *)at)
				return;
		}
	}
}

void settings_help(FILE *f)
{
	struct settings s;
	char text[128];

	settings_default(&s);
	fprintf(f, "key\tdefault\tvalues\tmeaning\n");
	for (size_t i = 0; i < N_KEYS; i++) {
		value_text(&s, &keys[i], text, sizeof(text));
		fprintf(f, "%s\t%s\t", keys[i].name, text);
		if (keys[i].choices)
			fprintf(f, "%s", keys[i].choices);
		else if (keys[i].kind != KEY_RANDAUGMENT)
			fprintf(f, "%.9g..%.9g", keys[i].min, keys[i].max);
		fprintf(f, "\t%s\n", keys[i].doc);
	}
}

/* timm 0.4.12's CosineLRScheduler per epoch t: its cosine is not shifted by the warm-up. */
static double epoch_lr(const struct train_settings *t, double peak, int64_t epoch)
{
	if (epoch < t->warmup)
		return t->lr_warmup + epoch * (peak - t->lr_warmup) / t->warmup;
	return t->lr_min + 0.5 * (peak - t->lr_min) * (1 + cos(M_PI * epoch / t->epochs));
}

double settings_lr(const struct train_settings *t, int64_t step, int64_t per_epoch, int64_t total)
{
	double peak = t->lr * (t->lr_batch > 0 ? t->batch / t->lr_batch : 1);
	double warm = floor(t->warmup * total), rest;

	switch (t->schedule) {
	case SCHEDULE_EPOCH_COSINE:
		return epoch_lr(t, peak, step / per_epoch);
	case SCHEDULE_CONSTANT:
		return peak;
	case SCHEDULE_COSINE:
		break;
	}
	if (warm < 1)
		warm = 1;
	if (step < warm)
		return peak * (step + 1) / warm;
	rest = total > warm ? (step - warm) / (total - warm) : 1;
	return t->lr_min + 0.5 * (peak - t->lr_min) * (1 + cos(M_PI * rest));
}
