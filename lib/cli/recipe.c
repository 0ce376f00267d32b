#include "lib/cli/recipe.h"
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/program/energy.h"

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

static int metered; /* index of the CUDA device in use */

static double meter(void)
{
	return energy_joules(metered);
}

static int open_cuda(const struct device **d, const char *number)
{
	static const char *const precisions[] = {"fp32", "tf32", "bf16"};
	int precision = 0;

	for (int i = 0; i < 3; i++)
		if (!strcmp(cli.precision, precisions[i]))
			precision = i;
	metered = (int)strtol(number, NULL, 10);
	TRY(device_cuda(d, metered, precision));
	cli_say("device %s, %s", (*d)->name, cli.precision);
	cli.provenance.device = (*d)->name;
	cli.provenance.meter = meter;
	cli.provenance.meter_from = meter();
	return 0;
}

/* What was asked for is never replaced in silence. */
int cli_open_device(const struct device **d)
{
	const char *number = strchr(cli.device, ':');

	if (!strncmp(cli.device, "cuda", 4))
		return open_cuda(d, number ? number + 1 : "0");
	if (!strcmp(cli.device, "auto") && device_cuda_count() > 0)
		return open_cuda(d, "0");
	if (strcmp(cli.precision, "fp32"))
		return error(STATUS_UNAVAILABLE,
			"--precision %s: the CPU computes in fp32 only: leave it out, or use a GPU",
			cli.precision);
	*d = device_cpu();
	if (!strcmp(cli.device, "auto"))
		cli_say("device cpu: %s, %d thread%s", hardware_name(), cli.threads,
			cli.threads == 1 ? "" : "s");
	cli.device = "cpu";
	cli.provenance.device = (*d)->name;
	return 0;
}
