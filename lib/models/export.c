#include "lib/models/convert.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/safetensors.h"
#include "lib/models/weights.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* One tensor of the output: a part of a parameter. */
struct piece {
	const struct param *param;
	int part, parts;
	enum h5_type type;
	char name[NAME_SIZE];
};

struct export
{
	struct h5 *in;
	const struct network *net;
	const struct network *published; /* names alone: without what was added */
	const struct spelling *spelling;
	const struct export_options *options;
	struct piece *pieces;
	struct safetensors_item *items;
	int count, room;
};

static int check_param(struct export *ex, const struct param *p, enum h5_type *type)
{
	int64_t shape[H5_DIMS];
	int dims;

	TRY(h5_shape(ex->in, p->name, type, &dims, shape));
	if (dims != p->dims || memcmp(shape, p->shape, dims * sizeof(*shape)))
		return error(STATUS_DATA, "%s: %s is %s, %s wanted", h5_path(ex->in), p->name,
			shape_text(dims, shape), shape_text(p->dims, p->shape));
	if (number_of_h5(*type) < 0)
		return error(STATUS_DATA, "%s: %s holds text", h5_path(ex->in), p->name);
	return 0;
}

static int add_piece(struct export *ex, const struct piece *piece)
{
	struct safetensors_item item = {
		.type = number_of_h5(piece->type), .dims = piece->param->dims};

	if (ex->count == ex->room) {
		int room = ex->room ? 2 * ex->room : 256;
		void *bigger = memory_grow(ex->pieces, room, sizeof(*ex->pieces));

		if (!bigger)
			return STATUS_SYSTEM;
		ex->pieces = bigger;
		bigger = memory_grow(ex->items, room, sizeof(*ex->items));
		if (!bigger)
			return STATUS_SYSTEM;
		ex->items = bigger;
		ex->room = room;
	}
	memcpy(item.shape, piece->param->shape, item.dims * sizeof(*item.shape));
	if (piece->parts > 1)
		item.shape[0] /= piece->parts;
	ex->items[ex->count] = item;
	ex->pieces[ex->count++] = *piece;
	return 0;
}

static int collect(struct export *ex)
{
	const struct model *m = ex->net->model;

	for (int i = 0; i < m->count; i++) {
		struct piece piece = {.param = m->params[i], .parts = 1};
		const char *again;

		TRY(check_param(ex, piece.param, &piece.type));
		for (piece.part = 0; piece.part < piece.parts; piece.part++) {
			if (!name_to_theirs(ex->spelling, piece.param->name, piece.part, piece.name,
				    &piece.parts))
				return error(STATUS_DATA, "%s: %s has no name among those of %s",
					h5_path(ex->in), piece.param->name, ex->spelling->source);
			TRY(add_piece(ex, &piece));
		}
		again = name_written_again(ex->spelling, piece.param->name);
		if (again) {
			piece.part = 0;
			snprintf(piece.name, sizeof(piece.name), "%s", again);
			TRY(add_piece(ex, &piece));
		}
	}
	/* only now do the names stay where they are */
	for (int i = 0; i < ex->count; i++)
		ex->items[i].name = ex->pieces[i].name;
	return 0;
}

static const struct piece *piece_of(const struct safetensors_item *item)
{
	return (const struct piece *)(item->name - offsetof(struct piece, name));
}

static int write_piece(
	struct export *ex, struct safetensors_writer *w, const struct safetensors_item *item)
{
	const struct piece *piece = piece_of(item);
	const struct param *p = piece->param;
	void *data = memory_new(item->bytes, 1);
	int64_t rows = p->dims ? item->shape[0] : 0;
	int status = STATUS_SYSTEM;

	if (data)
		status = p->dims ? h5_read(ex->in, p->name, piece->type, piece->part * rows, rows,
					   data)
				 : h5_get(ex->in, p->name, piece->type, 0, p->shape, data);
	if (!status)
		status = safetensors_write(w, data, item->bytes);
	free(data);
	return status;
}

static int write_file(struct export *ex, const char *path)
{
	char *config = network_config_text(&ex->net->config), hash[80] = "";
	const char *metadata[] = {"format", "pt", "arch", ex->net->config.arch, "config", config,
		"content_hash", hash, NULL};
	struct safetensors_writer *w = NULL;
	int status = config ? h5_content_hash(ex->in, hash) : STATUS_SYSTEM;

	if (!status)
		status = safetensors_create(&w, path, ex->items, ex->count, metadata);
	for (int i = 0; i < ex->count && !status; i++)
		status = write_piece(ex, w, &ex->items[i]);
	if (status)
		safetensors_abort(&w);
	else
		status = safetensors_commit(&w);
	free(config);
	return status;
}

static int find_spelling(struct export *ex)
{
	ex->spelling = spelling_find(&ex->net->config, ex->options->spelling);
	if (!ex->spelling)
		return error(STATUS_USAGE, "%s has no names called '%s'", ex->net->config.arch,
			ex->options->spelling);
	return 0;
}

/* The name with '#' for the layer's number: that of every layer. */
static void pattern_of(char out[NAME_SIZE], const char *name)
{
	for (char last = 0; *name; last = *name++) {
		size_t digits = last == '.' ? strspn(name, "0123456789") : 0;

		*out++ = digits ? '#' : *name;
		name += digits ? digits - 1 : 0;
	}
	*out = 0;
}

static int is_added(const struct export *ex, const struct piece *piece)
{
	return !model_find(ex->published->model, piece->param->name);
}

/* Says each kind of tensor that the public code's network has not, once. */
static int say_added(struct export *ex)
{
	char pattern[NAME_SIZE], other[NAME_SIZE];
	int added = 0;

	for (int i = 0; i < ex->count; i++) {
		int first = 1, count = 0;

		if (!is_added(ex, &ex->pieces[i]))
			continue;
		added++;
		pattern_of(pattern, ex->pieces[i].name);
		for (int k = 0; k < ex->count; k++) {
			pattern_of(other, ex->pieces[k].name);
			if (strcmp(pattern, other) || !is_added(ex, &ex->pieces[k]))
				continue;
			first = first && k >= i;
			count++;
		}
		if (first && !ex->options->strict)
			ex->options->say("%s (%d) is not part of %s, it keeps this name", pattern,
				count, ex->spelling->source);
	}
	if (added && ex->options->strict)
		return error(STATUS_DATA,
			"%s: %d tensors are not part of %s, such as the added MLP's: export "
			"without --strict",
			h5_path(ex->in), added, ex->spelling->source);
	return 0;
}

static int find_added(struct export *ex)
{
	struct network_config config = network_as_published(&ex->net->config);
	struct network *published;
	int status;

	TRY(network_new(&published, &config, NULL));
	ex->published = published;
	status = say_added(ex);
	network_free(published);
	return status;
}

int weights_export(struct h5 *in, const struct export_options *o, const char *path)
{
	struct export ex = {.in = in, .options = o};
	struct network_config config;
	struct network *net;
	int status;

	TRY(weights_config(in, &config));
	TRY(error_context(network_new(&net, &config, NULL), "%s", h5_path(in)));
	ex.net = net;
	status = find_spelling(&ex);
	if (!status)
		status = collect(&ex);
	if (!status)
		status = find_added(&ex);
	if (!status)
		status = write_file(&ex, path);
	free(ex.pieces);
	free(ex.items);
	network_free(net);
	return status;
}
