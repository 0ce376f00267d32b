/* What the two halves of subcloning share: choosing units (subclone_units.c), and copying them. */
#ifndef DISTILL_SUBCLONE_INTERNAL_H
#define DISTILL_SUBCLONE_INTERNAL_H

#include "lib/distill/subclone.h"

/* Work of one call of subclone(). */
struct work {
	const struct network *before, *after;
	struct network *student;
	const struct subclone_settings *settings;
	uint64_t seed;
	struct subclone_report *report;
	int64_t first, layers; /* the student's layers that take from the teacher's first */
	int64_t dim_t, dim_s, hidden_t, hidden_s;
	int64_t *J, *hidden; /* dim_s residual units; hidden_s of the layer at hand */
	real *a, *b;	     /* room for the largest tensor, twice */
};

/* One more "what: why" in the report. */
void subclone_note(struct work *w, const char *what, const char *why);

/* The `keep` residual units to take, in J; those that others go by are w->J. */
int choose_residual(struct work *w, int64_t keep, int64_t *J);
/* The hidden units of a teacher's layer to take, in w->hidden; after w->J. */
int choose_hidden(struct work *w, int64_t layer);

#endif
