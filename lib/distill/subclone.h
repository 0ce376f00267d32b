/*
 * Weight subcloning: the student's first weights from the teacher's (TransMamba, stage 1).
 *
 * From the teacher before (theta0) and after (theta1) a short fine-tune, G = |theta1 - theta0|:
 *
 *	residual units	s_j = sum over tensors touching the residual stream of
 *			mean(G restricted to slice j) / mean(G); one set J of D_S for the whole
 *			network, smallest first, ties by the lower index, stored ascending
 *	hidden units	per layer: mean(G_fc1[k, J]) / mean(G_fc1) + G_b1[k] / mean(G_b1) +
 *			mean(G_fc2[J, k]) / mean(G_fc2); the 4 D_S smallest, ascending
 *
 * Copied are norms, MLP, positions (ViM's class token's row goes to the middle), class token, patch
 * embedding (equal kernel), head (equal classes); everything inside the SSM stays as it is in the
 * student. Layers: the first n_init_layers. A tensor whose teacher is narrower stays fresh.
 *
 * VMamba's stages have streams of their own: the third takes, and D_S is its width; of the ends the
 * last norm alone, with a set of units of its own, if the teacher is as wide.
 */
#ifndef DISTILL_SUBCLONE_H
#define DISTILL_SUBCLONE_H

#include "lib/models/network.h"

enum subclone_score {
	SCORE_LEAST_CHANGE,
	SCORE_MAGNITUDE, /* largest mean |theta1| instead of least change */
	SCORE_FIRST,	 /* the first units */
	SCORE_RANDOM,	 /* drawn by Philox */
};

struct subclone_settings {
	enum subclone_score score;
	int64_t n_init_layers; /* -1: min(N_S, N_T) */
	int from_before;       /* subclone_from=before: copy theta0's values, not theta1's */
	int rescale;	       /* fc1 *= sqrt(D_T / D_S), fc2 likewise */
};

/* What was done, for people and for provenance. */
struct subclone_report {
	int64_t residual, hidden; /* units kept, of each layer */
	int64_t copied, fresh;	  /* tensors of the student */
	int64_t layers;
	char notes[1024]; /* tensors left fresh for a reason, one line */
};

/* Both teachers are DeiTs of one config; the student's model is filled and is changed in place. */
int subclone(struct network *student, const struct network *before, const struct network *after,
	const struct subclone_settings *s, uint64_t seed, struct subclone_report *report);

/*
 * The selection alone, for tests: scores (n) -> the `keep` units with the smallest scores, ties by
 * lower index, ascending.
 */
void subclone_select(const double *scores, int64_t n, int64_t keep, int64_t *out);

#endif
