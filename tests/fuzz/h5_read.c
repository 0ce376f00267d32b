/*
 * Arbitrary bytes as a file of ours: everything that the library reads of it, and whatever
 * check-file looks at. HDF5's own failures on such files belong to the child that h5_open looks
 * with; its death is no finding.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/io/check.h"
#include "lib/io/provenance.h"
#include "lib/io/tensor_text.h"

static char path[] = "/tmp/fuzz-h5-XXXXXX";
static FILE *sink;

/* The fuzzer's handlers are not for the child, and an endless loop should not take long. */
static void in_child(void)
{
	static const int signals[] = {
		SIGPROF, SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGTERM, SIGINT};

	struct itimerval limit = {.it_value.tv_usec = 200000};

	setitimer(ITIMER_PROF, &limit, NULL); /* SIGPROF ends it */
	__sanitizer_set_death_callback(NULL);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
}

static void remove_file(void)
{
	unlink(path);
}

static int write_input(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0) {
		fd = mkstemp(path);
		sink = fopen("/dev/null", "w");
		atexit(remove_file);
		pthread_atfork(NULL, NULL, in_child);
	}
	return fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size;
}

static void read_all(struct h5 *f)
{
	struct tensor_statistics s;
	char **names;
	int count;

	if (!h5_attributes(f, &names, &count)) {
		for (int i = 0; i < count; i++)
			tensor_print_attribute(f, names[i], sink);
		free(names);
	}
	if (!h5_names(f, &names, &count)) {
		for (int i = 0; i < count; i++) {
			tensor_statistics(f, names[i], &s);
			tensor_print_values(f, names[i], sink);
		}
		free(names);
	}
}

static void read_provenance(struct h5 *f)
{
	struct provenance p = {.tool = "fuzz", .meter_from = -1};

	provenance_input(&p, f);
	provenance_release(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct h5 *f;

	if (write_input(data, size))
		return 0;
	if (h5_open(&f, path, NULL))
		return 0;
	check_whole(f);
	read_all(f);
	read_provenance(f);
	h5_close(&f);
	return 0;
}
