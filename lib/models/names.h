/*
 * Parameter names of published checkpoints, as tables of patterns beside our own.
 *
 * Ours: DeiT as in timm and the original release, PlainMamba as in the TransMamba release, ViM,
 * VMamba and VideoMamba as in their own code. A weight of ours may be several tensors of theirs,
 * stacked along the rows (attention's q, k and v).
 */
#ifndef MODELS_NAMES_H
#define MODELS_NAMES_H

#include "lib/models/network.h"

#define NAME_SIZE 1100

struct name_rule {
	/* '#' stands for a number (at most two), '*' at the end for the rest, '@' for the prefix */
	const char *ours, *theirs;
	int part, parts; /* theirs is part of parts; parts 0: the whole */
};

/* A parameter's second name, under which public files may hold it once more. */
struct name_copy {
	const char *ours, *theirs;
	int written; /* by export, too: their code wants it */
};

struct spelling {
	const char *name; /* "timm", "hf", "public", "own", "first", "pretrain" ... */
	enum network_family family;
	int distilled; /* DeiT: 0 or 1 for the spelling of one form, -1 for both */
	const char *prefix;
	const struct name_rule *rules;	/* the first that fits counts; ends with ours NULL */
	const char *const *passed_over; /* patterns of what is known and not wanted; NULL: none */
	const char *source;		/* whose names they are, for messages */
	const struct name_copy *copies; /* ends with ours NULL; NULL: none */
};

/* NULL after the last. */
const struct spelling *spelling_at(int i);
/*
 * Of a network's family and form; "public" is "timm" for DeiT, "own" "public" for ViM, VMamba and
 * VideoMamba and Mamba. NULL when there is none.
 */
const struct spelling *spelling_find(const struct network_config *c, const char *name);

/* 1 when a rule fits; part and parts are set (0 of 1 for a whole). */
int name_to_ours(
	const struct spelling *s, const char *theirs, char ours[NAME_SIZE], int *part, int *parts);
/* The name of a part of ours: 1 when a rule fits. */
int name_to_theirs(
	const struct spelling *s, const char *ours, int part, char theirs[NAME_SIZE], int *parts);
/* The parameter of which theirs is the second name, or NULL; and the other way, for export. */
const char *name_copied(const struct spelling *s, const char *theirs);
const char *name_written_again(const struct spelling *s, const char *ours);
/* 1 for a name that is known and not wanted: copies kept by an averaging hook, an unused pooler. */
int name_passed_over(const struct spelling *s, const char *theirs);

#endif
