/*
 * How the programs and libtransmamba-cuda.so know each other. The library gives one function,
 * transmamba_cuda_open; both sides must have been built from the same headers.
 */
#ifndef PROGRAM_CUDA_ABI_H
#define PROGRAM_CUDA_ABI_H

#include "lib/program/device.h"

#define CUDA_ABI 2
#define CUDA_LIBRARY "libtransmamba-cuda.so"

/* Sizes that change when a shared struct does. */
struct cuda_host {
	int abi, ops;
	size_t call, device, step;
	int (*error)(int code, const char *format, ...);
};

#define CUDA_HOST(error)                                                                           \
	{                                                                                          \
		CUDA_ABI, OP_COUNT, sizeof(struct call), sizeof(struct device),                    \
			sizeof(struct step), error                                                 \
	}

/* Fills *d; STATUS_UNAVAILABLE through host->error when there is no such device. */
typedef int cuda_open(
	const struct cuda_host *host, int index, enum precision precision, struct device *d);
typedef int cuda_count(const struct cuda_host *host);

#endif
