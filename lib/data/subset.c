#include "lib/data/subset.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "kernels/philox.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

enum { DRAW_SHARE, DRAW_HOLDOUT };

/* Digits with at most nine decimals as a fraction; the first character after them, or NULL. */
static const char *fraction(const char *text, int64_t *part, int64_t *whole)
{
	int decimals = -1, digits = 0;

	*part = 0;
	*whole = 1;
	for (; isdigit((unsigned char)*text) || (*text == '.' && decimals < 0); text++) {
		if (*text == '.') {
			decimals = 0;
			continue;
		}
		if (++digits > 9)
			return NULL;
		*part = 10 * *part + (*text - '0');
		if (decimals >= 0) {
			decimals++;
			*whole *= 10;
		}
	}
	return digits ? text : NULL;
}

int share_parse(struct share *s, const char *text)
{
	const char *end = fraction(text, &s->part, &s->whole);
	int64_t part = 0, whole = 1;

	s->divisor = 0;
	if (end && !strcmp(end, "%")) {
		s->whole *= 100;
	} else if (end && *end == '/' && s->whole == 1) {
		const char *below = end + 1;

		end = fraction(below, &part, &whole);
		if (!end || *end || !part)
			end = NULL;
		else if (whole == 1)
			s->whole = part;
		else if (s->part == 1)
			s->divisor = strtod(below, NULL);
		else
			end = NULL;
	} else if (end && *end) {
		end = NULL;
	}
	if (!end || s->part < 1 || (s->divisor ? !(s->divisor >= 1) : s->part > s->whole))
		return error(STATUS_USAGE,
			"share '%s': write 0.25, 25%%, 1/4 or 1/1.3, above 0 and at most 1", text);
	return 0;
}

int64_t share_count(const struct share *s, int64_t n)
{
	if (s->divisor)
		return (int64_t)rint(((double)n - fmod((double)n, s->divisor)) / s->divisor);
	return n / s->whole * s->part + n % s->whole * s->part / s->whole;
}

/* --- ranks --- */

struct rank {
	int64_t label, item;
	uint64_t key;
	const char *name;
};

static int rank_order(const void *x, const void *y)
{
	const struct rank *a = x, *b = y;
	int names;

	if (a->label != b->label)
		return a->label < b->label ? -1 : 1;
	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	names = strcmp(a->name, b->name);
	return names ? names : a->item < b->item ? -1 : a->item > b->item;
}

/* Items sorted by class and rank */
static struct rank *ranks(const struct collection *c, uint64_t seed, uint32_t draw)
{
	struct rank *r = memory_new((size_t)c->count + 1, sizeof(*r));

	for (int64_t i = 0; r && i < c->count; i++) {
		const char *name = c->items[i].name;
		uint64_t hash = XXH64(name, strlen(name), 0);
		struct philox p = philox(
			seed, PURPOSE_SUBSET, (uint32_t)(hash >> 48), hash & 0xffffffffffff, draw);

		r[i] = (struct rank){c->items[i].label, i, (uint64_t)p.v[0] << 32 | p.v[1], name};
	}
	if (r)
		qsort(r, (size_t)c->count, sizeof(*r), rank_order);
	return r;
}

/* The end of the run of one class that begins at `from` */
static int64_t run_end(const struct rank *r, int64_t from, int64_t count)
{
	int64_t i = from;

	while (i < count && r[i].label == r[from].label)
		i++;
	return i;
}

static const char *class_text(const struct collection *c, int64_t label)
{
	return label >= 0 && label < c->class_count ? c->classes[label] : "all images";
}

/* Items with keep 0 go to `rest`, or are freed. */
static int split(struct collection *c, const uint8_t *keep, struct collection *rest)
{
	int64_t kept = 0;

	if (rest) {
		rest->items = memory_new((size_t)c->count + 1, sizeof(*rest->items));
		if (!rest->items)
			return STATUS_SYSTEM;
	}
	for (int64_t i = 0; i < c->count; i++)
		if (keep[i])
			c->items[kept++] = c->items[i];
		else if (rest)
			rest->items[rest->count++] = c->items[i];
		else
			free(c->items[i].name);
	c->count = kept;
	return 0;
}

int collection_share(struct collection *c, const struct share *s, uint64_t seed)
{
	struct rank *r = ranks(c, seed, DRAW_SHARE);
	uint8_t *keep = memory_new((size_t)c->count + 1, 1);
	int status = r && keep ? 0 : STATUS_SYSTEM;

	for (int64_t i = 0, end; !status && i < c->count; i = end) {
		int64_t k;

		end = run_end(r, i, c->count);
		k = share_count(s, end - i);
		if (k < 1)
			status = error(STATUS_DATA,
				"class '%s' has %lld images: the share leaves none of them",
				class_text(c, r[i].label), (long long)(end - i));
		for (int64_t j = 0; j < k; j++)
			keep[r[i + j].item] = 1;
	}
	if (!status)
		status = split(c, keep, NULL);
	free(r);
	free(keep);
	return status;
}

int collection_holdout(struct collection *c, int64_t n, uint64_t seed, struct collection *rest)
{
	int64_t classes = c->labelled ? c->class_count : 1;
	struct rank *r = ranks(c, seed, DRAW_HOLDOUT);
	uint8_t *keep = memory_new((size_t)c->count + 1, 1);
	int64_t taken = 0;
	int status = r && keep ? 0 : STATUS_SYSTEM;

	*rest = *c;
	rest->items = NULL;
	rest->count = rest->room = 0;
	for (int64_t i = 0; !status && i < c->count; i++)
		keep[i] = 1;
	for (int64_t i = 0, end; !status && i < c->count; i = end) {
		int64_t label = c->labelled ? r[i].label : 0;
		int64_t k = n / classes + (label < n % classes);

		end = run_end(r, i, c->count);
		if (k >= end - i)
			status = error(STATUS_DATA,
				"class '%s' has %lld images: %lld cannot be held out",
				class_text(c, r[i].label), (long long)(end - i), (long long)k);
		for (int64_t j = 0; !status && j < k; j++)
			keep[r[i + j].item] = 0;
		taken += k;
	}
	if (!status && taken != n)
		status = error(STATUS_DATA,
			"only %lld of %lld images can be held out: some "
			"classes have none",
			(long long)taken, (long long)n);
	if (!status)
		status = split(c, keep, rest);
	free(r);
	free(keep);
	return status;
}

static uint64_t hash_text(const char *text, uint64_t before)
{
	return XXH64(text, strlen(text) + 1, before);
}

/* Of everything that decides which image is where; packed files count by their content. */
static int hash_all(struct collection *c, uint64_t *hash)
{
	char content[80];

	*hash = 0;
	for (int64_t i = 0; i < c->source_count; i++)
		if (c->sources[i].data) {
			TRY(h5_content_hash(c->sources[i].data->file, content));
			*hash = hash_text(content, *hash);
		}
	for (int64_t i = 0; i < c->class_count; i++)
		*hash = hash_text(c->classes[i], *hash);
	for (int64_t i = 0; i < c->count; i++) {
		*hash = hash_text(c->items[i].name, *hash);
		*hash = XXH64(&c->items[i].label, sizeof(c->items[i].label), *hash);
	}
	return 0;
}

int collection_part(struct collection *c, const struct part *p)
{
	int64_t first, count;
	uint64_t hash;
	uint8_t *keep;
	int status;

	TRY(part_range(p, c->count, 1, &first, &count));
	TRY(hash_all(c, &hash));
	keep = memory_new((size_t)c->count + 1, 1);
	if (!keep)
		return STATUS_SYSTEM;
	c->part = *p;
	snprintf(c->part_of, sizeof(c->part_of), "%lld images, xxh64 %016llx", (long long)c->count,
		(unsigned long long)hash);
	for (int64_t i = first; i < first + count; i++)
		keep[i] = 1;
	status = split(c, keep, NULL);
	free(keep);
	return status;
}

void collection_release_rest(struct collection *rest)
{
	for (int64_t i = 0; i < rest->count; i++)
		free(rest->items[i].name);
	free(rest->items);
	rest->items = NULL;
	rest->count = 0;
}
