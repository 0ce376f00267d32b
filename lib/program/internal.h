/* What program.c, plan.c and run.c share. */
#ifndef PROGRAM_INTERNAL_H
#define PROGRAM_INTERNAL_H

#include "lib/program/program.h"

struct program {
	enum program_mode mode;
	int half;
	struct tensor **tensors;
	int n_tensors, room_tensors;
	struct call *calls;
	int n_calls, room_calls;
	char *scope;
	char **scopes; /* every name ever set, released at the end */
	int n_scopes, room_scopes;
	int failed; /* status of the first refusal; text in failure */
	char failure[512];

	const struct device *device; /* set by program_plan */
	size_t block_bytes;	     /* activations, gradients and work */
	size_t work_bytes, work_offset;
	struct program_memory memory;
	char *block;
	char *own; /* inputs and tables */
	size_t own_bytes;
	struct model **models; /* whose parameters are read, each once: set by program_bind */
	int n_models;
	const int32_t **tables; /* host copies; tables[i] of tensor table_ids[i] */
	int *table_ids, n_tables;

	void *graph[2]; /* of the forward and the backward walk */
	int no_graph;

	int profiling;
	double seconds[OP_COUNT][2]; /* forward, backward */
	int64_t runs[OP_COUNT][2];
};

/* Backward of call i happens at this time; forward of call i at time i. */
static inline int backward_time(const struct program *p, int i)
{
	return 2 * p->n_calls - 1 - i;
}

void program_graphs_free(struct program *p);

#endif
