#include "lib/models/adopt.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/positions.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTED 8

__attribute__((format(printf, 2, 3))) static void note(struct adopted *a, const char *format, ...)
{
	size_t used = strlen(a->notes), room = sizeof(a->notes) - used;
	va_list ap;

	if (a->notes_made++ >= LISTED)
		format = a->notes_made == LISTED + 1 ? "and more" : NULL;
	if (!format)
		return;
	if (used && room > 2) {
		strcpy(a->notes + used, "; ");
		used += 2;
		room -= 2;
	}
	va_start(ap, format);
	vsnprintf(a->notes + used, room, format, ap);
	va_end(ap);
}

/* Class tokens' rows as they are, the grid's resized. */
static int resize(struct network *n, const struct network_config *from, struct param *p,
	struct h5 *f, const int64_t *shape)
{
	struct position_table old = positions_of(from, network_grid(from));
	struct position_table new = positions_of(&n->config, network_grid(&n->config));
	int64_t dim = shape[2];
	real *in = memory_new(shape[1] * dim, sizeof(*in));
	real *out = memory_new(p->count, sizeof(*out));
	int status = in && out ? h5_get(f, p->name, H5_REAL, 3, shape, in) : STATUS_SYSTEM;

	if (!status) {
		positions_resize(in, &old, out, &new, dim, 0);
		param_put(n->model, p, out);
	}
	free(in);
	free(out);
	return status;
}

/* Whether the positions in the file differ from p by the side of the grid alone. */
static int other_grid(const struct network *n, const struct network_config *from,
	const struct param *p, int dims, const int64_t *shape)
{
	int64_t extra = network_extra_tokens(from), grid = network_grid(from);

	return !strcmp(p->name, "pos_embed") && dims == 3 && shape[0] == 1 &&
	       shape[1] == extra + grid * grid && shape[2] == n->config.dim &&
	       extra == network_extra_tokens(&n->config);
}

/* Patches of images, wanted for one frame of a clip: the same values under another shape. */
static int other_patches(const struct param *p, int dims, const int64_t *shape)
{
	return p->dims == 5 && dims == 4 && p->shape[2] == 1 &&
	       !memcmp(shape, p->shape, 2 * sizeof(*shape)) &&
	       !memcmp(shape + 2, p->shape + 3, 2 * sizeof(*shape));
}

static int take_patches(struct network *n, struct param *p, struct h5 *f, const int64_t *shape)
{
	real *in = memory_new(p->count, sizeof(*in));
	int status = in ? h5_get(f, p->name, H5_REAL, 4, shape, in) : STATUS_SYSTEM;

	if (!status)
		param_put(n->model, p, in);
	free(in);
	return status;
}

static int other_frames(const struct param *p, int dims, const int64_t *shape)
{
	return !strcmp(p->name, "temporal_pos_embedding") && dims == 3 && shape[0] == 1 &&
	       shape[1] > 0 && shape[2] == p->shape[2];
}

static int stretch(struct network *n, struct param *p, struct h5 *f, const int64_t *shape)
{
	real *in = memory_new(shape[1] * shape[2], sizeof(*in));
	real *out = memory_new(p->count, sizeof(*out));
	int status = in && out ? h5_get(f, p->name, H5_REAL, 3, shape, in) : STATUS_SYSTEM;

	if (!status) {
		positions_stretch(in, shape[1], out, p->shape[1], shape[2]);
		param_put(n->model, p, out);
	}
	free(in);
	free(out);
	return status;
}

static int adopt(struct network *n, const struct network_config *from, struct param *p,
	struct h5 *f, struct adopted *a)
{
	int64_t shape[H5_DIMS];
	enum h5_type type;
	int dims;

	if (!h5_has(f, p->name)) {
		a->fresh++;
		note(a, "%s is not there", p->name);
		return 0;
	}
	TRY(h5_shape(f, p->name, &type, &dims, shape));
	if (dims == p->dims && !memcmp(shape, p->shape, dims * sizeof(*shape))) {
		a->copied++;
		return weights_get(n->model, p, f, "");
	}
	if (other_grid(n, from, p, dims, shape)) {
		a->copied++;
		note(a, "%s resized bicubically", p->name);
		return resize(n, from, p, f, shape);
	}
	if (other_patches(p, dims, shape)) {
		a->copied++;
		return take_patches(n, p, f, shape);
	}
	if (other_frames(p, dims, shape)) {
		a->copied++;
		note(a, "%s stretched linearly", p->name);
		return stretch(n, p, f, shape);
	}
	a->fresh++;
	note(a, "%s %s was %s", p->name, shape_text(p->dims, p->shape), shape_text(dims, shape));
	return 0;
}

int weights_adopt(struct network *n, struct h5 *f, struct adopted *a)
{
	struct network_config from;

	memset(a, 0, sizeof(*a));
	TRY(weights_config(f, &from));
	if (from.family != n->config.family)
		return error(STATUS_DATA,
			"%s: holds %s, which is of another family than %s: see subclone-weights",
			h5_path(f), from.arch, n->config.arch);
	for (int i = 0; i < n->model->count; i++)
		if (n->model->params[i]->group == 0)
			TRY(adopt(n, &from, n->model->params[i], f, a));
	if (!a->copied)
		return error(STATUS_DATA, "%s: nothing of it fits %s", h5_path(f), n->config.arch);
	return 0;
}
