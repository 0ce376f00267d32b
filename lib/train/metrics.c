#include "lib/train/metrics.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

#include <errno.h>
#include <math.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIXED 5

int64_t metrics_sums(int layers, int directions)
{
	return FIXED + 2 * (int64_t)layers * directions;
}

static int failed(void)
{
	return error(STATUS_IO, "the metrics file could not be written: %s", strerror(errno));
}

static void header(const struct metrics *m)
{
	fprintf(m->f, "event\tstep\tepoch\tlr\tloss\ttask\tdistill\tnorm\timages_per_s\tseconds\t"
		      "valid_loss\tvalid_top1\tvalid_top5");
	for (int k = 0; k < 2; k++)
		for (int i = 0; i < m->layers * m->directions; i++)
			fprintf(m->f, "\t%s.%d.%d", k ? "w" : "cos", i / m->directions,
				i % m->directions);
	fprintf(m->f, "\n");
}

/* Cuts the file off after so many lines. */
static int keep_lines(const struct metrics *m, const char *path)
{
	int64_t lines = 0;
	int c = 0;

	while (lines < m->lines && (c = getc_unlocked(m->f)) != EOF)
		lines += c == '\n';
	if (lines < m->lines)
		return error(STATUS_DATA, "%s: shorter than when the state was saved: remove both",
			path);
	if (fseek(m->f, 0, SEEK_CUR) || ftruncate(fileno(m->f), ftell(m->f)))
		return failed();
	return 0;
}

int metrics_open(struct metrics *m, const char *path, int64_t keep, int layers, int directions)
{
	m->f = NULL;
	m->lines = path ? keep : 0;
	m->pending = 0;
	m->layers = layers;
	m->directions = directions;
	m->n_sums = metrics_sums(layers, directions);
	if (!m->sums)
		m->sums = memory_new(m->n_sums, sizeof(*m->sums));
	if (!m->sums)
		return STATUS_SYSTEM;
	if (!path)
		return 0;
	m->f = fopen(path, keep ? "r+" : "w");
	if (!m->f)
		return error(STATUS_CANTCREATE, "%s: %s%s", path, strerror(errno),
			keep ? ": it belongs to the state that is taken up" : "");
	setvbuf(m->f, NULL, _IOFBF, 2 * METRICS_PENDING);
	if (keep)
		return keep_lines(m, path);
	header(m);
	m->lines = 1;
	return ferror(m->f) ? failed() : 0;
}

int metrics_flush(struct metrics *m)
{
	m->pending = 0;
	return m->f && (fflush(m->f) || ferror(m->f)) ? failed() : 0;
}

int metrics_close(struct metrics *m, int forget)
{
	int bad;

	if (m->f && forget)
		__fpurge(m->f);
	bad = m->f ? fclose(m->f) : 0;
	m->f = NULL;
	free(m->sums);
	m->sums = NULL;
	return bad ? failed() : 0;
}

int metrics_step(struct metrics *m, const struct step_report *r, int64_t step, double epoch,
	double images_per_s, double seconds)
{
	int64_t n = (int64_t)m->layers * m->directions;
	int written;

	m->sums[0] += r->loss;
	m->sums[1] += r->task;
	m->sums[2] += r->distill;
	m->sums[3] += r->norm;
	m->sums[4] += 1;
	for (int64_t i = 0; i < n; i++) {
		m->sums[FIXED + i] += r->cosines[i];
		m->sums[FIXED + n + i] += r->weights[i];
	}
	if (!m->f)
		return 0;
	written = fprintf(m->f,
		"step\t%lld\t%.6g\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g\t%.4g\t%.6g\tnan\tnan\tnan",
		(long long)step, epoch, r->lr, r->loss, r->task, r->distill, r->norm, images_per_s,
		seconds);
	for (int64_t i = 0; i < 2 * n; i++)
		written += fprintf(
			m->f, "\t%.6g", (double)(i < n ? r->cosines[i] : r->weights[i - n]));
	m->pending += written + 1;
	m->lines++;
	return fprintf(m->f, "\n") < 0 ? failed() : 0;
}

int metrics_epoch(struct metrics *m, const struct scores *s, double lr, int64_t step, double epoch,
	double images_per_s, double seconds)
{
	double steps = m->sums[4] > 0 ? m->sums[4] : 1;

	if (m->f) {
		fprintf(m->f, "epoch\t%lld\t%.6g\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g\t%.4g\t%.6g",
			(long long)step, epoch, lr, m->sums[0] / steps, m->sums[1] / steps,
			m->sums[2] / steps, m->sums[3] / steps, images_per_s, seconds);
		if (s && s->count)
			fprintf(m->f, "\t%.9g\t%.6g\t%.6g", s->loss, 100.0 * s->top1 / s->count,
				100.0 * s->top5 / s->count);
		else
			fprintf(m->f, "\tnan\tnan\tnan");
		for (int64_t i = FIXED; i < m->n_sums; i++)
			fprintf(m->f, "\t%.6g", m->sums[i] / steps);
		fprintf(m->f, "\n");
		m->lines++;
		if (ferror(m->f))
			return failed();
	}
	memset(m->sums, 0, m->n_sums * sizeof(*m->sums));
	return 0;
}
