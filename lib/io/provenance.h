/*
 * Where a file comes from: a chain of links, one per tool that touched it, oldest first.
 *
 * /provenance/0001, 0002, ... are groups with text attributes: tool, version, argv, settings
 * (JSON), inputs (lines "path<TAB>content hash"), device, threads, blas, hardware, seconds, energy.
 * Paths below the working folder are relative to it, others below $HOME begin with "~"; neither
 * host nor user is recorded.
 */
#ifndef IO_PROVENANCE_H
#define IO_PROVENANCE_H

#include "lib/io/h5.h"

/* One run of a tool. The cli fills tool, version and argv; tools add inputs and settings. */
struct provenance {
	const char *tool, *version;
	int argc;
	char **argv;
	char *settings; /* JSON, or NULL */
	const char *device;
	const char *blas; /* core of the BLAS, NULL: not said */
	int threads;
	double seconds; /* of work, before this call */
	/* Joules that the device has used since some time, < 0 unknown; NULL: no such meter. */
	double (*meter)(void);
	double meter_from; /* what it read when the run began; < 0: the energy is not measured */
	int off;	   /* --no-provenance: nothing is written */
	struct provenance_inputs *inputs;
};

/* Remembers an input: its chain (the first input's chain is the one continued) and content hash. */
int provenance_input(struct provenance *p, struct h5 *in);
/* The same for a file that is not ours: its SHA-256. */
int provenance_file(struct provenance *p, const char *path);
/* The same for one whose hash is known, of any kind: "xxh64:...". */
int provenance_note(struct provenance *p, const char *path, const char *hash);
/* Writes the chain and one more link into an output, before h5_commit. */
int provenance_write(const struct provenance *p, struct h5 *out);
/*
 * Ends an output: with status 0 the chain is written and the file committed, else it is closed and
 * nothing appears. Returns status, or what went wrong here. *out is NULL afterwards.
 */
int provenance_commit(const struct provenance *p, struct h5 **out, int status);
void provenance_release(struct provenance *p);

/* "AMD EPYC 9B14, 2 cores": model of the processor and cores in use. */
const char *hardware_name(void);

/* The links of a file, 0 when it has none. */
int provenance_links(struct h5 *f, int *count);
/* Names of the attributes of a link (from 0); one malloc'ed block. */
int provenance_attributes(struct h5 *f, int link, char ***names, int *count);
/* *text is malloc'ed; STATUS_DATA when absent. */
int provenance_get(struct h5 *f, int link, const char *attribute, char **text);

#endif
