#include "lib/io/check.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/io/h5_internal.h"
#include "lib/io/tensor_text.h"

/* Rows of a dataset, -1 when it is absent. */
static int rows_of(struct h5 *f, const char *name, int64_t *rows)
{
	int64_t shape[H5_DIMS];
	enum h5_type type;
	int dims;

	*rows = -1;
	if (!h5_has(f, name))
		return 0;
	TRY(h5_shape(f, name, &type, &dims, shape));
	*rows = dims ? shape[0] : 1;
	return 0;
}

/* A dataset must be there with this type and shape, -1 being any; last 0: not looked at. */
static int expect(struct h5 *f, const char *name, enum h5_type type, int dims, const int64_t *shape)
{
	int64_t has[H5_DIMS];
	char a[200], b[200];
	enum h5_type of;
	int n, equal;

	TRY(h5_shape(f, name, &of, &n, has));
	equal = of == type && n == dims;
	for (int i = 0; equal && i < dims; i++)
		equal = shape[i] == -1 || shape[i] == has[i];
	if (equal)
		return 0;
	return h5_error(f, STATUS_DATA, "%s is %s %s, %s %s needed", name, h5_type_name(of),
		h5_shape_text(n, has, a), h5_type_name(type), h5_shape_text(dims, shape, b));
}

struct range {
	struct h5 *f;
	const char *name;
	int64_t min, max, last;
	int ascending;
};

static int visit_range(void *with, int64_t first, int64_t count, const void *values)
{
	struct range *r = with;

	for (int64_t i = 0; i < count; i++) {
		int64_t v = ((const int64_t *)values)[i];

		if (v < r->min || v > r->max)
			return h5_error(r->f, STATUS_DATA, "%s[%lld] is %lld, beyond %lld..%lld",
				r->name, (long long)(first + i), (long long)v, (long long)r->min,
				(long long)r->max);
		if (r->ascending && v < r->last)
			return h5_error(r->f, STATUS_DATA, "%s[%lld] is below the one before it",
				r->name, (long long)(first + i));
		if (r->ascending && first + i == 0 && v != 0)
			return h5_error(r->f, STATUS_DATA, "%s does not begin with 0", r->name);
		r->last = v;
	}
	return 0;
}

static int check_range(struct h5 *f, const char *name, int64_t min, int64_t max)
{
	struct range r = {.f = f, .name = name, .min = min, .max = max};

	return tensor_walk(f, name, H5_I64, visit_range, &r);
}

/* offset (n + 1): from 0, never falling, to the rows of what it divides. */
static int check_offsets(struct h5 *f, const char *name, const char *flat, int64_t *n)
{
	struct range r = {.f = f, .name = name, .ascending = 1};
	const int64_t any = -1;
	int64_t rows;

	TRY(expect(f, name, H5_U64, 1, &any));
	TRY(rows_of(f, name, &rows));
	TRY(rows_of(f, flat, &r.max));
	if (rows < 1)
		return h5_error(f, STATUS_DATA, "%s is empty", name);
	TRY(tensor_walk(f, name, H5_I64, visit_range, &r));
	if (r.last != r.max)
		return h5_error(f, STATUS_DATA, "%s ends at %lld of %lld rows of %s", name,
			(long long)r.last, (long long)r.max, flat);
	*n = rows - 1;
	return 0;
}

/* pixels (n, h, w, 3), or encoded with offset. */
static int check_pictures(struct h5 *f, int64_t *n)
{
	static const int64_t pixels[4] = {-1, -1, -1, 3}, encoded[1] = {-1};

	if (h5_has(f, "pixels")) {
		TRY(expect(f, "pixels", H5_U8, 4, pixels));
		return rows_of(f, "pixels", n);
	}
	if (!h5_has(f, "encoded"))
		return h5_error(f, STATUS_DATA, "holds neither pixels nor encoded images");
	TRY(expect(f, "encoded", H5_U8, 1, encoded));
	return check_offsets(f, "offset", "encoded", n);
}

static int check_images(struct h5 *f)
{
	int64_t n, classes, any = -1;

	TRY(check_pictures(f, &n));
	TRY(rows_of(f, "class_names", &classes));
	if (classes >= 0)
		TRY(expect(f, "class_names", H5_TEXT, 1, &any));
	if (h5_has(f, "names"))
		TRY(expect(f, "names", H5_TEXT, 1, &n));
	if (!h5_has(f, "labels"))
		return 0;
	TRY(expect(f, "labels", H5_I32, 1, &n));
	return check_range(f, "labels", -1, classes >= 0 ? classes - 1 : INT32_MAX);
}

static int check_vqa(struct h5 *f)
{
	int64_t images, questions, any = -1;

	TRY(check_pictures(f, &images));
	TRY(expect(f, "questions", H5_TEXT, 1, &any));
	TRY(rows_of(f, "questions", &questions));
	TRY(rows_of(f, "image_of", &any));
	if (any != questions)
		return h5_error(f, STATUS_DATA, "image_of has %lld rows for %lld questions",
			(long long)any, (long long)questions);
	return check_range(f, "image_of", 0, images - 1);
}

static int check_clips(struct h5 *f)
{
	int64_t clips = 0;

	TRY(check_offsets(f, "frame_offset", h5_has(f, "frames") ? "frames" : "offset", &clips));
	if (h5_has(f, "clip_of_caption"))
		TRY(check_range(f, "clip_of_caption", 0, clips - 1));
	return 0;
}

/* tokens (n, views, L, C) of each kept layer, logits (n, views, K), view_seed (n, views). */
static int check_features(struct h5 *f)
{
	int64_t shape[H5_DIMS], n = -1, views = -1;
	char **names;
	int count, status = 0;

	TRY(h5_names(f, &names, &count));
	for (int i = 0; i < count && !status; i++) {
		enum h5_type type;
		int dims, tokens = !strncmp(names[i], "tokens", 6);

		if (!tokens && strcmp(names[i], "logits") && strcmp(names[i], "view_seed"))
			continue;
		status = h5_shape(f, names[i], &type, &dims, shape);
		if (status)
			break;
		if (dims < 2 || (n >= 0 && (shape[0] != n || shape[1] != views)))
			status =
				h5_error(f, STATUS_DATA, "%s has other samples or views", names[i]);
		n = shape[0];
		views = shape[1];
	}
	free(names);
	if (!status && n < 0)
		status = h5_error(f, STATUS_DATA, "holds neither tokens nor logits");
	return status;
}

static int check_any(struct h5 *f)
{
	char **names;
	int count;

	TRY(h5_names(f, &names, &count));
	free(names);
	return count ? 0 : h5_error(f, STATUS_DATA, "holds no tensors");
}

static const struct {
	const char *kind;
	int (*check)(struct h5 *f);
} kinds[] = {
	{"images", check_images},
	{"vqa", check_vqa},
	{"clips", check_clips},
	{"weights", check_any},
	{"features", check_features},
	{"calibration", check_any},
	{"state", check_any},
	{"predictions", check_any},
};

int check_kind(struct h5 *f)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(h5_kind(f), kinds[i].kind))
			return kinds[i].check(f);
	return h5_error(f, STATUS_DATA, "holds %.40s, which is no kind known here", h5_kind(f));
}

static int check_config(struct h5 *f)
{
	json_error_t e;
	json_t *json;
	char *text;

	if (!h5_has_attribute(f, "config"))
		return 0;
	TRY(h5_get_text(f, "config", &text));
	json = json_loads(text, JSON_REJECT_DUPLICATES, &e);
	free(text);
	if (!json)
		return h5_error(f, STATUS_DATA, "attribute config is not JSON: %s", e.text);
	json_decref(json);
	return 0;
}

static int check_hash(struct h5 *f)
{
	char now[80], then[80];

	TRY(h5_hash_tensors(f, now));
	if (!h5_has_attribute(f, "content_hash"))
		return h5_error(f, STATUS_DATA, "lacks the attribute content_hash");
	TRY(h5_content_hash(f, then));
	if (strcmp(now, then))
		return h5_error(f, STATUS_DATA,
			"its values are not those that were written (content hash)");
	return 0;
}

int check_whole(struct h5 *f)
{
	TRY(check_hash(f));
	TRY(check_config(f));
	return check_kind(f);
}
