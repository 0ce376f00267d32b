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
	void (*set_one)(real *p); /* *p = 1 */

	/* What follows is NULL on the CPU. */
	int half; /* programs store activations as bf16 */
	void (*halve)(void *to, const real *from, int64_t count); /* reals to bf16 */
	/* Brings what changes from step to step to where the ops read it. */
	const struct step *(*step)(const struct step *host);
	/*
	 * A walk as one graph: what is called between begin and end is recorded, not run. end gives
	 * NULL where recording failed; the walk is then run call by call.
	 */
	int (*capture_begin)(void);
	void *(*capture_end)(void);
	void (*graph_launch)(void *graph);
	void (*graph_free)(void *graph);
	/*
	 * Values on their way back: fetch adds bytes to what a slot (0 or 1) will hold, from its
	 * place `at` on; fetched waits for all of them. Copies are in order with the walks.
	 */
	void (*fetch)(int slot, size_t at, const void *from, size_t bytes);
	const void *(*fetched)(int slot);
	/* Waits for the device; 0, or the first error since the last call, recorded. */
	int (*finish)(void);
	size_t (*memory_free)(void);
};

/* Graphs are used where a device has them; 0 runs the same calls one by one. */
void device_use_graphs(int on);
int device_uses_graphs(void);

enum precision { PRECISION_FP32, PRECISION_TF32, PRECISION_BF16 };

/*
 * The CUDA device of that number, from libtransmamba-cuda.so beside the programs or in
 * TRANSMAMBA_CUDA. STATUS_UNAVAILABLE when library, driver or device are not there or do not fit;
 * one CUDA device a process.
 */
int device_cuda(const struct device **d, int index, enum precision precision);
/* How many CUDA devices there are; 0 without a library or driver, the reason recorded. */
int device_cuda_count(void);

/* The CPU at the best level of the instruction set it has, or as TM_ISA=base|v3|v4 says. */
const struct device *device_cpu(void);

/* The CPU with the reference loops: slow, for checks. */
const struct device *device_cpu_plain(void);

#endif
