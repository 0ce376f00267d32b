/*
 * Tiny networks, data and runs for the tests of training: built in memory or in a folder of
 * mktemp, from the micro-world's pictures.
 */
#ifndef TESTS_MICRO_H
#define TESTS_MICRO_H

#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/data/shapes.h"
#include "lib/distill/objective.h"
#include "lib/io/h5.h"
#include "lib/models/weights.h"
#include "lib/train/settings.h"
#include "tests/folder.h"
#include "tests/tap.h"

static uint64_t micro_state = 88172645463325252ull;

/* Uniform in [-1, 1): xorshift, not the product's generator */
__attribute__((unused)) static double micro_random(void)
{
	micro_state ^= micro_state << 13;
	micro_state ^= micro_state >> 7;
	micro_state ^= micro_state << 17;
	return (double)(micro_state >> 11) / 4503599627370496.0 - 1;
}

/* A 4 x 4 grid over 16 pixels, two layers: small enough to perturb every parameter. */
__attribute__((unused)) static struct network_config micro_deit(
	int64_t dim, int64_t heads, int64_t patch)
{
	return (struct network_config){.arch = "deit-test",
		.family = NETWORK_DEIT,
		.image = 16,
		.patch = patch,
		.classes = 5,
		.dim = dim,
		.depth = 2,
		.mlp_ratio = 2,
		.heads = heads};
}

__attribute__((unused)) static struct network_config micro_plainmamba(int64_t dim)
{
	return (struct network_config){.arch = "pmamba-test",
		.family = NETWORK_PLAINMAMBA,
		.image = 16,
		.patch = 4,
		.classes = 5,
		.dim = dim,
		.depth = 2,
		.mlp_ratio = 2,
		.expand = 2,
		.state = 3,
		.kernel = 3,
		.stem = 4,
		.stem_convs = 1};
}

__attribute__((unused)) static struct network_config micro_vim(int64_t dim)
{
	return (struct network_config){.arch = "vim-test",
		.family = NETWORK_VIM,
		.image = 16,
		.patch = 4,
		.classes = 5,
		.dim = dim,
		.depth = 2,
		.mlp_ratio = 2,
		.layer_norm = 1,
		.expand = 2,
		.state = 3};
}

/* A 4 x 4 grid of images, or 2 x 2 of each of a clip's frames. */
__attribute__((unused)) static struct network_config micro_videomamba(int64_t dim, int64_t frames)
{
	return (struct network_config){.arch = "videomamba-test",
		.family = NETWORK_VIDEOMAMBA,
		.image = 16,
		.patch = frames ? 8 : 4,
		.classes = 5,
		.dim = dim,
		.depth = 2,
		.mlp_ratio = 2,
		.layer_norm = 1,
		.frames = frames,
		.expand = 2,
		.state = 3};
}

/* Grids 8, 4, 2, 1, or 4, 2, 1, 1 in v05_noz; widths dim, 2 dim, 4 dim, 8 dim. */
__attribute__((unused)) static struct network_config micro_vmamba(int64_t dim, int noz)
{
	return (struct network_config){.arch = "vmamba-test",
		.family = NETWORK_VMAMBA,
		.image = 16,
		.patch = noz ? 4 : 2,
		.classes = 5,
		.dim = dim,
		.depth = 5,
		.mlp_ratio = 2,
		.noz = noz,
		.expand = 2,
		.state = noz ? 1 : 3,
		.kernel = 3,
		.stages = {1, 1, 2, 1}};
}

/* Grids 4, 2, 1, 1; widths dim, 2 dim, 4 dim, 6 dim. */
__attribute__((unused)) static struct network_config micro_mambaout(int64_t dim)
{
	return (struct network_config){.arch = "mambaout-test",
		.family = NETWORK_MAMBAOUT,
		.image = 16,
		.patch = 4,
		.classes = 5,
		.dim = dim,
		.depth = 5,
		.mlp_ratio = 2,
		.kernel = 3,
		.stages = {1, 1, 2, 1}};
}

static int micro_ends(const char *name, const char *tail)
{
	size_t n = strlen(name), m = strlen(tail);

	return n >= m && !strcmp(name + n - m, tail);
}

/* Values under which nothing is nearly linear: gains about 1, the rest spread wide. */
__attribute__((unused)) static void micro_fill(struct model *m)
{
	for (int i = 0; i < m->count; i++) {
		struct param *p = m->params[i];
		real *host = malloc((p->count + 1) * sizeof(*host));
		int64_t last = p->dims ? p->shape[p->dims - 1] : 1;
		int one = (strstr(p->name, "norm") || strstr(p->name, "ln1") ||
				  (p->dims == 1 && strstr(p->name, "patch_embed"))) &&
			  micro_ends(p->name, "weight");

		for (int64_t j = 0; j < p->count; j++) {
			host[j] = (real)(0.4 * micro_random());
			if (one || micro_ends(p->name, ".Ds") || micro_ends(p->name, ".D") ||
				micro_ends(p->name, ".D_b") || micro_ends(p->name, "running_var"))
				host[j] += 1;
			if (micro_ends(p->name, "_log") || micro_ends(p->name, "_logs"))
				host[j] = (real)(log(j % last + 1.0) + 0.1 * micro_random());
			if (p->flags & PARAM_COUNTER)
				host[j] = 0;
		}
		param_put(m, p, host);
		free(host);
	}
}

/* "method=wsab tap=branch ..." over the defaults; 0 or the status of the first refusal. */
__attribute__((unused)) static int micro_settings(struct settings *s, const char *text)
{
	char copy[1024], *rest = copy, *word;

	settings_default(s);
	snprintf(copy, sizeof(copy), "%s", text);
	while ((word = strsep(&rest, " ")))
		if (*word)
			TRY(settings_set(s, word));
	return 0;
}

/* --- files --- */

/* An `images` file of the micro-world: n pictures, 48 classes; labels 0: without. */
__attribute__((unused)) static int micro_images(
	const char *path, enum shapes_split split, int64_t n, int labels)
{
	uint8_t *pixels = malloc(n * SHAPES_BYTES);
	int32_t *label = malloc(n * sizeof(*label));
	const char *names[SHAPES_CLASSES];
	struct h5 *f;
	int status;

	for (int64_t i = 0; i < n; i++)
		label[i] = shapes_draw(1, split, i, pixels + i * SHAPES_BYTES);
	for (int i = 0; i < SHAPES_CLASSES; i++)
		names[i] = shapes_class_name(i);
	status = h5_create(&f, path, "images");
	if (!status)
		status = h5_put(
			f, "pixels", H5_U8, 4, (int64_t[]){n, SHAPES_SIDE, SHAPES_SIDE, 3}, pixels);
	if (!status && labels)
		status = h5_put(f, "labels", H5_I32, 1, &n, label);
	if (!status && labels)
		status = h5_put_strings(f, "class_names", SHAPES_CLASSES, names);
	free(pixels);
	free(label);
	return status ? status : h5_commit(&f);
}

/* A fresh network's weights file. */
__attribute__((unused)) static int micro_weights(
	const char *path, const struct network_config *c, uint64_t seed)
{
	struct network *n;
	struct h5 *f;

	TRY(network_new(&n, c, NULL));
	TRY(model_allocate(n->model, device_cpu(), 0));
	TRY(model_init(n->model, 0, seed));
	TRY(h5_create(&f, path, "weights"));
	TRY(weights_save(n, f));
	network_free(n);
	return h5_commit(&f);
}

#endif
