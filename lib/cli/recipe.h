/*
 * Options of tools that take settings: --recipe FILE (again: later ones win), --set KEY=VALUE and
 * --help-settings. Put RECIPE_OPTIONS into the tool's table and hand unknown keys to
 * recipe_option; recipe_apply after parsing gives the settings. Options in the order given: all
 * recipes first, then all --set.
 */
#ifndef CLI_RECIPE_H
#define CLI_RECIPE_H

#include <argp.h>
#include "lib/program/device.h"
#include "lib/train/settings.h"

#define RECIPE_MAX 64

struct recipe {
	const char *files[RECIPE_MAX], *sets[RECIPE_MAX];
	int n_files, n_sets;
};

enum { RECIPE_FILE = 0x2001, RECIPE_SET, RECIPE_HELP };

#define RECIPE_OPTIONS                                                                             \
	{"recipe", RECIPE_FILE, "FILE", 0, "Settings, `key = value` a line; later files win", 0},  \
		{"set", RECIPE_SET, "KEY=VALUE", 0, "One setting, after all recipes", 0},          \
	{                                                                                          \
		"help-settings", RECIPE_HELP, 0, 0, "List the settings and stop", 0                \
	}

/* 0, or ARGP_ERR_UNKNOWN for a key that is none of these. */
int recipe_option(struct recipe *r, int key, char *arg, struct argp_state *state);
int recipe_apply(const struct recipe *r, struct settings *s);

/* What --device asks for; says on stderr what auto took. */
int cli_open_device(const struct device **d);

#endif
