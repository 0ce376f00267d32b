/*
 * Builders of ops: each checks its shapes, records one call and returns the output.
 *
 * A builder's comment names shapes only; formula, kept values and gradients stand in the kernel's
 * header of the same name. B batch, L tokens, C channels. NULL for an optional tensor: absent.
 */
#ifndef PROGRAM_OPS_H
#define PROGRAM_OPS_H

#include "lib/program/program.h"

/* --- basic (ops_basic.c) --- */

/* Two tensors of one shape. */
tensor add(struct program *p, tensor a, tensor b);

#endif
