/*
 * The training objective as calls on a program: L = alpha task + (1 - alpha) distillation.
 *
 *	task	  soft-target cross-entropy over the global batch
 *	wsab	  (2/K) sum over directions k, layers i of w_ik (1 - c_ik): kernels/adapt.h
 *	logits	  T^2 KL(teacher || student)
 *	feature	  between last features: rc: CE + H_T (both weight 1); cos, l1, l2: mixed with alpha
 *	rc	  CE + 120 H_T(f_S, f_T) + sum over i < N of i H_T(p_i, f_T), weights fixed
 *
 * Source: TransMamba (arXiv 2502.15130) eqs. 4, 5, 9 to 11, and its released code for rc.
 */
#ifndef DISTILL_OBJECTIVE_H
#define DISTILL_OBJECTIVE_H

#include "lib/distill/calibration.h"

/* What the teacher gives, from its own calls or from a features file. */
struct teacher_out {
	tensor tokens;		 /* (B, extra + L_T, D_T), of settings.target */
	tensor logits;		 /* (B, classes) */
	int64_t extra, at, grid; /* class tokens, the first one's index, side of the grid */
};

struct objective {
	tensor loss;		 /* (1): a part of the batch's mean, shards add up */
	tensor task, distill;	 /* (1) parts likewise, before alpha; distill may be NULL */
	tensor cosines, weights; /* (layers, K): wsab, else NULL */
	int layers, directions;
};

/*
 * c may be NULL: features are compared as they are. Adds what backward starts from
 * (program_loss) and keeps loss, task, distill, cosines and weights. What does not fit is the
 * program's refusal.
 */
void objective_build(struct objective *o, const struct distill_settings *s, struct program *p,
	const struct network_config *student, const struct network_out *out,
	const struct teacher_out *teacher, struct calibration *c, tensor target);
/* The same without the task term (calibration's first stage): target and logits are not used. */
void objective_build_distill(struct objective *o, const struct distill_settings *s,
	struct program *p, const struct network_config *student, const struct network_out *out,
	const struct teacher_out *teacher, struct calibration *c);

/* Before any building, with words for a person: which settings cannot go with these networks. */
int objective_check(const struct distill_settings *s, const struct network_config *student,
	int64_t teacher_dim, int64_t teacher_grid, int64_t teacher_extra, int64_t teacher_classes);

#endif
