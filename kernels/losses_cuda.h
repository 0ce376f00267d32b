/* CUDA launchers of the losses: contracts in the ops' own headers. step lies on the device. */
#ifndef KERNELS_LOSSES_CUDA_H
#define KERNELS_LOSSES_CUDA_H

#include "kernels/adapt.h"
#include "kernels/array.h"
#include "kernels/channel_ce.h"
#include "kernels/cosine.h"
#include "kernels/cross_entropy.h"
#include "kernels/token_loss.h"

struct step;

#ifdef __cplusplus
extern "C" {
#endif

void cosine_cuda(const struct cosine *p, float *c, float *cos, float *inverse_u, float *inverse_v,
	struct array u, struct array v);
void cosine_cuda_backward(const struct cosine *p, struct array du, int acc_u, struct array dv,
	int acc_v, const float *dc, const float *cos, const float *inverse_u,
	const float *inverse_v, struct array u, struct array v);

/* c: layers pointers to (K); all (layers, K) gets them together */
void adapt_cuda(const struct adapt *p, float *loss, float *w, float *all, const float *const *c);
void adapt_cuda_backward(const struct adapt *p, float *const *dc, uint64_t acc, const float *dloss,
	const float *w, const float *all);

void cross_entropy_cuda(const struct cross_entropy *p, float *loss, float *log_sum, float *rows,
	struct array logits, struct array target, const struct step *step);
void cross_entropy_cuda_backward(const struct cross_entropy *p, struct array dlogits, int acc_l,
	struct array dtarget, int acc_t, const float *dloss, const float *log_sum,
	struct array logits, struct array target, const struct step *step);

/* cross_entropy with labels instead of a target */
void label_entropy_cuda(const struct cross_entropy *p, float *loss, float *log_sum, float *rows,
	struct array logits, const int32_t *labels, const struct step *step);
void label_entropy_cuda_backward(const struct cross_entropy *p, struct array dlogits, int acc,
	const float *dloss, const float *log_sum, struct array logits, const int32_t *labels,
	const struct step *step);

/* entropy: kl_logits, else channel_ce */
void channel_ce_cuda(const struct channel_ce *p, int entropy, float *loss, float *la, float *lb,
	float *values, struct array a, struct array b, const struct step *step);
void channel_ce_cuda_backward(const struct channel_ce *p, int entropy, struct array da, int acc_a,
	struct array db, int acc_b, const float *dloss, const float *la, const float *lb,
	const float *values, struct array a, struct array b, const struct step *step);

void token_loss_cuda(const struct token_loss *p, float *loss, float *rows, struct array u,
	struct array v, const struct step *step);
void token_loss_cuda_backward(const struct token_loss *p, struct array du, int acc_u,
	struct array dv, int acc_v, const float *dloss, struct array u, struct array v,
	const struct step *step);

#ifdef __cplusplus
}
#endif
#endif
