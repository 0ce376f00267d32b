#include "lib/cli/cli.h"

#include <errno.h>
#include <locale.h>
#include <omp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/cli/internal.h"
#include "lib/io/utf8.h"
#include "lib/program/blas.h"
#include "version.h"

struct cli cli;

static double started;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double cli_seconds(void)
{
	return now() - started;
}

static void print_version(FILE *f, struct argp_state *state)
{
	fprintf(f,
		"%s (transmamba) %s\nLicensed under the Apache License, Version 2.0; there is no "
		"warranty.\n",
		cli.tool, TM_VERSION);
}

/* One line on stderr, whatever the names in it contain. */
static void put_line(const char *kind, const char *format, va_list ap)
{
	char text[1200];

	vsnprintf(text, sizeof(text), format, ap);
	utf8_clean(text);
	progress_interrupt();
	fprintf(stderr, "%s: %s%s\n", cli.tool, kind, text);
}

static void put(const char *kind, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put_line(kind, format, ap);
	va_end(ap);
}

void cli_warn(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put_line("warning: ", format, ap);
	va_end(ap);
}

void cli_say(const char *format, ...)
{
	va_list ap;

	if (cli.quiet)
		return;
	va_start(ap, format);
	put_line("", format, ap);
	va_end(ap);
}

/* Closes stdout; 0, or the system's error. A closed stdout matters only if something was printed.
 */
static int close_stdout(void)
{
	static int closed;
	int failed;

	if (closed)
		return 0;
	closed = 1;
	errno = 0;
	failed = ferror(stdout);
	if (fclose(stdout) && errno != EBADF)
		failed = 1;
	return failed ? (errno ? errno : EIO) : 0;
}

/* For --help, --version and exits inside argp. */
static void at_exit(void)
{
	int failed = close_stdout();

	if (failed) {
		put("", "standard output: cannot be written: %s", strerror(failed));
		_exit(STATUS_IO);
	}
}

/* The tool's argp with the standard options as one more child. */
static void parse(const struct argp *argp, int argc, char **argv, void *settings, unsigned options)
{
	struct argp whole = *argp;
	struct argp_child *children;
	int n = 0;
	error_t failed;

	while (argp->children && argp->children[n].argp)
		n++;
	children = memory_new(n + 2, sizeof(*children));
	if (!children) {
		put("", "%s", error_message());
		exit(STATUS_SYSTEM);
	}
	memcpy(children, argp->children ? argp->children : children, n * sizeof(*children));
	children[n].argp = cli_standard(options);
	children[n].header = "Standard options:";
	children[n].group = 100;
	whole.children = children;
	argp_err_exit_status = STATUS_USAGE;
	argp_program_version_hook = print_version;
	failed = argp_parse(&whole, argc, argv, 0, NULL, settings);
	free(children);
	if (failed) {
		put("", "%s", strerror(failed));
		exit(failed == ENOMEM ? STATUS_SYSTEM : STATUS_USAGE);
	}
}

void cli_start(const struct argp *argp, int argc, char **argv, void *settings, unsigned options)
{
	const char *slash = strrchr(argv[0] ? argv[0] : "transmamba", '/');

	started = now();
	cli.tool = slash ? slash + 1 : argv[0] ? argv[0] : "transmamba";
	cli.device = "auto";
	cli.precision = "fp32";
	cli.threads = cli_default_threads();
	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error like a full disk */
	atexit(at_exit);
	cli.provenance = (struct provenance){
		.tool = cli.tool, .version = TM_DESCRIBE, .argc = argc, .argv = argv};
	parse(argp, argc, argv, settings, options);
	omp_set_num_threads(cli.threads);
	h5_show_errors(cli.verbose);
	if (options & CLI_DEVICE) {
		int status = blas_start();

		if (status)
			exit(cli_end(status));
		cli.provenance.blas = blas_name();
	}
	cli.provenance.threads = cli.threads;
	cli.provenance.device = options & CLI_DEVICE ? cli.device : NULL;
}

int cli_end(int status)
{
	int failed;

	if (status && status != STATUS_NO)
		put("", "%s", error_message()[0] ? error_message() : "failed without a reason");
	provenance_release(&cli.provenance);
	failed = close_stdout();
	if (failed && (!status || status == STATUS_NO)) {
		put("", "standard output: cannot be written: %s", strerror(failed));
		return STATUS_IO;
	}
	return status;
}
