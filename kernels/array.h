/*
 * A device array as a CUDA launcher sees it: where it is, and whether its values are bf16 or float.
 * data NULL: absent, or not wanted.
 */
#ifndef KERNELS_ARRAY_H
#define KERNELS_ARRAY_H

struct array {
	void *data;
	int half;
};

#endif
