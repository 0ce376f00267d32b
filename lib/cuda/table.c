/* The CUDA column of the op table. */
#include "lib/program/op.h"

/* weak: an op that has no CUDA form yet is NULL, and program_plan refuses it */
#define OP(name) extern const struct op_impl cuda_##name __attribute__((weak));
#include "lib/program/ops.def"
#undef OP

const struct op_impl *const cuda_ops[] = {
#define OP(name) &cuda_##name,
#include "lib/program/ops.def"
#undef OP
};
