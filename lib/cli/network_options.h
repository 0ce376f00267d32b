/*
 * Options that change a named network: its input, patch, frames, classes, depth, MLP, norms and
 * order. Put NETWORK_OPTIONS into the tool's table and hand unknown keys to network_option;
 * network_options_apply after parsing changes a config. What was not given stays as it is there.
 */
#ifndef CLI_NETWORK_OPTIONS_H
#define CLI_NETWORK_OPTIONS_H

#include <argp.h>
#include "lib/models/network.h"

struct network_options {
	int64_t input, patch, classes, depth, frames; /* 0: not given */
	double mlp_ratio;
	int has_mlp_ratio;
	int norm, order, bbar; /* as the config has them, plus 1; 0: not given */
};

enum {
	NETWORK_INPUT = 0x3001,
	NETWORK_PATCH,
	NETWORK_CLASSES,
	NETWORK_DEPTH,
	NETWORK_CLIP,
	NETWORK_MLP,
	NETWORK_NORM,
	NETWORK_ORDER,
	NETWORK_BBAR
};

#define NETWORK_OPTIONS                                                                            \
	{"input", NETWORK_INPUT, "PIXELS", 0, "Side of the input (default: the architecture's)",   \
		0},                                                                                \
		{"patch", NETWORK_PATCH, "PIXELS", 0,                                              \
			"Pixels a token covers (default: the architecture's)", 0},                 \
		{"classes", NETWORK_CLASSES, "N", 0,                                               \
			"Classes of the head (default: the architecture's)", 0},                   \
		{"depth", NETWORK_DEPTH, "N", 0, "Layers (default: the architecture's)", 0},       \
		{"frames", NETWORK_CLIP, "N", 0,                                                   \
			"VideoMamba: clips of N frames, whose positions are parameters too "       \
			"(default: images)",                                                       \
			0},                                                                        \
		{"mlp-ratio", NETWORK_MLP, "R", 0,                                                 \
			"Hidden width of the MLP over the width; 0: a student's block as "         \
			"published",                                                               \
			0},                                                                        \
		{"norm", NETWORK_NORM, "rms|layer", 0,                                             \
			"Norms of ViM and VideoMamba (default: layer with an added MLP, as "       \
			"TransMamba has it, "                                                      \
			"else rms, as published)",                                                 \
			0},                                                                        \
		{"param-order", NETWORK_ORDER, "raster|scan", 0,                                   \
			"PlainMamba: delta, B and C stay in raster order as in the public code, "  \
			"or follow the scan as in the paper (default raster)",                     \
			0},                                                                        \
	{                                                                                          \
		"bbar", NETWORK_BBAR, "euler|zoh", 0,                                              \
			"Students: B-bar is delta B as in public code, or the zero-order hold as " \
			"papers print it, on the CPU alone and slow (default euler)",              \
			0                                                                          \
	}

/* 0, or ARGP_ERR_UNKNOWN for a key that is none of these. */
int network_option(struct network_options *o, int key, char *arg, struct argp_state *state);
void network_options_apply(const struct network_options *o, struct network_config *c);

#endif
