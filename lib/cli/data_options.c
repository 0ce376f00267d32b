#include "lib/cli/data_options.h"
#include "lib/cli/cli.h"

#define SPARE_MAX 64

int data_option(struct data_options *o, int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case DATA_WORKERS:
		o->workers = cli_integer(state, "--workers", arg, 0, 1024);
		return 0;
	case DATA_CACHE:
		o->cache = cli_integer(state, "--cache", arg, 0, 1 << 30);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int data_workers(const struct data_options *o, int64_t side, const struct device *d)
{
	int spare = d->finish ? cli.threads - 1 : 1;

	if (o->workers >= 0)
		return (int)o->workers;
	if (side <= 48)
		return 0;
	return spare < 1 ? 1 : spare < SPARE_MAX ? spare : SPARE_MAX;
}

int data_open(struct dataset **d, const struct data_options *o, const char *path, int part)
{
	return dataset_open(d, path, part ? 0 : (size_t)o->cache << 20);
}
