/*
 * Feature calibration: the map from the student's features to the teacher's space.
 *
 *	u = g(standardise(s)), g: R^D_S -> R^D_T
 *
 * linear1: one matrix, no bias. mlp2: Linear(D_S, P), GELU, Linear(P, D_T), P = max(D_S, D_T): the
 * paper pads features with zeros to P, which a first linear layer makes the same as taking D_S
 * inputs. Matrices start as the identity on the overlapping block plus N(0, 0.02^2) elsewhere. One
 * map serves all layers of one width, or each layer has its own (calib_share=layer). The parameters
 * stand in the student's model as group 1, "map.weight", "map.width64.weight" (a student of several
 * widths) or "map.3.weight", so that they are trained with it; they are left out of weight files.
 *
 * The teacher's side: identity; standardised as the student's; or frozen, v' = W (v - m) with W =
 * (S + 0.01 tr(S) / D I)^(-1/2) from mean m and covariance S of its tokens: group 2,
 * "teacher.weight" and "teacher.bias" = -W m.
 */
#ifndef DISTILL_CALIBRATION_H
#define DISTILL_CALIBRATION_H

#include "lib/distill/settings.h"
#include "lib/io/h5.h"

#define GROUP_MAP 1
#define GROUP_TEACHER 2

struct calibration_map {
	struct param *fc1, *bias1, *fc2, *bias2; /* linear1: fc1 alone */
};

struct calibration {
	struct distill_settings settings;
	int64_t teacher_dim;
	int maps; /* one per width, or per layer */
	struct calibration_map map[NETWORK_LAYERS];
	int map_of[NETWORK_LAYERS]; /* of each layer */
	struct param *teacher_weight, *teacher_bias;
	struct model *model;
};

/*
 * Adds the parameters to a model that is not allocated yet. student_dims: of each layer's features
 * (distill_tap_dims).
 */
int calibration_new(struct calibration **c, const struct distill_settings *s, struct model *m,
	const int64_t *student_dims, int64_t teacher_dim, int64_t layers);
void calibration_free(struct calibration *c);

/* s (..., D_S) of layer i -> (..., D_T). The same without a map when c is NULL: standardised. */
tensor calibration_apply(struct calibration *c, struct program *p, tensor s, int layer);
/* The teacher's tokens (B, L, D_T) as the loss compares them. */
tensor calibration_teacher(struct calibration *c, struct program *p, tensor v);

/*
 * W and bias of TEACHER_FROZEN from n token vectors' sums: sum (D) and second moments (D, D), in
 * double. STATUS_NUMBERS when they are not finite.
 */
int calibration_whiten(struct calibration *c, int64_t n, const double *sum, const double *moment);

/* Files of kind `calibration`. Reading refuses another form, sharing, width or depth (65). */
int calibration_save(const struct calibration *c, struct h5 *f);
int calibration_load(struct calibration *c, struct h5 *f);

#endif
