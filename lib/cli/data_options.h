/*
 * Options of tools that read an `images` file: --workers and --cache. Put DATA_OPTIONS into the
 * tool's table, start with DATA_DEFAULT, and hand unknown keys to data_option.
 */
#ifndef CLI_DATA_OPTIONS_H
#define CLI_DATA_OPTIONS_H

#include <argp.h>
#include "lib/data/dataset.h"
#include "lib/program/device.h"

struct data_options {
	int64_t workers, cache; /* threads, -1: as the images' side has it; MiB */
};

enum { DATA_WORKERS = 0x4001, DATA_CACHE };

#define DATA_DEFAULT                                                                               \
	{                                                                                          \
		.workers = -1, .cache = 4096                                                       \
	}
#define DATA_OPTIONS                                                                               \
	{"workers", DATA_WORKERS, "N", 0,                                                          \
		"Threads that make batches (default: 0 for small images, else 1, with a GPU all "  \
		"but one)",                                                                        \
		2},                                                                                \
	{                                                                                          \
		"cache", DATA_CACHE, "MIB", 0,                                                     \
			"Keep data up to this size in memory (default 4096)", 2                    \
	}

/* 0, or ARGP_ERR_UNKNOWN for a key that is none of these. */
int data_option(struct data_options *o, int key, char *arg, struct argp_state *state);
/*
 * Threads for a network whose input has this side: small images are made faster than handed on. A
 * GPU leaves all threads but the caller's to the input; beside a CPU's own work one is enough.
 */
int data_workers(const struct data_options *o, int64_t side, const struct device *d);
/* part: not all of it will be read, nothing is kept in memory. */
int data_open(struct dataset **d, const struct data_options *o, const char *path, int part);

#endif
