#include "lib/distill/settings.h"

int distill_wants_tokens(const struct distill_settings *s)
{
	return s->method == METHOD_FEATURE || s->method == METHOD_RC || s->method == METHOD_WSAB;
}

int distill_wants_logits(const struct distill_settings *s)
{
	return s->method == METHOD_LOGITS;
}

int distill_wants_map(const struct distill_settings *s)
{
	return s->calib != CALIB_NONE && (s->method == METHOD_WSAB || s->method == METHOD_FEATURE);
}

struct network_want distill_want(const struct distill_settings *s)
{
	static const enum network_tap taps[] = {TAP_RESID, TAP_BRANCH, TAP_INNER, TAP_STREAM};
	struct network_want w = {0};

	if (s->method == METHOD_WSAB) {
		w.tap = taps[s->tap];
		w.merged = s->merged;
	}
	w.layer_means = s->method == METHOD_RC;
	return w;
}

void distill_tap_dims(const struct distill_settings *s, const struct network_config *student,
	int64_t dims[NETWORK_LAYERS])
{
	int inner = s->method == METHOD_WSAB && s->tap == TAP_KIND_INNER && student->expand > 0;

	for (int64_t i = 0; i < student->depth; i++) {
		/* feature looks at the last layer's alone */
		dims[i] = s->method == METHOD_FEATURE ? network_out_dim(student)
						      : network_layer_dim(student, i);
		if (inner)
			dims[i] *= student->expand;
	}
}
