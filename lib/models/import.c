#include "lib/models/convert.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/positions.h"
#include "lib/models/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LISTED 100
#define PARTS 4

enum action { COPY, RESIZE, DRAW };

/* Where a parameter comes from. */
struct source {
	const struct param *param;
	enum action action;
	int parts;
	const struct tensor_view *part[PARTS]; /* stacked along the rows */
};

struct import {
	const struct checkpoint *file;
	const struct network *net;
	const struct spelling *spelling;
	const struct import_options *options;
	struct source *sources; /* one per parameter */
	void *room;		/* for the largest parameter, in any type */
	int problems, passed_over;
};

__attribute__((format(printf, 2, 3))) static void problem(
	struct import *im, const char *format, ...)
{
	char text[NAME_SIZE + 200];
	va_list ap;

	if (im->problems++ >= LISTED)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	im->options->complain("%s", text);
}

/* --- which spelling --- */

static int names_known(const struct import *im, const struct spelling *s)
{
	char ours[NAME_SIZE];
	int part, parts, n = 0;

	for (int i = 0; i < checkpoint_count(im->file); i++)
		n += name_to_ours(s, checkpoint_at(im->file, i)->name, ours, &part, &parts) &&
		     model_find(im->net->model, ours);
	return n;
}

static int choose_spelling(struct import *im)
{
	const struct network_config *c = &im->net->config;
	const struct spelling *s;
	int best = 0;

	for (int i = 0; (s = spelling_at(i)); i++) {
		int n = s->family == c->family ? names_known(im, s) : 0;

		if (n > best) {
			best = n;
			im->spelling = s;
		}
	}
	if (!im->spelling || best < (im->net->model->count + 3) / 4)
		return error(STATUS_DATA,
			"%s: %d of the %d names of %s are in it: is it another network?",
			checkpoint_path(im->file), best, im->net->model->count, c->arch);
	return 0;
}

/* --- what matches --- */

static int is_head(const char *name)
{
	return !strncmp(name, "head", 4) || !strncmp(name, "classifier.head", 15);
}

/* Equal; or a matrix kept as a convolution of 1 x 1; or patches of images, wanted for one frame. */
static int same_shape(const struct tensor_view *v, int dims, const int64_t *shape)
{
	int flat = dims == 2 && v->dims == 4 && v->shape[2] == 1 && v->shape[3] == 1;

	if (dims == 5 && v->dims == 4 && shape[2] == 1)
		return !memcmp(v->shape, shape, 2 * sizeof(*shape)) &&
		       !memcmp(v->shape + 2, shape + 3, 2 * sizeof(*shape));
	return (v->dims == dims || flat) && !memcmp(v->shape, shape, dims * sizeof(*shape));
}

/* Side of the square grid that a table of so many rows stands for, 0 when there is none. */
static int64_t grid_side(int64_t rows)
{
	int64_t side = rows > 0 ? (int64_t)(sqrt((double)rows) + 0.5) : 0;

	return side * side == rows ? side : 0;
}

static int is_time(const char *name)
{
	return !strcmp(name, "temporal_pos_embedding");
}

/* A table of positions of another size, whose rows are as wide. */
static int other_positions(
	const struct import *im, const struct param *p, const struct tensor_view *v)
{
	int64_t extra = network_extra_tokens(&im->net->config);

	if (v->dims != 3 || v->shape[0] != 1 || v->shape[1] < 1 || v->shape[2] != p->shape[2])
		return 0;
	return is_time(p->name) ||
	       (!strcmp(p->name, "pos_embed") && grid_side(v->shape[1] - extra));
}

/* A parameter that is not there: whether it may be drawn. */
static int may_miss(const struct import *im, const struct param *p)
{
	return is_head(p->name) ? im->options->new_classes
				: is_time(p->name) && im->options->new_positions;
}

/* A whole tensor of another shape: what is done about it. -1: nothing can be. */
static int other_shape(const struct import *im, const struct param *p, const struct tensor_view *v)
{
	if (im->options->new_positions && other_positions(im, p, v))
		return RESIZE;
	if (im->options->new_classes && is_head(p->name) && v->dims == p->dims &&
		!memcmp(v->shape + 1, p->shape + 1, (p->dims - 1) * sizeof(*p->shape)))
		return DRAW;
	return -1;
}

static int type_fits(const struct param *p, const struct tensor_view *v)
{
	if (p->flags & PARAM_COUNTER)
		return v->type == NUMBER_I64;
	return v->type == NUMBER_F32 || v->type == NUMBER_BF16 || v->type == NUMBER_F16 ||
	       v->type == NUMBER_F64;
}

/* The shape that a part of the parameter must have. */
static void part_shape(const struct source *s, int64_t shape[VIEW_DIMS])
{
	memcpy(shape, s->param->shape, s->param->dims * sizeof(*shape));
	if (s->parts > 1)
		shape[0] /= s->parts;
}

/* The tensor that is part k of a parameter under any other name that the spelling takes. */
static const struct tensor_view *find_other(const struct import *im, const struct param *p, int k)
{
	char ours[NAME_SIZE];
	int part, parts;

	for (int i = 0; i < checkpoint_count(im->file); i++) {
		const struct tensor_view *v = checkpoint_at(im->file, i);

		if (name_to_ours(im->spelling, v->name, ours, &part, &parts) && part == k &&
			!strcmp(ours, p->name))
			return v;
	}
	return NULL;
}

static void match_part(struct import *im, struct source *s, int k, const char *theirs)
{
	const struct tensor_view *v = checkpoint_find(im->file, theirs);
	const struct param *p = s->param;
	int64_t shape[VIEW_DIMS];
	int action = COPY;

	part_shape(s, shape);
	v = v ? v : find_other(im, p, k);
	s->part[k] = v;
	if (!v && s->parts == 1 && may_miss(im, p)) {
		s->action = DRAW;
		return;
	}
	if (!v) {
		problem(im, "%s is missing, %s wanted", theirs, shape_text(p->dims, shape));
		return;
	}
	if (!same_shape(v, p->dims, shape))
		action = s->parts > 1 ? -1 : other_shape(im, p, v);
	if (action < 0)
		problem(im, "%s is %s, %s wanted", theirs, shape_text(v->dims, v->shape),
			shape_text(p->dims, shape));
	else
		s->action = action;
	if (!type_fits(p, v))
		problem(im, "%s holds values of type %s, which are no weights", theirs,
			number_name(v->type));
}

static void match_param(struct import *im, struct source *s)
{
	char theirs[NAME_SIZE];

	s->parts = 1;
	for (int k = 0; k < s->parts; k++) {
		if (!name_to_theirs(im->spelling, s->param->name, k, theirs, &s->parts) ||
			s->parts > PARTS) {
			s->parts = 1;
			problem(im, "%s has no name among those of %s", s->param->name,
				im->spelling->source);
			return;
		}
		match_part(im, s, k, theirs);
	}
}

/* A second copy of a parameter must be the same, value by value: the network has but one. */
static void check_copy(struct import *im, const struct tensor_view *v, const char *ours)
{
	char theirs[NAME_SIZE];
	const struct tensor_view *first;
	size_t bytes;
	char *a, *b;
	int parts;

	if (!name_to_theirs(im->spelling, ours, 0, theirs, &parts))
		return;
	first = checkpoint_find(im->file, theirs);
	if (!first || first->type != v->type || first->count != v->count) {
		problem(im, "%s is no copy of %s", v->name, theirs);
		return;
	}
	bytes = (size_t)v->count * number_bits(v->type) / 8;
	a = memory_new(bytes + 1, 1);
	b = memory_new(bytes + 1, 1);
	if (!a || !b || checkpoint_raw(im->file, first, a) || checkpoint_raw(im->file, v, b))
		problem(im, "%s: %s", v->name, error_message());
	else if (memcmp(a, b, bytes))
		problem(im, "%s differs from %s: here they are one", v->name, theirs);
	free(a);
	free(b);
}

/* What the checkpoint holds beyond the network. */
static void find_superfluous(struct import *im)
{
	char ours[NAME_SIZE];
	int part, parts;

	for (int i = 0; i < checkpoint_count(im->file); i++) {
		const struct tensor_view *v = checkpoint_at(im->file, i);

		if (name_copied(im->spelling, v->name))
			check_copy(im, v, name_copied(im->spelling, v->name));
		else if (name_passed_over(im->spelling, v->name))
			im->passed_over++;
		else if (!name_to_ours(im->spelling, v->name, ours, &part, &parts) ||
			 !model_find(im->net->model, ours))
			problem(im, "%s %s is not wanted", v->name, shape_text(v->dims, v->shape));
	}
}

static int match(struct import *im)
{
	const struct model *m = im->net->model;

	TRY(choose_spelling(im));
	for (int i = 0; i < m->count; i++) {
		im->sources[i].param = m->params[i];
		match_param(im, &im->sources[i]);
	}
	find_superfluous(im);
	if (im->problems > LISTED)
		im->options->complain("... and %d more", im->problems - LISTED);
	if (im->problems)
		return error(STATUS_DATA,
			"%s: %d names or shapes do not match %s: another --arch, --input, "
			"--patch, --frames, --classes, --depth or --mlp-ratio may",
			checkpoint_path(im->file), im->problems, im->net->config.arch);
	im->options->say("%s: %s, names of %s", checkpoint_path(im->file),
		checkpoint_format(im->file), im->spelling->source);
	if (im->passed_over)
		im->options->say("%d tensors passed over, which the network does not use: "
				 "averages, a pooler, other parts of a larger network",
			im->passed_over);
	return 0;
}

/* --- copying, one parameter at a time --- */

static int read_real(const struct import *im, const struct tensor_view *v, real *out)
{
#ifdef REAL_DOUBLE
	return checkpoint_double(im->file, v, out);
#else
	return checkpoint_float(im->file, v, out);
#endif
}

static void resize_grid(const struct import *im, const struct source *s, const real *in, real *out)
{
	const struct network_config *c = &im->net->config;
	int64_t extra = network_extra_tokens(c);
	struct position_table from = positions_of(c, grid_side(s->part[0]->shape[1] - extra));
	struct position_table to = positions_of(c, network_grid(c));

	positions_resize(in, &from, out, &to, s->param->shape[2], 0);
	im->options->say("%s: grid of %lld x %lld resized to %lld x %lld, bicubic", s->param->name,
		(long long)from.grid, (long long)from.grid, (long long)to.grid, (long long)to.grid);
}

static void resize_times(const struct import *im, const struct source *s, const real *in, real *out)
{
	int64_t from = s->part[0]->shape[1], to = s->param->shape[1];

	positions_stretch(in, from, out, to, s->param->shape[2]);
	im->options->say("%s: %lld frames stretched to %lld, linear", s->param->name,
		(long long)from, (long long)to);
}

static int resize(const struct import *im, const struct source *s, real *out)
{
	real *in = memory_new(s->part[0]->count, sizeof(*in));
	int status = in ? read_real(im, s->part[0], in) : STATUS_SYSTEM;

	if (!status && is_time(s->param->name))
		resize_times(im, s, in, out);
	else if (!status)
		resize_grid(im, s, in, out);
	free(in);
	return status;
}

static int check_finite(const struct import *im, const struct source *s)
{
	for (int k = 0; k < s->parts && s->action != DRAW; k++) {
		const struct tensor_view *v = s->part[k];
		float *x = memory_new(v->count, sizeof(*x));
		int64_t i = 0;
		int status = x ? checkpoint_float(im->file, v, x) : STATUS_SYSTEM;

		while (!status && i < v->count && isfinite(x[i]))
			i++;
		free(x);
		if (!status && i < v->count)
			status = error(STATUS_NUMBERS, "%s: %s: element %lld is not finite",
				checkpoint_path(im->file), v->name, (long long)i);
		TRY(status);
	}
	return 0;
}

/* bfloat16 and counters as they are. */
static int is_raw(const struct source *s)
{
	for (int k = 0; k < s->parts; k++)
		if (s->action != COPY ||
			(s->part[k]->type != NUMBER_BF16 && s->part[k]->type != NUMBER_I64))
			return 0;
	return 1;
}

static int fill(const struct import *im, const struct source *s, void *out, int raw)
{
	char *at = out;

	if (s->action == RESIZE)
		return resize(im, s, out);
	if (s->action == DRAW) {
		param_init(s->param, im->options->seed, out);
		if (s->part[0])
			im->options->say("%s: %lld classes instead of %lld: drawn anew",
				s->param->name, (long long)s->param->shape[0],
				(long long)s->part[0]->shape[0]);
		else
			im->options->say("%s is not there: as of a fresh network", s->param->name);
		return 0;
	}
	for (int k = 0; k < s->parts; k++) {
		TRY(raw ? checkpoint_raw(im->file, s->part[k], at)
			: read_real(im, s->part[k], (real *)at));
		at += s->part[k]->count *
		      (raw ? number_bits(s->part[k]->type) / 8 : (int64_t)sizeof(real));
	}
	return 0;
}

static int copy(const struct import *im, const struct source *s, struct h5 *out)
{
	int raw = is_raw(s);

	TRY(fill(im, s, im->room, raw));
	if (im->options->check_finite)
		TRY(check_finite(im, s));
	return h5_put(out, s->param->name, raw ? number_h5(s->part[0]->type) : H5_REAL,
		s->param->dims, s->param->shape, im->room);
}

/*
 * One block for all: parameters come in any order of sizes, which would leave the heap in pieces.
 */
static int make_room(struct import *im)
{
	int64_t largest = 1;

	for (int i = 0; i < im->net->model->count; i++)
		if (im->net->model->params[i]->count > largest)
			largest = im->net->model->params[i]->count;
	im->room = memory_new(largest, sizeof(int64_t));
	return im->room ? 0 : STATUS_SYSTEM;
}

int weights_import(const struct checkpoint *c, const struct network_config *config,
	const struct import_options *o, struct h5 *out)
{
	struct import im = {.file = c, .options = o};
	struct network *net;
	int status;

	TRY(network_new(&net, config, NULL));
	im.net = net;
	im.sources = memory_new(net->model->count, sizeof(*im.sources));
	status = im.sources ? match(&im) : STATUS_SYSTEM;
	if (!status)
		status = weights_save_config(config, out);
	if (!status)
		status = make_room(&im);
	for (int i = 0; i < net->model->count && !status; i++)
		status = copy(&im, &im.sources[i], out);
	free(im.sources);
	free(im.room);
	network_free(net);
	return status;
}
