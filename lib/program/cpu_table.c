/*
 * The CPU's column of the op table. Each op's adapters stand in a cpu_<group>.c and are declared
 * here by the list itself.
 */
#include "lib/program/op.h"

#define OP(name) extern const struct op_impl cpu_##name;
#include "lib/program/ops.def"
#undef OP

const struct op_impl *const cpu_ops[] = {
#define OP(name) &cpu_##name,
#include "lib/program/ops.def"
#undef OP
};
