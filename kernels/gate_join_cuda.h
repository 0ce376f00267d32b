/* CUDA launchers of gate_join.h. */
#ifndef KERNELS_GATE_JOIN_CUDA_H
#define KERNELS_GATE_JOIN_CUDA_H

#include "kernels/array.h"
#include "kernels/gate_join.h"

#ifdef __cplusplus
extern "C" {
#endif

struct gate_join_array_grads {
	struct array a, b, c;
	int acc_a, acc_b, acc_c;
};

void gate_join_cuda(
	const struct gate_join *p, struct array y, struct array a, struct array b, struct array c);
void gate_join_cuda_backward(const struct gate_join *p, const struct gate_join_array_grads *d,
	struct array dy, struct array a, struct array b, struct array c);

#ifdef __cplusplus
}
#endif
#endif
