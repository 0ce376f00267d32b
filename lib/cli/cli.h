/*
 * What every tool's main has in common: options, messages, exit codes, progress.
 *
 *	int main(int argc, char **argv)
 *	{
 *		cli_start(&argp, argc, argv, &settings);      exits 64, or after --help
 *		return cli_end(run(&settings));               message, stdout checked, exit code
 *	}
 *
 * Messages are one line on stderr: "tool: file: what is wrong: how to mend it". Results go to
 * stdout, numbers in the C locale. Standard options, parsed here into `cli`:
 *
 *	--device auto|cpu|cuda[:i]  --threads N  --seed N  --precision fp32|tf32|bf16
 *	-q --quiet  -v --verbose  -n --dry-run  --no-provenance  --json  --part I/N
 *	-V --version  --help  --usage
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <argp.h>
#include <stdint.h>
#include <stdio.h>
#include "lib/base/memory.h"
#include "lib/base/part.h"
#include "lib/io/provenance.h"

/* Which of the standard options a tool takes: others are refused as unknown. */
enum cli_options {
	CLI_DEVICE = 1, /* --device, --precision */
	CLI_THREADS = 2,
	CLI_SEED = 4,
	CLI_DRY_RUN = 8,
	CLI_PROVENANCE = 16, /* tools that write HDF5 */
	CLI_JSON = 32,	     /* tools that print results */
	CLI_PART = 64,	     /* tools whose work a job array can share */
};

struct cli {
	const char *tool; /* as called, without folder */
	const char *device, *precision;
	int threads; /* set with omp_set_num_threads by cli_start; default: cores available to us */
	uint64_t seed;
	int seed_given;
	int quiet, verbose, dry_run, json;
	struct part part; /* count 0: all of the work */
	struct provenance provenance;
};
extern struct cli cli;

/*
 * Parses: argp as in glibc with doc "What it does.\vExamples: ..."; the standard options chosen by
 * `options` are added as a child, which refuses arguments that the tool's parser leaves. Sets the
 * locale, signal dispositions, thread count and level of the instruction set
 * (lib/program/blas.h), and fills cli.provenance.
 */
void cli_start(const struct argp *argp, int argc, char **argv, void *settings, unsigned options);

/* Prints the recorded error when status is not 0; stdout that cannot be written gives 74. */
int cli_end(int status);

/* --- numbers in options: parsed whole or refused through argp_error (exit 64) --- */
int64_t cli_integer(struct argp_state *state, const char *option, const char *text, int64_t min,
	int64_t max); /* K, M, G allowed as suffix (powers of 1000) */
double cli_number(
	struct argp_state *state, const char *option, const char *text, double min, double max);
/* Index of text in a NULL-terminated list. */
int cli_choice(
	struct argp_state *state, const char *option, const char *text, const char *const *names);

/* --- words on stderr --- */
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Unless --quiet. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Progress: on a terminal one line rewritten at most four times a second; otherwise a plain line
 * every 30 seconds and at the end; silent with --quiet. `note` is what to append ("loss 2.31").
 */
struct progress {
	const char *what, *unit;
	int64_t done, total;
	double start, last;
	int64_t first; /* done when started: what was resumed does not count in the rate */
	int terminal;
};
void progress_start(
	struct progress *p, const char *what, const char *unit, int64_t done, int64_t total);
void progress_update(struct progress *p, int64_t done, const char *note_format, ...)
	__attribute__((format(printf, 3, 4)));
void progress_end(struct progress *p);

/* Seconds since cli_start. */
double cli_seconds(void);

/*
 * Results: a table of named columns, printed as TSV with a header, or as JSON lines with --json.
 * Columns are given on the first row and must be equal on later ones.
 */
struct result;
struct result *result_new(FILE *f);
void result_text(struct result *r, const char *column, const char *value);
void result_int(struct result *r, const char *column, int64_t value);
void result_real(struct result *r, const char *column, double value, const char *format);
void result_row(struct result *r); /* ends a row */
void result_free(struct result *r);

/* What --dry-run prints: columns memory and mib, a row for each part and "all" for their sum. */
void memory_print(const struct memory_part *parts, int count);

#endif
