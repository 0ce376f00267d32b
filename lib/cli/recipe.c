#include "lib/cli/recipe.h"
#include "lib/base/error.h"
#include "lib/cli/cli.h"

#include <stdlib.h>
#include <string.h>

static void keep(const char **list, int *n, const char *arg, struct argp_state *state)
{
	if (*n == RECIPE_MAX)
		argp_error(state, "more than %d recipes or settings", RECIPE_MAX);
	list[(*n)++] = arg;
}

int recipe_option(struct recipe *r, int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case RECIPE_FILE:
		keep(r->files, &r->n_files, arg, state);
		return 0;
	case RECIPE_SET:
		keep(r->sets, &r->n_sets, arg, state);
		return 0;
	case RECIPE_HELP:
		settings_help(stdout);
		exit(cli_end(0));
	}
	return ARGP_ERR_UNKNOWN;
}

int recipe_apply(const struct recipe *r, struct settings *s)
{
	settings_default(s);
	for (int i = 0; i < r->n_files; i++)
		TRY(settings_read(s, r->files[i]));
	for (int i = 0; i < r->n_sets; i++)
		TRY(error_context(settings_set(s, r->sets[i]), "--set"));
	return 0;
}

int cli_open_device(const struct device **d)
{
	*d = device_cpu();
	if (!cli.device || !strcmp(cli.device, "cpu"))
		return 0;
	if (!strcmp(cli.device, "auto")) {
		cli_say("running on %s", (*d)->name);
		return 0;
	}
	return error(STATUS_UNAVAILABLE,
		"--device %s: this build has no CUDA: build it with 'make cuda', or use --device "
		"cpu",
		cli.device);
}
