/* Parts into the whole: attributes, then one tensor after another, a block of rows at a time. */
#include <stdlib.h>
#include <string.h>
#include "lib/io/h5_internal.h"
#include "lib/io/join.h"

/* Those of the file; it has its kind already, and gets a hash of its own. */
static int copy_attribute(struct h5 *in, struct h5 *out, const char *name)
{
	int64_t whole;
	double real;
	char *text;
	int status;

	if (h5_has_attribute(out, name) || !strcmp(name, "part") || !strcmp(name, "part_of") ||
		!strcmp(name, "content_hash"))
		return 0;
	if (!h5_get_text(in, name, &text)) {
		status = h5_put_text(out, name, text);
		free(text);
		return status;
	}
	if (!h5_get_int(in, name, &whole))
		return h5_put_int(out, name, whole);
	TRY(h5_get_real(in, name, &real));
	return h5_put_real(out, name, real);
}

struct piece {
	const struct join *j;
	struct h5 *out;
	const char *name;
	int64_t at;	/* rows of the whole so far */
	uint64_t shift; /* offsets: what is added to those of this part */
	int offsets;
	char *texts[H5_STRINGS];
	int held; /* texts that are yet to be written */
	void (*on_progress)(void *data, int64_t done);
	void *data;
	int64_t done;
};

/* A block of rows at a time, whole chunks where they are small. */
static int copy_rows(struct piece *p, struct h5 *in, struct h5_set *s, int64_t from)
{
	int64_t row = h5_row_count(s) * (int64_t)h5_type_size(s->type), rows = s->shape[0];
	int64_t step = row && 4 * H5_BLOCK / row > 0 ? 4 * H5_BLOCK / row : 1, n;
	uint64_t *buffer;
	int status = 0;

	if (s->chunk[0] > 0 && step > s->chunk[0])
		step -= step % s->chunk[0];
	step = step < rows ? step : rows;
	buffer = memory_new((size_t)step + 1, (size_t)row);
	if (!buffer)
		return STATUS_SYSTEM;
	for (; from < rows && !status; from += n, p->at += n) {
		n = rows - from < step ? rows - from : step;
		status = h5_read(in, p->name, s->type, from, n, buffer);
		for (int64_t i = 0; p->offsets && !status && i < n; i++)
			buffer[i] += p->shift;
		if (!status)
			status = h5_write(p->out, p->name, s->type, p->at, n, buffer);
		if (p->offsets && from + n == rows)
			p->shift = buffer[n - 1];
	}
	free(buffer);
	return status;
}

/*
 * Texts are held until there are as many as h5_put_strings writes at a time: HDF5's order of texts
 * in the file depends on that.
 */
static int flush_strings(struct piece *p)
{
	struct h5_set *s = NULL;
	int status = h5_find(p->out, p->name, &s);

	if (!status)
		status = h5_strings_write(p->out, s, p->at, p->held, (const char *const *)p->texts);
	p->at += p->held;
	while (p->held > 0)
		free(p->texts[--p->held]);
	return status;
}

static int copy_strings(struct piece *p, struct h5 *in)
{
	char **strings;
	int64_t count;
	int status = 0;

	TRY(h5_get_strings(in, p->name, &count, &strings));
	for (int64_t i = 0; i < count && !status; i++) {
		p->texts[p->held] = memory_string(strings[i]);
		status = p->texts[p->held] ? 0 : STATUS_SYSTEM;
		p->held += !status;
		if (!status && p->held == H5_STRINGS)
			status = flush_strings(p);
	}
	free(strings);
	return status;
}

/* The dataset of the whole: as long as all parts, laid out as one process would have done it. */
static int declare(const struct piece *p, int once)
{
	int64_t shape[H5_DIMS], rows = 0;
	struct h5_set *s = NULL;
	struct h5_kept_layout kept;
	int status;

	for (int i = 0; i < (once ? 1 : p->j->count); i++) {
		TRY(h5_find(p->j->parts[i], p->name, &s));
		rows += s->shape[0] - (p->offsets && i > 0);
	}
	TRY(h5_find(p->j->parts[0], p->name, &s));
	memcpy(shape, s->shape, sizeof(shape));
	TRY(h5_layout_read(p->j->parts, p->j->count, p->name, &kept));
	shape[0] = kept.growing ? -1 : rows;
	status = h5_dataset(p->out, p->name, s->type, s->dims, shape, &kept.layout);
	h5_layout_free(&kept);
	return status;
}

static int join_tensor(struct piece *p)
{
	struct h5 *first = p->j->parts[0];
	int once = join_kept_once(first, p->name);

	p->offsets = !strcmp(h5_kind(first), "images") && !strcmp(p->name, "offset");
	p->at = 0;
	p->shift = 0;
	TRY(declare(p, once));
	for (int i = 0; i < (once ? 1 : p->j->count); i++) {
		struct h5 *in = p->j->parts[i];
		struct h5_set *s = NULL;

		TRY(h5_find(in, p->name, &s));
		if (s->type == H5_TEXT)
			TRY(copy_strings(p, in));
		else
			TRY(copy_rows(p, in, s, p->offsets && i > 0));
		/* its cache of chunks: there may be a thousand parts */
		TRY(h5_set_close(in, s));
		if (p->on_progress)
			p->on_progress(p->data, ++p->done);
	}
	return p->held ? flush_strings(p) : 0;
}

int64_t join_pieces(const struct join *j)
{
	char **names;
	int64_t pieces = 0;
	int count;

	if (h5_names(j->parts[0], &names, &count))
		return 0;
	for (int i = 0; i < count; i++)
		pieces += join_kept_once(j->parts[0], names[i]) ? 1 : j->count;
	free(names);
	return pieces;
}

int join_write(const struct join *j, struct h5 *out, void (*on_progress)(void *data, int64_t done),
	void *data)
{
	struct piece p = {.j = j, .out = out, .on_progress = on_progress, .data = data};
	char **names;
	int count, status = 0;

	TRY(h5_attributes(j->parts[0], &names, &count));
	for (int i = 0; i < count && !status; i++)
		status = copy_attribute(j->parts[0], out, names[i]);
	free(names);
	TRY(status);
	TRY(h5_names(j->parts[0], &names, &count));
	for (int i = 0; i < count && !status; i++) {
		p.name = names[i];
		status = join_tensor(&p);
	}
	while (p.held > 0)
		free(p.texts[--p.held]);
	free(names);
	return status;
}
