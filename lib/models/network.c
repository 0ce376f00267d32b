#include "lib/models/internal.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- config as JSON --- */

enum field_kind { FIELD_INT64, FIELD_INT, FIELD_REAL };
struct field {
	const char *name;
	enum field_kind kind;
	size_t offset;
	double min, max;
};
#define FIELD(kind, name, min, max)                                                                \
	{                                                                                          \
#name, kind, offsetof(struct network_config, name), min, max                       \
	}
/* "stage1": stages[0] */
#define FIELD_STAGE(n)                                                                             \
	{                                                                                          \
		"stage" #n, FIELD_INT64,                                                           \
			offsetof(struct network_config, stages) + (n - 1) * sizeof(int64_t), 0,    \
			NETWORK_LAYERS                                                             \
	}
static const struct field fields[] = {
	FIELD(FIELD_INT64, image, 0, 8192),
	FIELD(FIELD_INT64, patch, 0, 512),
	FIELD(FIELD_INT64, classes, 1, 1000000),
	FIELD(FIELD_INT64, dim, 1, 65536),
	FIELD(FIELD_INT64, depth, 1, NETWORK_LAYERS),
	FIELD(FIELD_REAL, mlp_ratio, 0, 64),
	FIELD(FIELD_INT64, heads, 0, 1024),
	FIELD(FIELD_INT, distilled, 0, 1),
	FIELD(FIELD_INT64, expand, 0, 16),
	FIELD(FIELD_INT64, state, 0, 256),
	FIELD(FIELD_INT64, kernel, 0, 31),
	FIELD(FIELD_INT64, stem, 0, 4096),
	FIELD(FIELD_INT64, stem_convs, 0, 16),
	FIELD(FIELD_INT, local, 0, 1),
	FIELD_STAGE(1),
	FIELD_STAGE(2),
	FIELD_STAGE(3),
	FIELD_STAGE(4),
	FIELD(FIELD_INT, noz, 0, 1),
	FIELD(FIELD_INT, scan_order, 0, 1),
	FIELD(FIELD_INT, zoh, 0, 1),
	FIELD(FIELD_INT, release_init, 0, 1),
	FIELD(FIELD_INT, decay_all, 0, 1),
	FIELD(FIELD_REAL, drop_path, 0, 0.99),
	FIELD(FIELD_INT64, stride, 0, 512),
	FIELD(FIELD_INT64, frames, 0, NETWORK_FRAMES),
	FIELD(FIELD_INT, layer_norm, 0, 1),
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

/* In the order of enum network_family. */
static const struct family {
	const char *name;
	int (*declare)(struct network *n);
	void (*build)(struct network *n, struct program *p, tensor image,
		const struct network_want *want, struct network_out *out);
	int64_t directions;
	/* instead of build, of a language model */
	void (*build_tokens)(struct network *n, struct program *p, tensor ids,
		const struct network_state *state, const struct network_want *want,
		struct network_out *out);
} families[] = {
	{"deit", deit_new, deit_build, 1},
	{"plainmamba", plainmamba_new, plainmamba_build, 4},
	{"vim", vim_new, vim_build, 2},
	{"vmamba", vmamba_new, vmamba_build, 4},
	{"videomamba", videomamba_new, videomamba_build, BIMAMBA_DIRECTIONS},
	{"mamba", mamba_new, NULL, 1, mamba_build},
	{"mambaout", mambaout_new, mambaout_build, 1},
};
#define N_FAMILIES (int)(sizeof(families) / sizeof(families[0]))

char *network_config_text(const struct network_config *c)
{
	json_t *o = json_object();
	char *text;

	json_object_set_new(o, "arch", json_string(c->arch));
	json_object_set_new(o, "family", json_string(families[c->family].name));
	for (size_t i = 0; i < N_FIELDS; i++) {
		const char *at = (const char *)c + fields[i].offset;

		if (fields[i].kind == FIELD_REAL)
			json_object_set_new(o, fields[i].name, json_real(*(const double *)at));
		else
			json_object_set_new(o, fields[i].name,
				json_integer(fields[i].kind == FIELD_INT ? *(const int *)at
									 : *(const int64_t *)at));
	}
	text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_decref(o);
	if (!text)
		error(STATUS_SYSTEM, "out of memory writing a network's config");
	return text;
}

static int read_field(struct network_config *c, const struct field *f, json_t *v)
{
	char *at = (char *)c + f->offset;
	double x;

	if (!v)
		return 0; /* a setting that came later: its default */
	if (!json_is_number(v) || (f->kind != FIELD_REAL && !json_is_integer(v)))
		return error(STATUS_DATA, "config: %s is not a number of its kind", f->name);
	x = json_number_value(v);
	if (!(x >= f->min && x <= f->max))
		return error(STATUS_DATA, "config: %s is %g, not from %g to %g", f->name, x, f->min,
			f->max);
	if (f->kind == FIELD_REAL)
		*(double *)at = x;
	else if (f->kind == FIELD_INT)
		*(int *)at = (int)x;
	else
		*(int64_t *)at = (int64_t)x;
	return 0;
}

static int read_names(struct network_config *c, json_t *o)
{
	const char *arch = json_string_value(json_object_get(o, "arch"));
	const char *family = json_string_value(json_object_get(o, "family"));

	if (!arch || strlen(arch) >= sizeof(c->arch))
		return error(STATUS_DATA, "config: arch is missing or too long");
	strcpy(c->arch, arch);
	for (int i = 0; i < N_FAMILIES; i++)
		if (family && !strcmp(family, families[i].name)) {
			c->family = i;
			return 0;
		}
	return error(STATUS_DATA, "config: family '%.40s' is not known to this version",
		family ? family : "");
}

/* A setting that this version does not know may mean another network. */
static int known_fields(json_t *o)
{
	const char *key;
	json_t *value;

	json_object_foreach(o, key, value)
	{
		size_t i = 0;

		while (i < N_FIELDS && strcmp(fields[i].name, key))
			i++;
		if (i == N_FIELDS && strcmp(key, "arch") && strcmp(key, "family"))
			return error(STATUS_DATA,
				"config: setting '%.40s' is not known to this version: use the one "
				"that wrote it",
				key);
	}
	return 0;
}

int network_config_read(struct network_config *c, const char *json)
{
	json_error_t e;
	json_t *o = json_loads(json, JSON_REJECT_DUPLICATES, &e);
	int status;

	memset(c, 0, sizeof(*c));
	if (!json_is_object(o)) {
		json_decref(o);
		return error(STATUS_DATA, "config is not a JSON object");
	}
	status = read_names(c, o);
	if (!status)
		status = known_fields(o);
	for (size_t i = 0; i < N_FIELDS && !status; i++)
		status = read_field(c, &fields[i], json_object_get(o, fields[i].name));
	json_decref(o);
	return status;
}

int network_is_bimamba(const struct network_config *c)
{
	return c->family == NETWORK_VIM || c->family == NETWORK_VIDEOMAMBA;
}

/* --- geometry --- */

int network_reads_tokens(const struct network_config *c)
{
	return families[c->family].build_tokens != NULL;
}

int64_t network_stride(const struct network_config *c)
{
	return c->stride > 0 ? c->stride : c->patch;
}

int64_t network_grid(const struct network_config *c)
{
	if (c->patch < 1 || c->image < c->patch)
		return 0;
	return (c->image - c->patch) / network_stride(c) + 1;
}

int64_t network_extra_tokens(const struct network_config *c)
{
	return c->family == NETWORK_DEIT ? 1 + c->distilled : network_is_bimamba(c);
}

int64_t network_frames(const struct network_config *c)
{
	return c->frames > 0 ? c->frames : 1;
}

int64_t network_tokens(const struct network_config *c)
{
	int64_t grid = network_grid(c);

	return network_extra_tokens(c) + network_frames(c) * grid * grid;
}

int64_t network_class_index(const struct network_config *c)
{
	return c->family == NETWORK_VIM ? network_grid(c) * network_grid(c) / 2 : 0;
}

int64_t network_directions(const struct network_config *c)
{
	return families[c->family].directions;
}

void network_add_mlp(struct network_config *c, double ratio)
{
	c->mlp_ratio = ratio;
	c->layer_norm = network_is_bimamba(c) && ratio > 0;
}

struct network_config network_as_published(const struct network_config *c)
{
	struct network_config published = *c;

	if (c->family == NETWORK_PLAINMAMBA || c->family == NETWORK_MAMBAOUT ||
		network_is_bimamba(c))
		network_add_mlp(&published, 0);
	return published;
}

int64_t network_stage(const struct network_config *c, int64_t layer)
{
	int64_t stage = 0;

	while (stage + 1 < NETWORK_STAGES && c->stages[stage] && layer >= c->stages[stage])
		layer -= c->stages[stage++];
	return stage;
}

int64_t network_layer_grid(const struct network_config *c, int64_t layer)
{
	int64_t grid = network_grid(c);

	for (int64_t stage = network_stage(c, layer); stage > 0; stage--)
		grid = (grid + 1) / 2;
	return grid;
}

int64_t network_layer_dim(const struct network_config *c, int64_t layer)
{
	int64_t stage = network_stage(c, layer);

	return c->family == NETWORK_MAMBAOUT && stage == 3 ? 6 * c->dim : c->dim << stage;
}

void network_layer_name(const struct network_config *c, int64_t layer, char name[NETWORK_NAME])
{
	int stage = (int)network_stage(c, layer);

	for (int s = 0; s < stage; s++)
		layer -= c->stages[s];
	if (c->stages[0])
		snprintf(name, NETWORK_NAME, "%s.%d.blocks.%d",
			c->family == NETWORK_VMAMBA ? "layers" : "stages", stage, (int)layer);
	else
		snprintf(name, NETWORK_NAME, "%s.%d",
			c->family == NETWORK_DEIT    ? "blocks"
			: c->family == NETWORK_MAMBA ? "backbone.layers"
						     : "layers",
			(int)layer);
}

int64_t network_out_dim(const struct network_config *c)
{
	return network_layer_dim(c, c->depth - 1);
}

void network_set_depth(struct network_config *c, int64_t depth)
{
	if (c->stages[0])
		c->stages[2] += depth - c->depth;
	c->depth = depth;
}

/* A network in stages has all four, and their layers are its layers. */
static int check_stages(const struct network_config *c)
{
	int64_t layers = 0;

	for (int s = 0; s < NETWORK_STAGES; s++) {
		layers += c->stages[s];
		if (c->stages[s] < 1 || c->stages[s] > NETWORK_LAYERS)
			return error(STATUS_DATA,
				"%s: a depth of %lld leaves no layer for stage %d", c->arch,
				(long long)c->depth, s + 1);
	}
	if (layers != c->depth)
		return error(STATUS_DATA, "%s: its stages hold %lld layers, its depth is %lld",
			c->arch, (long long)layers, (long long)c->depth);
	return 0;
}

static int check_mambaout(const struct network_config *c)
{
	TRY(check_stages(c));
	if (c->patch != 4 || c->kernel % 2 == 0 || c->dim % 2)
		return error(STATUS_DATA, "%s: the patch must be 4, the kernel odd, the width even",
			c->arch);
	return 0;
}

static int check_vmamba(const struct network_config *c)
{
	TRY(check_stages(c));
	if (c->expand < 1 || c->state < 1 || c->kernel % 2 == 0 ||
		(c->noz && (c->patch < 4 || c->patch % 2 || c->dim % 2)))
		return error(STATUS_DATA,
			"%s: expand and state must be positive, the kernel odd; without gate the "
			"width even, the patch even and at least 4",
			c->arch);
	return 0;
}

static int check_frames(const struct network_config *c)
{
	if (!c->frames)
		return 0;
	if (c->family != NETWORK_VIDEOMAMBA)
		return error(STATUS_DATA, "%s takes images, not clips", c->arch);
	if (c->frames < 0 || c->frames > NETWORK_FRAMES)
		return error(STATUS_DATA, "%s: %lld frames, at most %d", c->arch,
			(long long)c->frames, NETWORK_FRAMES);
	if (network_stride(c) != c->patch)
		return error(STATUS_DATA, "%s: patches of clips do not overlap", c->arch);
	return 0;
}

static int check_tokens(const struct network_config *c)
{
	if (c->image || c->patch || c->frames || c->mlp_ratio > 0)
		return error(
			STATUS_DATA, "%s reads tokens: no input size, no patch, no MLP", c->arch);
	if (c->depth < 1 || c->depth > NETWORK_LAYERS || c->dim < 1 || c->classes < 1 ||
		c->expand < 1 || c->state < 1)
		return error(STATUS_DATA,
			"%s: depth (at most %d), width, vocabulary, expand and state must be "
			"positive",
			c->arch, NETWORK_LAYERS);
	return 0;
}

static int check_config(const struct network_config *c)
{
	if (network_reads_tokens(c))
		return check_tokens(c);
	if (c->image < c->patch || c->patch < 1 || (c->image - c->patch) % network_stride(c))
		return error(STATUS_DATA,
			"%s: an input of %lld pixels is no multiple of the patch of %lld", c->arch,
			(long long)c->image, (long long)c->patch);
	if (c->depth < 1 || c->depth > NETWORK_LAYERS || c->dim < 1 || c->classes < 1)
		return error(STATUS_DATA,
			"%s: depth, width and classes must be positive, depth "
			"at most %d",
			c->arch, NETWORK_LAYERS);
	if (c->family == NETWORK_DEIT && (c->heads < 1 || c->dim % c->heads))
		return error(STATUS_DATA, "%s: a width of %lld is no multiple of %lld heads",
			c->arch, (long long)c->dim, (long long)c->heads);
	if (c->family == NETWORK_PLAINMAMBA && (c->expand < 1 || c->state < 1 || c->stem < 1 ||
						       c->kernel % 2 == 0 || c->patch % 2))
		return error(STATUS_DATA,
			"%s: expand, state and stem must be positive, the kernel odd, the patch "
			"even",
			c->arch);
	if (network_is_bimamba(c) && (c->expand < 1 || c->state < 1))
		return error(STATUS_DATA, "%s: expand and state must be positive", c->arch);
	TRY(check_frames(c));
	if (c->family == NETWORK_MAMBAOUT)
		return check_mambaout(c);
	return c->family == NETWORK_VMAMBA ? check_vmamba(c) : 0;
}

/* --- making --- */

int network_new(struct network **out, const struct network_config *c, struct model *into)
{
	struct network *n;
	int status;

	*out = NULL;
	TRY(check_config(c));
	n = memory_new(1, sizeof(*n));
	if (!n)
		return STATUS_SYSTEM;
	n->config = *c;
	n->model = into ? into : model_new();
	n->owned = !into;
	status = n->model ? families[c->family].declare(n) : STATUS_SYSTEM;
	if (!status)
		status = n->model->failed;
	if (status)
		network_free(n);
	else
		*out = n;
	return status;
}

void network_free(struct network *n)
{
	if (!n)
		return;
	if (n->owned)
		model_free(n->model);
	free(n->params);
	free(n);
}

/* A picture of its size, or as many as it has frames. */
static int takes(const struct network_config *c, tensor image)
{
	const int64_t *side = image->shape + image->dims - 3;
	int clip = image->dims == 5 && c->frames && image->shape[1] == c->frames;

	return (clip || (image->dims == 4 && network_frames(c) == 1)) && side[0] == c->image &&
	       side[1] == c->image && side[2] == 3;
}

static const char *frames_text(const struct network_config *c, char text[48])
{
	if (network_frames(c) == 1)
		return "images of ";
	snprintf(text, 48, "clips of %lld frames of ", (long long)c->frames);
	return text;
}

void network_build(struct network *n, struct program *p, tensor image,
	const struct network_want *want, struct network_out *out)
{
	char text[48];

	memset(out, 0, sizeof(*out));
	if (network_reads_tokens(&n->config)) {
		program_refuse(p, "%s reads tokens, not pictures", n->config.arch);
		return;
	}
	if (!takes(&n->config, image)) {
		program_refuse(p, "%s takes %s%lld x %lld, this is %s", n->config.arch,
			frames_text(&n->config, text), (long long)n->config.image,
			(long long)n->config.image, shape_text(image->dims, image->shape));
		return;
	}
	families[n->config.family].build(n, p, image, want, out);
}

void network_build_tokens(struct network *n, struct program *p, tensor ids,
	struct network_state *state, const struct network_want *want, struct network_out *out)
{
	memset(out, 0, sizeof(*out));
	if (!network_reads_tokens(&n->config))
		program_refuse(p, "%s takes pictures, not tokens", n->config.arch);
	else if (ids->type != TYPE_I32 || ids->dims != 2)
		program_refuse(p, "%s reads tokens (B, L), this is %s", n->config.arch,
			shape_text(ids->dims, ids->shape));
	else if (state && state->batch != ids->shape[0])
		program_refuse(p, "%s: a state of %lld rows for %lld", n->config.arch,
			(long long)state->batch, (long long)ids->shape[0]);
	else
		families[n->config.family].build_tokens(n, p, ids, state, want, out);
}
