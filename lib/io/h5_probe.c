/*
 * A first look at a file in a process of its own.
 *
 * HDF5's code for its own structures trusts them: a damaged or made-up global heap, tree of chunks
 * or object header can send it out of bounds or into an endless loop (1.10.8 and later; H5HG_read
 * takes sizes and indices from the file unchecked). A child therefore walks all of the structure
 * first: attributes, lists of names, shapes, trees of chunks, texts, provenance. Only what it
 * survives is opened here. Values are not read, but for the first row of each dataset: chunks are
 * guarded by checksums and by the sizes checked in h5_set.c.
 */
#include "lib/io/h5_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/io/provenance.h"

#define PROBE_SECONDS 2		     /* of processor time, and one more for every 32 MiB */
#define PROBE_ROW ((int64_t)1 << 20) /* bytes */

static void read_attributes(struct h5 *f, hid_t object)
{
	char **names, *text;
	int count;

	if (h5_names_of(f, object, 1, &names, &count))
		return;
	for (int i = 0; i < count; i++) {
		h5_attr_get(f, object, names[i], &text);
		free(text);
	}
	free(names);
}

static void read_rows(struct h5 *f, struct h5_set *s)
{
	int64_t rows = s->dims ? s->shape[0] : 1, row = h5_row_count(s), count;
	char **text;
	void *data;

	if (s->type == H5_TEXT) {
		if (!h5_get_strings(f, s->name, &count, &text))
			free(text);
		return;
	}
	if (!rows || !row || row > PROBE_ROW / (int64_t)h5_type_size(s->type))
		return;
	data = malloc((size_t)row * h5_type_size(s->type));
	if (data)
		h5_read(f, s->name, s->type, 0, 1, data);
	free(data);
}

static void walk(struct h5 *f)
{
	struct h5_set *s;
	char **names;
	int count, links;

	read_attributes(f, f->file);
	if (h5_names(f, &names, &count))
		return;
	for (int i = 0; i < count; i++) {
		if (h5_find(f, names[i], &s))
			continue;
		read_attributes(f, s->id);
		H5Dget_storage_size(s->id);
		read_rows(f, s);
	}
	free(names);
	provenance_links(f, &links);
	for (int i = 0; i < links; i++) {
		char **attributes, *text;

		if (provenance_attributes(f, i, &attributes, &count))
			continue;
		for (int k = 0; k < count; k++) {
			provenance_get(f, i, attributes[k], &text);
			free(text);
		}
		free(attributes);
	}
}

static void child(struct h5 *f, const char *path)
{
	rlim_t seconds = PROBE_SECONDS + (rlim_t)(f->size >> 25);
	struct rlimit none = {0, 0}, time = {seconds, seconds};
	int null = open("/dev/null", O_RDWR);

	/* what the C library says of a broken heap is not for the user */
	if (null >= 0) {
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_CPU, &time);
	H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
	f->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
	if (f->file >= 0) {
		walk(f);
		h5_sets_free(f);
		H5Fclose(f->file);
	}
	_exit(0); /* ends the child */
}

int h5_probe(struct h5 *f, const char *path)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return h5_error(
			f, STATUS_SYSTEM, "no process to look at it in: %s", strerror(errno));
	if (pid == 0)
		child(f, path);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return h5_error(f, STATUS_SYSTEM, "waitpid: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return h5_error(f, STATUS_DATA, "is damaged: HDF5 does not survive its structure");
}
