/* Costs from provenance; see cost.h. */
#include "lib/io/cost.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/h5_internal.h"
#include "lib/io/provenance.h"

/* An attribute that may be absent: NULL then. */
static char *get(struct h5 *f, int link, const char *attribute)
{
	char *text = NULL, **names;
	int count, have = 0;

	if (provenance_attributes(f, link, &names, &count))
		return NULL;
	for (int i = 0; i < count; i++)
		have |= !strcmp(names[i], attribute);
	free(names);
	if (have && provenance_get(f, link, attribute, &text))
		return NULL;
	return text;
}

/* The word after an option in a command; malloc'ed, NULL when absent or quoted. */
static char *word_after(const char *command, const char *option)
{
	size_t n = strlen(option);
	const char *at = command;

	while (at && (at = strstr(at, option))) {
		if (at > command && at[-1] == ' ' && (at[n] == ' ' || at[n] == '=')) {
			at += n + 1;
			return *at == '\'' ? NULL
					   : memory_format("%.*s", (int)strcspn(at, " "), at);
		}
		at += n;
	}
	return NULL;
}

/* A number that may be absent; fallback then, and for what is none. */
static double number(struct h5 *f, int link, const char *attribute, double fallback)
{
	char *text = get(f, link, attribute), *end;
	double value = fallback;

	if (text) {
		value = strtod(text, &end);
		if (end == text || *end || !isfinite(value) || value < 0)
			value = fallback;
	}
	free(text);
	return value;
}

static int same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

/* Is the link an earlier part of the same run: same tool, same state? */
static int belongs(struct h5 *f, int link, const char *tool, const char *state)
{
	char *its_tool = get(f, link, "tool"), *argv = get(f, link, "argv"), *its_state;
	int yes;

	its_state = argv ? word_after(argv, "--state") : NULL;
	yes = same(its_tool, tool) && same(its_state, state);
	free(its_tool);
	free(argv);
	free(its_state);
	return yes;
}

static void add_link(struct stage_cost *c, struct h5 *f, int link)
{
	double joules = number(f, link, "energy", -1);

	c->seconds += number(f, link, "seconds", 0);
	c->joules = joules < 0 || c->joules < 0 ? -1 : c->joules + joules;
	c->links++;
}

static int read_chain(struct stage_cost *c, struct h5 *f)
{
	char *argv, *state;
	int count, link;

	TRY(provenance_links(f, &count));
	if (!count)
		return h5_error(f, STATUS_DATA,
			"does not say where it comes from: it was made with --no-provenance");
	link = count - 1;
	c->tool = get(f, link, "tool");
	c->origin = get(f, 0, "tool");
	c->device = get(f, link, "device");
	c->hardware = get(f, link, "hardware");
	c->settings = get(f, link, "settings");
	argv = get(f, link, "argv");
	c->data = argv ? word_after(argv, "--data") : NULL;
	state = argv ? word_after(argv, "--state") : NULL;
	do
		add_link(c, f, link);
	while (state && --link >= 0 && belongs(f, link, c->tool, state));
	free(argv);
	free(state);
	return c->tool && c->origin ? 0 : STATUS_SYSTEM;
}

int stage_cost_read(struct stage_cost *c, const char *path)
{
	struct h5 *f;
	int status;

	*c = (struct stage_cost){0};
	TRY(h5_open(&f, path, NULL));
	status = read_chain(c, f);
	h5_close(&f);
	if (status)
		stage_cost_release(c);
	return status;
}

void stage_cost_release(struct stage_cost *c)
{
	free(c->tool);
	free(c->origin);
	free(c->device);
	free(c->hardware);
	free(c->data);
	free(c->settings);
	*c = (struct stage_cost){0};
}

static int64_t setting(const json_t *o, const char *key, int64_t fallback)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) && json_integer_value(v) >= 0 ? json_integer_value(v) : fallback;
}

void stage_cost_images(const struct stage_cost *c, int64_t count, int64_t *used, int64_t *distinct)
{
	json_t *o = c->settings ? json_loads(c->settings, JSON_REJECT_DUPLICATES, NULL) : NULL;
	int64_t first = setting(o, "first", 0), limit = setting(o, "limit", 0), n = count, steps;
	int64_t batch = setting(o, "batch", 0);

	*used = *distinct = -1;
	if (n > first && batch > 0) {
		n -= first;
		n = limit && limit < n ? limit : n;
		steps = setting(o, "steps", 0);
		if (!steps)
			steps = setting(o, "epochs", 0) * (n / batch);
		*distinct = n;
		*used = steps <= INT64_MAX / batch ? steps * batch : -1;
	}
	json_decref(o);
}
