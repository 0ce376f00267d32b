/*
 * The settings of a run: defaults, ranges, recipe files, what is kept and compared, learning rates.
 */
#include "lib/data/batches.h"
#include "tests/micro.h"

/* The table as settings_help prints it: key, default, values, meaning. */
static char *help(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	settings_help(f);
	fclose(f);
	return text;
}

/* Every line's default set on top of the defaults, and every choice and limit accepted. */
static void check_defaults(void)
{
	char *text = help(), *rest = text, *line, *before, *after;
	int keys = 0, bad = 0, choices = 0;
	struct settings s, t;
	char assignment[256];

	settings_default(&s);
	before = settings_text(&s);
	strsep(&rest, "\n"); /* the header */
	while ((line = strsep(&rest, "\n")) && *line) {
		char *key = strsep(&line, "\t"), *value = strsep(&line, "\t");
		char *values = strsep(&line, "\t"), *dots = strstr(values, ".."), *one;

		keys++;
		settings_default(&t);
		snprintf(assignment, sizeof(assignment), "%s = %s", key, value);
		if (settings_set(&t, assignment) || memcmp(&s, &t, sizeof(s))) {
			diag("%s: %s", assignment, error_message());
			bad++;
		}
		snprintf(assignment, sizeof(assignment), "%s=no such value", key);
		if (settings_set(&t, assignment) != STATUS_USAGE) {
			diag("%s is taken", assignment);
			bad++;
		}
		if (!*values || dots) {
			if (!dots)
				continue;
			*dots = 0;
			snprintf(assignment, sizeof(assignment), "%s=%s", key, values);
			bad += settings_set(&t, assignment) != 0;
			snprintf(assignment, sizeof(assignment), "%s=%s", key, dots + 2);
			bad += settings_set(&t, assignment) != 0;
			snprintf(assignment, sizeof(assignment), "%s=1e30", key);
			bad += settings_set(&t, assignment) != STATUS_USAGE;
			snprintf(assignment, sizeof(assignment), "%s=-1e30", key);
			bad += settings_set(&t, assignment) != STATUS_USAGE;
			snprintf(assignment, sizeof(assignment), "%s=nan", key);
			bad += settings_set(&t, assignment) != STATUS_USAGE;
			continue;
		}
		while ((one = strsep(&values, "|"))) {
			snprintf(assignment, sizeof(assignment), "%s=%s", key, one);
			bad += settings_set(&t, assignment) != 0;
			choices++;
		}
	}
	ok(keys > 60 && choices > 40 && !bad,
		"%d keys: defaults read back, limits and %d choices are taken, others refused",
		keys, choices);
	after = settings_text(&s);
	ok(!settings_compare(before, after), "equal settings compare equal");
	free(before);
	free(after);
	free(text);
}

static void check_compare(void)
{
	struct settings s, t;
	char *a, *b;

	settings_default(&s);
	settings_default(&t);
	settings_set(&t, "lr=1e-3");
	a = settings_text(&s);
	b = settings_text(&t);
	ok(settings_compare(a, b) == STATUS_DATA && strstr(error_message(), "setting lr "),
		"another rate is refused by name");
	ok(settings_compare(a, "{}") == STATUS_DATA, "a list without the keys");
	ok(settings_compare(a, "{\"lr\":") == STATUS_DATA && strstr(error_message(), "damaged"),
		"damaged text");
	ok(settings_compare(a, "[]") == STATUS_DATA, "no object");
	free(a);
	free(b);
}

static void check_forms(void)
{
	struct settings s;
	char text[600];

	settings_default(&s);
	ok(!settings_set(&s, "  lr =  1e-3 ") && s.train.lr == 1e-3, "blanks around");
	ok(!settings_set(&s, "scale_min=1/12.5") && s.augment.scale_min == 0.08, "a fraction");
	ok(settings_set(&s, "scale_min=1/0") == STATUS_USAGE, "1/0");
	ok(settings_set(&s, "lr=1e-3x") == STATUS_USAGE, "letters after a number");
	ok(settings_set(&s, "lr=") == STATUS_USAGE, "nothing");
	ok(settings_set(&s, "batch=2.5") == STATUS_USAGE, "a fraction of an image");
	ok(settings_set(&s, "lr 3") == STATUS_USAGE, "no equals sign");
	ok(settings_set(&s, "learning_rate=3") == STATUS_USAGE &&
			strstr(error_message(), "learning_rate"),
		"an unknown key is named");
	ok(settings_set(&s, "method=wsa") == STATUS_USAGE &&
			strstr(error_message(), "task|feature|logits|rc|wsab"),
		"an unknown choice: the choices are listed");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	ok(settings_set(&s, text) == STATUS_USAGE, "a line without end");
	ok(!settings_set(&s, "randaugment=rand-m9-mstd0.5-inc1") && s.augment.rand.ops == 2,
		"RandAugment in timm's notation");
	ok(settings_set(&s, "randaugment=rand-m99-x") == STATUS_USAGE, "not in another");
	ok(!settings_set(&s, "randaugment=none") && s.augment.rand.ops == 0, "none");
}

static int recipe(struct settings *s, const char *content)
{
	const char *path = in_folder("recipe.conf");
	FILE *f = fopen(path, "w");

	fputs(content, f);
	fclose(f);
	return settings_read(s, path);
}

static void check_recipes(void)
{
	struct settings s;

	settings_default(&s);
	ok(!recipe(&s, "# the paper's\n\nmethod = wsab # adaptive\n  lr=1e-3\nlr = 2e-3") &&
			s.distill.method == METHOD_WSAB && s.train.lr == 2e-3,
		"comments, blank lines, the later line wins, no newline at the end");
	ok(recipe(&s, "lr = 1e-3\nlearn = 2\n") == STATUS_DATA &&
			strstr(error_message(), "recipe.conf: line 2: ") &&
			strstr(error_message(), "learn"),
		"a bad line: file, line and word");
	ok(recipe(&s, "\n\nlr = -1\n") == STATUS_DATA && strstr(error_message(), "line 3"),
		"a value out of range likewise");
	ok(settings_read(&s, in_folder("missing.conf")) == STATUS_NOINPUT &&
			strstr(error_message(), "missing.conf"),
		"a missing recipe");
	ok(settings_read(&s, "/") == STATUS_NOINPUT, "a folder as recipe");
}

/* V11: timm's cosine per epoch, peak 5e-4; and the one per step. */
static void check_rates(void)
{
	static const struct {
		int64_t epoch;
		double lr;
	} v11[] = {{0, 1e-6}, {1, 1.008e-4}, {4, 4.002e-4}, {5, 4.996642e-4}, {150, 2.55e-4},
		{299, 1.001343e-5}};
	struct settings s;
	int bad = 0;

	micro_settings(&s, "lr=5e-4 lr_batch=512 batch=512 schedule=epoch-cosine warmup=5 "
			   "lr_warmup=1e-6 lr_min=1e-5 epochs=300");
	for (size_t i = 0; i < sizeof(v11) / sizeof(v11[0]); i++)
		for (int64_t step = 0; step < 7; step += 6) {
			double lr = settings_lr(&s.train, v11[i].epoch * 7 + step, 7, 2100);

			if (!(fabs(lr - v11[i].lr) <= 1e-6 * v11[i].lr)) {
				diag("epoch %lld: %.9g", (long long)v11[i].epoch, lr);
				bad++;
			}
		}
	ok(!bad, "V11: learning rates of epochs 0, 1, 4, 5, 150, 299");
	settings_set(&s, "batch=256");
	near(settings_lr(&s.train, 150 * 7, 7, 2100) * 1e4, (1e-5 + 0.5 * (2.5e-4 - 1e-5)) * 1e4,
		1e-9, "half the batch: half the peak");
	micro_settings(&s, "lr=1e-3 schedule=cosine warmup=0.05");
	near(settings_lr(&s.train, 0, 10, 200), 1e-4, 1e-15,
		"a warm-up of 10 steps begins at 1/10");
	near(settings_lr(&s.train, 9, 10, 200), 1e-3, 1e-15, "and reaches the peak");
	near(settings_lr(&s.train, 10, 10, 200), 1e-3, 1e-15, "the cosine begins there");
	near(settings_lr(&s.train, 105, 10, 200), 5e-4, 1e-12, "its middle is half");
	ok(settings_lr(&s.train, 199, 10, 200) < 1e-3 * 1e-3, "its end is near 0");
	near(settings_lr(&s.train, 0, 1, 1), 1e-3, 1e-15, "a run of one step");
	micro_settings(&s, "lr=1e-3 schedule=constant");
	near(settings_lr(&s.train, 77, 10, 200), 1e-3, 1e-15, "constant");
}

int main(void)
{
	check_defaults();
	check_compare();
	check_forms();
	check_recipes();
	check_rates();
	remove_folder(test_folder());
	return done();
}
