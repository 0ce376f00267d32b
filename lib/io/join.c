#include "lib/io/join.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/io/check.h"
#include "lib/io/h5_internal.h"
#include "lib/io/tensor_text.h"

int part_mark(struct h5 *f, const struct part *p, const char *of, ...)
{
	char text[40], whole[1024];
	va_list ap;

	if (!p->count)
		return 0;
	va_start(ap, of);
	vsnprintf(whole, sizeof(whole), of, ap);
	va_end(ap);
	snprintf(text, sizeof(text), "%lld/%lld", (long long)p->index, (long long)p->count);
	TRY(h5_put_text(f, "part", text));
	return h5_put_text(f, "part_of", whole);
}

int part_of_file(struct h5 *f, struct part *p)
{
	char *text;
	int status;

	if (!h5_has_attribute(f, "part"))
		return h5_error(f, STATUS_DATA, "is whole, not a part: there is nothing to join");
	TRY(h5_get_text(f, "part", &text));
	status = part_parse(p, text);
	free(text);
	return status ? h5_error(f, STATUS_DATA, "attribute part is not I/N: damaged") : 0;
}

/* --- do the parts belong together? --- */

/* Takes its place among the others. */
static int place(struct join *j, struct h5 *f, const struct part *p)
{
	struct h5 **at;

	if (!j->parts) {
		j->parts = memory_new((size_t)p->count, sizeof(*j->parts));
		if (!j->parts)
			return STATUS_SYSTEM;
		j->count = (int)p->count;
	}
	if (p->count != j->count)
		return h5_error(f, STATUS_DATA, "is part %lld of %lld, others are of %d",
			(long long)p->index, (long long)p->count, j->count);
	at = &j->parts[p->index - 1];
	if (*at)
		return h5_error(f, STATUS_DATA, "is part %lld of %d, and so is %s",
			(long long)p->index, j->count, h5_path(*at));
	*at = f;
	return 0;
}

static int can_join(const char *kind)
{
	return !strcmp(kind, "features") || !strcmp(kind, "predictions") || !strcmp(kind, "images");
}

static int add(struct join *j, const char *path)
{
	struct part p = {0};
	struct h5 *f;
	int status;

	TRY(h5_open(&f, path, NULL));
	if (can_join(h5_kind(f)))
		status = part_of_file(f, &p);
	else
		status = h5_error(f, STATUS_DATA,
			"holds %.40s: features, predictions and images can be joined", h5_kind(f));
	if (!status)
		status = place(j, f, &p);
	if (status)
		h5_close(&f);
	return status;
}

static int complete(const struct join *j)
{
	int missing = 0, first = 0;

	for (int i = j->count; i > 0; i--)
		if (!j->parts[i - 1]) {
			missing++;
			first = i;
		}
	if (!missing)
		return 0;
	if (missing > 1)
		return error(STATUS_DATA,
			"%d of %d parts are missing, the first of them is part %d: give all",
			missing, j->count, first);
	return error(STATUS_DATA, "part %d of %d is missing: give all", first, j->count);
}

static int same_attribute(struct h5 *a, struct h5 *b, const char *name)
{
	char *x, *y;
	int equal;

	if (!strcmp(name, "part") || !strcmp(name, "content_hash"))
		return 0;
	if (!h5_has_attribute(b, name))
		return h5_error(
			b, STATUS_DATA, "lacks the attribute %.60s of %s", name, h5_path(a));
	TRY(tensor_attribute_text(a, name, &x));
	if (tensor_attribute_text(b, name, &y)) {
		free(x);
		return STATUS_DATA;
	}
	equal = !strcmp(x, y);
	free(x);
	free(y);
	return equal ? 0
		     : h5_error(b, STATUS_DATA,
			       "its attribute %.60s differs from that of %s: parts of one run are "
			       "needed",
			       name, h5_path(a));
}

int join_kept_once(struct h5 *f, const char *name)
{
	return !strcmp(h5_kind(f), "images") && !strcmp(name, "class_names");
}

static int same_strings(struct h5 *a, struct h5 *b, const char *name)
{
	int64_t x = 0, y = 0;
	char **s = NULL, **t = NULL;
	int status = h5_get_strings(a, name, &x, &s), equal;

	if (!status)
		status = h5_get_strings(b, name, &y, &t);
	equal = x == y;
	for (int64_t i = 0; !status && equal && i < x; i++)
		equal = !strcmp(s[i], t[i]);
	free(s);
	free(t);
	if (status || equal)
		return status;
	return h5_error(b, STATUS_DATA,
		"its %s differ from those of %s: parts of one run are needed", name, h5_path(a));
}

static int same_tensor(struct h5 *a, struct h5 *b, const char *name)
{
	int64_t x[H5_DIMS], y[H5_DIMS];
	char xs[200], ys[200];
	enum h5_type tx, ty;
	int nx, ny, equal;

	TRY(h5_shape(a, name, &tx, &nx, x));
	if (!nx)
		return h5_error(a, STATUS_DATA, "%s is a scalar, which cannot be joined", name);
	if (!h5_has(b, name))
		return h5_error(b, STATUS_DATA, "holds no %s, which %s has", name, h5_path(a));
	TRY(h5_shape(b, name, &ty, &ny, y));
	equal = tx == ty && nx == ny;
	for (int i = 1; equal && i < nx; i++)
		equal = x[i] == y[i];
	if (equal)
		return join_kept_once(a, name) ? same_strings(a, b, name) : 0;
	return h5_error(b, STATUS_DATA, "%s is %s %s, in %s it is %s %s", name, h5_type_name(ty),
		h5_shape_text(ny, y, ys), h5_path(a), h5_type_name(tx), h5_shape_text(nx, x, xs));
}

/* Everything that a names is the same in b. */
static int same(struct h5 *a, struct h5 *b, int (*list)(struct h5 *f, char ***names, int *count),
	int (*compare)(struct h5 *a, struct h5 *b, const char *name))
{
	char **names;
	int count, status = 0;

	TRY(list(a, &names, &count));
	for (int i = 0; i < count && !status; i++)
		status = compare(a, b, names[i]);
	free(names);
	return status;
}

static int agree(const struct join *j)
{
	struct h5 *first = j->parts[0];

	for (int i = 0; i < j->count; i++) {
		struct h5 *f = j->parts[i];

		TRY(same(first, f, h5_attributes, same_attribute));
		TRY(same(f, first, h5_attributes, same_attribute));
		TRY(same(first, f, h5_names, same_tensor));
		TRY(same(f, first, h5_names, same_tensor));
		TRY(check_kind(f));
	}
	return 0;
}

int join_open(struct join *j, char *const *paths, int count)
{
	int status = 0;

	*j = (struct join){0};
	for (int i = 0; i < count && !status; i++)
		status = add(j, paths[i]);
	if (!status)
		status = complete(j);
	if (!status)
		status = agree(j);
	if (status)
		join_close(j);
	return status;
}

void join_close(struct join *j)
{
	for (int i = 0; i < j->count; i++)
		h5_close(&j->parts[i]);
	free(j->parts);
	*j = (struct join){0};
}
