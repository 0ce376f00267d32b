#include "lib/cli/data_options.h"
#include "lib/cli/cli.h"

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

int data_workers(const struct data_options *o, int64_t side)
{
	return o->workers >= 0 ? (int)o->workers : side > 48;
}

int data_open(struct dataset **d, const struct data_options *o, const char *path, int part)
{
	return dataset_open(d, path, part ? 0 : (size_t)o->cache << 20);
}
