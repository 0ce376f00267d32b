/* CUDA launchers of the ops that walk their values once: contracts in the ops' own headers. */
#ifndef KERNELS_ELEMENTWISE_CUDA_H
#define KERNELS_ELEMENTWISE_CUDA_H

#include "kernels/add.h"
#include "kernels/array.h"
#include "kernels/directions.h"
#include "kernels/gate.h"
#include "kernels/gelu.h"
#include "kernels/patches.h"
#include "kernels/residual.h"
#include "kernels/shard_part.h"
#include "kernels/split.h"
#include "kernels/weighted_sum.h"

struct step;

#ifdef __cplusplus
extern "C" {
#endif

void add_cuda(const struct add *p, struct array y, struct array a, struct array b);
void gelu_cuda(const struct gelu *p, struct array y, struct array x);
void gelu_cuda_backward(
	const struct gelu *p, struct array dx, int acc, struct array dy, struct array x);
/* dst = or += scale src, n values */
void scale_cuda(struct array dst, int acc, struct array src, int64_t n, float scale);

/* step NULL: no stochastic depth */
void residual_cuda(const struct residual *p, struct array y, struct array x, struct array branch,
	const struct step *step);
void residual_cuda_branch(const struct residual *p, struct array dbranch, int acc, struct array dy,
	const struct step *step);

/* Gradients of y, y2 and z: set, or added to. */
struct gate_arrays {
	struct array y, y2, z;
	int acc_y, acc_y2, acc_z;
};
void gate_cuda(
	const struct gate *p, struct array o, struct array y, struct array y2, struct array z);
void gate_cuda_backward(const struct gate *p, const struct gate_arrays *d, struct array d_o,
	struct array y, struct array y2, struct array z);

void merge_cuda(const struct directions *p, struct array y, struct array x, struct array o,
	const struct step *step);
void merge_cuda_branch(const struct directions *p, struct array d_o, int acc, struct array dy,
	const struct step *step);
void tap_cuda(const struct directions *p, struct array s, struct array x, struct array o);
/* dst (b, L, C) = or += scale sum over k of src (b, K, L, C) */
void sum_directions_cuda(
	const struct directions *p, struct array dst, int acc, struct array src, float scale);
/* dst (b, K, L, C) = or += scale src (b, L, C) */
void spread_directions_cuda(
	const struct directions *p, struct array dst, int acc, struct array src, float scale);

/* backward: part takes columns [from, from + width) of x; else x takes them from part */
void split_cuda(const struct split *p, struct array part, struct array x, int64_t from,
	int64_t width, int backward, int acc);
void patches_cuda(
	const struct patches *p, struct array y, struct array image, int backward, int acc);

void shard_part_cuda(struct array y, int acc, struct array x, int64_t n, const struct step *step);
/* y = sum of coefs x_i: scalars */
void weighted_sum_cuda(const struct weighted_sum *p, float *y, float *const *x);
void weighted_sum_cuda_backward(
	const struct weighted_sum *p, float *const *dx, uint64_t acc, const float *dy);

#ifdef __cplusplus
}
#endif
#endif
