/*
 * What a distillation does: the keys of a recipe that the losses, the calibration map and
 * subcloning read. Defaults are the paper's method (TransMamba, arXiv 2502.15130) with the values
 * it leaves open settled.
 */
#ifndef DISTILL_SETTINGS_H
#define DISTILL_SETTINGS_H

#include "kernels/adapt.h"
#include "lib/models/network.h"

enum distill_method {
	METHOD_TASK,	/* cross-entropy alone: teachers, scratch students, the probe */
	METHOD_FEATURE, /* task and a distance between last features (feature_loss) */
	METHOD_LOGITS,	/* task and T^2 KL between softened logits */
	METHOD_RC,	/* the released code's loss: fixed weights, pooled features */
	METHOD_WSAB,	/* the paper's: adaptive, directional, every layer */
};

enum feature_loss { FEATURE_RC, FEATURE_COS, FEATURE_L1, FEATURE_L2 };
enum similarity { SIMILARITY_TOKEN, SIMILARITY_FLATTENED, SIMILARITY_POOLED };
enum target_kind { TARGET_TOKENS, TARGET_PRENORM, TARGET_CLS };
enum tap_kind { TAP_KIND_RESID, TAP_KIND_BRANCH, TAP_KIND_INNER, TAP_KIND_STREAM };
enum dir_reduce { REDUCE_TWO_OVER_K, REDUCE_SUM, REDUCE_MEAN };
enum calib_form { CALIB_LINEAR1, CALIB_MLP2 };
enum calib_share { SHARE_WIDTH, SHARE_LAYER };
enum calib_teacher { TEACHER_IDENTITY, TEACHER_STANDARDISE, TEACHER_FROZEN };
enum calib_when { CALIB_BEFORE_JOINT, CALIB_JOINT, CALIB_BEFORE, CALIB_NONE };

struct distill_settings {
	enum distill_method method;
	double task_weight; /* alpha: L = alpha task + (1 - alpha) distillation */

	enum adapt_mode adapt_mode;
	double tau, eps_c;
	int weights_stopgrad;
	enum similarity similarity;
	enum target_kind target;
	enum tap_kind tap;
	int merged; /* directions=merged */
	enum dir_reduce dir_reduce;

	enum calib_when calib;
	enum calib_form calib_form;
	enum calib_share calib_share;
	enum calib_teacher calib_teacher;
	int calib_standardise; /* of the student's features */

	enum feature_loss feature_loss;
	double kd_temperature; /* of logits and of the channel softmax */
	double rc_last;	       /* 120: weight of the last term of the rc loss */
};

/* Whether the method looks at the teacher's tokens, and at its logits. */
int distill_wants_tokens(const struct distill_settings *s);
int distill_wants_logits(const struct distill_settings *s);
/* Whether it maps student features through the calibration map. */
int distill_wants_map(const struct distill_settings *s);

/* What the student must give. */
struct network_want distill_want(const struct distill_settings *s);

/* Width of the features that the map takes, of each layer. */
void distill_tap_dims(const struct distill_settings *s, const struct network_config *student,
	int64_t dims[NETWORK_LAYERS]);

#endif
