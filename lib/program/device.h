/*
 * A device: where a program's memory lies and which implementation of the op table runs.
 *
 * The CPU is the only one built into the library. All host access to tensor memory goes through
 * these calls, so that another device can answer them.
 */
#ifndef PROGRAM_DEVICE_H
#define PROGRAM_DEVICE_H

#include <stddef.h>
#include "lib/program/op.h"

struct device {
	const char *name;		  /* "cpu x86-64-v4" */
	const struct op_impl *const *ops; /* indexed by enum op_id */
	int plain;			  /* 1: the reference loops instead of the fast forms */

	void *(*alloc)(size_t bytes); /* zeroed, aligned to 64; NULL with the error recorded */
	void (*release)(void *p);
	void (*put)(void *to, const void *host, size_t bytes);
	void (*get)(void *host, const void *from, size_t bytes);
	void (*zero)(void *p, size_t bytes);
};

/* The CPU at the best level of the instruction set it has, or as TM_ISA=base|v3|v4 says. */
const struct device *device_cpu(void);

/* The CPU with the reference loops: slow, for checks. */
const struct device *device_cpu_plain(void);

#endif
