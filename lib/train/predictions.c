#include "lib/train/predictions.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/join.h"
#include "lib/models/weights.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CLASSES 1000000

int predictions_begin(struct predictions *p, int64_t count, int64_t classes)
{
	p->count = count;
	p->classes = classes;
	p->logits = memory_new(count, classes * sizeof(*p->logits));
	p->seen = memory_new(count, 1);
	return p->logits && p->seen ? 0 : STATUS_SYSTEM;
}

int predictions_add(void *data, const struct batch *b, const real *logits)
{
	struct predictions *p = data;

	for (int64_t i = 0; i < b->count; i++) {
		int64_t row = b->index[i] - p->first;

		memcpy(p->logits + row * p->classes, logits + i * p->classes,
			p->classes * sizeof(*logits));
		p->seen[row] = 1;
	}
	return 0;
}

void predictions_release(struct predictions *p)
{
	free(p->logits);
	free(p->seen);
	p->logits = NULL;
	p->seen = NULL;
}

static int fill(const struct predictions *p, const struct dataset *d, struct h5 *f)
{
	const int64_t shape[] = {p->count, p->classes};
	struct h5_layout layout = {.long_name = "logits", .units = "1", .axes = "sample class"};
	char hash[80];

	TRY(h5_content_hash(d->file, hash));
	TRY(h5_put_text(f, "task", "classification"));
	TRY(h5_put_text(f, "data", hash));
	TRY(part_mark(f, &p->part, "%s", p->part_of));
	TRY(h5_dataset(f, "logits", H5_F32, 2, shape, &layout));
	return h5_write(f, "logits", H5_REAL, 0, p->count, p->logits);
}

int predictions_save(const struct predictions *p, const struct dataset *d, const char *path,
	const struct provenance *provenance)
{
	struct h5 *f;

	TRY(h5_create(&f, path, "predictions"));
	return provenance_commit(provenance, &f, fill(p, d, f));
}

static void score(const struct predictions *p, const struct dataset *d, struct scores *s)
{
	memset(s, 0, sizeof(*s));
	for (int64_t i = 0; d->labels && i < p->count; i++)
		scores_add(s, p->logits + i * p->classes, p->classes, d->labels[i]);
	scores_end(s);
}

static int read_logits(struct predictions *p, const struct dataset *d, struct h5 *f)
{
	int64_t shape[H5_DIMS];
	enum h5_type type;
	int dims;

	TRY(h5_shape(f, "logits", &type, &dims, shape));
	if (dims != 2 || shape[0] != d->count || (d->classes && shape[1] != d->classes))
		return error(STATUS_DATA,
			"%s: logits do not fit the data: %lld images of %lld classes", h5_path(f),
			(long long)d->count, (long long)d->classes);
	if (shape[1] < 1 || shape[1] > MOST_CLASSES)
		return error(STATUS_DATA, "%s: logits of %lld classes: 1 to %d are wanted",
			h5_path(f), (long long)shape[1], MOST_CLASSES);
	TRY(predictions_begin(p, shape[0], shape[1]));
	TRY(h5_read(f, "logits", H5_REAL, 0, p->count, p->logits));
	for (int64_t i = 0; i < p->count * p->classes; i++)
		if (!isfinite(p->logits[i]))
			return error(STATUS_NUMBERS, "%s: logits of image %lld are not finite",
				h5_path(f), (long long)(i / p->classes));
	return 0;
}

int predictions_load(struct predictions *p, const struct dataset *d, const char *path,
	struct scores *s, char hash[80])
{
	struct h5 *f;
	int status;

	TRY(h5_open(&f, path, "predictions"));
	status = read_logits(p, d, f);
	if (!status)
		status = h5_content_hash(f, hash);
	h5_close(&f);
	if (!status)
		score(p, d, s);
	return status;
}

int predictions_per_class(const struct predictions *p, const struct dataset *d, const char *path)
{
	int64_t *n = memory_new(3 * p->classes, sizeof(*n));
	FILE *f = n ? fopen(path, "w") : NULL;

	if (!n)
		return STATUS_SYSTEM;
	if (!f) {
		free(n);
		return error(STATUS_CANTCREATE, "%s: %s", path, strerror(errno));
	}
	for (int64_t i = 0; i < p->count; i++) {
		int64_t label = d->labels ? d->labels[i] : -1, rank;

		if (label < 0)
			continue;
		rank = label_rank(p->logits + i * p->classes, p->classes, label);
		n[3 * label]++;
		n[3 * label + 1] += rank < 1;
		n[3 * label + 2] += rank < 5;
	}
	fprintf(f, "class\tname\tn\ttop1\ttop5\n");
	for (int64_t c = 0; c < p->classes; c++)
		fprintf(f, "%lld\t%s\t%lld\t%lld\t%lld\n", (long long)c,
			d->class_names ? d->class_names[c] : "", (long long)n[3 * c],
			(long long)n[3 * c + 1], (long long)n[3 * c + 2]);
	free(n);
	if (ferror(f) | fclose(f))
		return error(STATUS_IO, "%s: could not be written whole", path);
	return 0;
}

int predictions_print(const struct predictions *p, struct dataset *d, FILE *f)
{
	char text[64];

	fprintf(f, "image");
	for (int k = 1; k <= 5; k++)
		fprintf(f, "\tclass%d\tprobability%d", k, k);
	fprintf(f, "\n");
	for (int64_t i = 0; i < p->count; i++) {
		const real *z = p->logits + i * p->classes;
		int64_t used[5];
		double sum = 0, most = -INFINITY;

		for (int64_t c = 0; c < p->classes; c++)
			most = z[c] > most ? z[c] : most;
		for (int64_t c = 0; c < p->classes; c++)
			sum += exp(z[c] - most);
		fprintf(f, "%s", dataset_name(d, i, text));
		for (int k = 0; k < 5 && k < p->classes; k++) {
			int64_t best = -1;

			for (int64_t c = 0; c < p->classes; c++) {
				int taken = 0;

				for (int j = 0; j < k; j++)
					taken |= used[j] == c;
				if (!taken && (best < 0 || z[c] > z[best]))
					best = c;
			}
			used[k] = best;
			fprintf(f, "\t%lld\t%.4f", (long long)best, exp(z[best] - most) / sum);
		}
		fprintf(f, "\n");
	}
	return ferror(f) ? error(STATUS_IO, "standard output could not be written") : 0;
}
