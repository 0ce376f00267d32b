/* The networks by name: published ones, then micro presets. */
#include "lib/models/network.h"
#include "lib/base/error.h"

#include <stdio.h>
#include <string.h>

#define DEIT(name, d, h, dist)                                                                     \
	{                                                                                          \
		.arch = name, .family = NETWORK_DEIT, .image = 224, .patch = 16, .classes = 1000,  \
		.dim = d, .depth = 12, .mlp_ratio = 4, .heads = h, .distilled = dist               \
	}
#define PLAINMAMBA(name, d, n, convs, k)                                                           \
	{                                                                                          \
		.arch = name, .family = NETWORK_PLAINMAMBA, .image = 224, .patch = 16,             \
		.classes = k, .dim = d, .depth = n, .expand = 2, .state = 16, .kernel = 7,         \
		.stem = 64, .stem_convs = convs, .local = convs == 1                               \
	}
/* v0: a gate and patches of their own; v05_noz: neither. Stages of 2, 2, n and 2 layers. */
#define VMAMBA(name, d, n, k)                                                                      \
	{                                                                                          \
		.arch = name, .family = NETWORK_VMAMBA, .image = 224, .patch = 4, .classes = k,    \
		.dim = d, .depth = 6 + n, .stages = {2, 2, n, 2}, .expand = 2, .state = 16,        \
		.kernel = 3                                                                        \
	}
#define VMAMBA_NOZ(name, d, n, e)                                                                  \
	{                                                                                          \
		.arch = name, .family = NETWORK_VMAMBA, .image = 224, .patch = 4, .classes = 1000, \
		.dim = d, .depth = 6 + n, .stages = {2, 2, n, 2}, .mlp_ratio = 4, .expand = e,     \
		.state = 1, .kernel = 3, .noz = 1                                                  \
	}
#define MICRO_DEIT(name, d)                                                                        \
	{                                                                                          \
		.arch = name, .family = NETWORK_DEIT, .image = 32, .patch = 8, .classes = 48,      \
		.dim = d, .depth = 4, .mlp_ratio = 4, .heads = d / 16                              \
	}
#define MICRO_PLAINMAMBA(name, d)                                                                  \
	{                                                                                          \
		.arch = name, .family = NETWORK_PLAINMAMBA, .image = 32, .patch = 8,               \
		.classes = 48, .dim = d, .depth = 4, .mlp_ratio = 4, .expand = 2, .state = 8,      \
		.kernel = 7, .stem = 16, .stem_convs = 1                                           \
	}

#define VIM(name, d, n, s, k)                                                                      \
	{                                                                                          \
		.arch = name, .family = NETWORK_VIM, .image = 224, .patch = 16, .stride = s,       \
		.classes = k, .dim = d, .depth = n, .expand = 2, .state = 16                       \
	}
#define MICRO_VIM(name, d)                                                                         \
	{                                                                                          \
		.arch = name, .family = NETWORK_VIM, .image = 32, .patch = 8, .classes = 48,       \
		.dim = d, .depth = 4, .mlp_ratio = 4, .layer_norm = 1, .expand = 2, .state = 8     \
	}
#define VIDEOMAMBA(name, d, n)                                                                     \
	{                                                                                          \
		.arch = name, .family = NETWORK_VIDEOMAMBA, .image = 224, .patch = 16,             \
		.classes = 1000, .dim = d, .depth = n, .expand = 2, .state = 16                    \
	}
#define MICRO_VIDEOMAMBA(name, d)                                                                  \
	{                                                                                          \
		.arch = name, .family = NETWORK_VIDEOMAMBA, .image = 32, .patch = 8,               \
		.classes = 48, .dim = d, .depth = 3, .expand = 2, .state = 8                       \
	}
#define MICRO_VMAMBA(name, d)                                                                      \
	{                                                                                          \
		.arch = name, .family = NETWORK_VMAMBA, .image = 32, .patch = 4, .classes = 48,    \
		.dim = d, .depth = 5, .stages = {1, 1, 2, 1}, .mlp_ratio = 4, .expand = 2,         \
		.state = 8, .kernel = 3                                                            \
	}

/* Widths d, 2 d, 4 d, 6 d. */
#define MAMBAOUT(name, d, a, b, c, e)                                                              \
	{                                                                                          \
		.arch = name, .family = NETWORK_MAMBAOUT, .image = 224, .patch = 4,                \
		.classes = 1000, .dim = d, .depth = (a) + (b) + (c) + (e), .stages = {a, b, c, e}, \
		.kernel = 7                                                                        \
	}
/* A language model; the vocabulary is rounded up to a multiple of 8. */
#define MAMBA(name, d, n, vocabulary)                                                              \
	{                                                                                          \
		.arch = name, .family = NETWORK_MAMBA, .classes = vocabulary, .dim = d,            \
		.depth = n, .expand = 2, .state = 16                                               \
	}

static const struct network_config architectures[] = {
	DEIT("deit-t", 192, 3, 0),
	DEIT("deit-s", 384, 6, 0),
	DEIT("deit-b", 768, 12, 0),
	DEIT("deit-t-distilled", 192, 3, 1),
	DEIT("deit-s-distilled", 384, 6, 1),
	DEIT("deit-b-distilled", 768, 12, 1),
	PLAINMAMBA("pmamba-t", 192, 12, 2, 100),
	PLAINMAMBA("pmamba-s", 384, 12, 2, 100),
	PLAINMAMBA("pmamba-b", 768, 12, 2, 100),
	PLAINMAMBA("pmamba-l1", 192, 24, 1, 1000),
	PLAINMAMBA("pmamba-l2", 384, 24, 2, 1000),
	PLAINMAMBA("pmamba-l3", 448, 36, 2, 1000),
	VIM("vim-t", 192, 24, 0,
		100), /* as TransMamba's Table 1 counts them; it prints 12 layers */
	VIM("vim-s", 384, 24, 0, 100),
	VIM("vim-t-12", 192, 12, 0, 100),
	VIM("vim-s-12", 384, 12, 0, 100),
	VIM("vim-t-plus", 192, 24, 8,
		1000), /* overlapping patches: the published files of 730 positions */
	VIM("vim-s-plus", 384, 24, 8, 1000),
	VMAMBA("vmamba-t", 128, 9, 100), /* as the TransMamba release has it */
	VMAMBA("vmamba-v0-t", 96, 9, 1000),
	VMAMBA("vmamba-v0-s", 96, 27, 1000),
	VMAMBA("vmamba-v0-b", 128, 27, 1000),
	VMAMBA_NOZ("vmamba-t-s2l5", 96, 5, 2),
	VMAMBA_NOZ("vmamba-s-s2l15", 96, 15, 2),
	VMAMBA_NOZ("vmamba-b-s2l15", 128, 15, 2),
	VMAMBA_NOZ("vmamba-t-s1l8", 96, 8, 1),
	VMAMBA_NOZ("vmamba-s-s1l20", 96, 20, 1),
	VMAMBA_NOZ("vmamba-b-s1l20", 128, 20, 1),
	VIDEOMAMBA("videomamba-t", 192, 24),
	VIDEOMAMBA("videomamba-s", 384, 24),
	VIDEOMAMBA("videomamba-m", 576, 32),
	VIDEOMAMBA("videomamba-b", 768, 24),
	MAMBAOUT("mambaout-femto", 48, 3, 3, 9, 3),
	MAMBAOUT("mambaout-kobe", 48, 3, 3, 15, 3),
	MAMBAOUT("mambaout-t", 96, 3, 3, 9, 3),
	MAMBAOUT("mambaout-s", 96, 3, 4, 27, 3),
	MAMBAOUT("mambaout-b", 128, 3, 4, 27, 3),
	MAMBA("mamba-130m", 768, 24, 50280),
	MAMBA("mamba-370m", 1024, 48, 50280),
	MAMBA("mamba-790m", 1536, 48, 50280),
	MAMBA("mamba-1.4b", 2048, 48, 50280),
	MAMBA("mamba-2.8b", 2560, 64, 50280),
	MICRO_DEIT("deit-micro-t", 48),
	MICRO_DEIT("deit-micro-s", 64),
	MICRO_DEIT("deit-micro-b", 80),
	MICRO_PLAINMAMBA("pmamba-micro-t", 32),
	MICRO_PLAINMAMBA("pmamba-micro-s", 48),
	MICRO_PLAINMAMBA("pmamba-micro-b", 64),
	MICRO_VIM("vim-micro-t", 32),
	MICRO_VIM("vim-micro-s", 48),
	MICRO_VIM("vim-micro-b", 64),
	MICRO_VMAMBA("vmamba-micro", 16),
	MICRO_VIDEOMAMBA("videomamba-micro", 48),
	MAMBA("mamba-micro", 48, 4, 96),
	{.arch = "mambaout-micro",
		.family = NETWORK_MAMBAOUT,
		.image = 32,
		.patch = 4,
		.classes = 48,
		.dim = 16,
		.depth = 5,
		.stages = {1, 1, 2, 1},
		.kernel = 3},
};

const struct network_config *network_at(int i)
{
	return i < (int)(sizeof(architectures) / sizeof(architectures[0])) ? &architectures[i]
									   : NULL;
}

int network_find(const char *arch, struct network_config *config)
{
	char known[2048] = "";
	size_t used = 0;

	for (int i = 0; network_at(i); i++) {
		if (!strcmp(network_at(i)->arch, arch)) {
			*config = *network_at(i);
			return 0;
		}
		if (used < sizeof(known))
			used += snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "",
				network_at(i)->arch);
	}
	return error(STATUS_USAGE, "no architecture '%s': one of %s", arch, known);
}
