#include "lib/train/owner.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE 512

struct owner {
	char *state, *path;
	char line[LINE]; /* what the file holds while the claim does */
};

static const char *variable(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

/* "1234" or, of an array, "1200_7"; "-" outside a job. */
static void job_name(char *text, size_t size)
{
	const char *task = variable("SLURM_ARRAY_TASK_ID", NULL);

	if (task)
		snprintf(text, size, "%s_%s", variable("SLURM_ARRAY_JOB_ID", "-"), task);
	else
		snprintf(text, size, "%s", variable("SLURM_JOB_ID", "-"));
}

static void write_line(char *line)
{
	char job[64], host[128] = "-", when[32];
	struct timespec t;

	job_name(job, sizeof(job));
	gethostname(host, sizeof(host) - 1);
	clock_gettime(CLOCK_REALTIME, &t);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", gmtime(&t.tv_sec));
	snprintf(line, LINE, "job %s restart %ld host %s pid %ld since %s.%09ld\n", job,
		strtol(variable("SLURM_RESTART_COUNT", "0"), NULL, 10), host, (long)getpid(), when,
		t.tv_nsec);
}

/* The file's line; empty when there is none. Opened anew: so network file systems look again. */
static void read_line(const char *path, char *line)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, line, LINE - 1);

	line[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* The job that a line names, and which run of it: 0 for the first. -1: no such line. */
static long run_of(const char *line, char job[static 64])
{
	int at = 0;
	char *end;
	long run;

	if (sscanf(line, "job %63s restart %n", job, &at) != 1 || !at)
		return -1;
	run = strtol(line + at, &end, 10);
	return end > line + at ? run : -1;
}

/* Both name the same job, and a's run of it is the earlier one. */
static int earlier_run(const char *a, const char *b)
{
	char job[2][64];
	long run[2] = {run_of(a, job[0]), run_of(b, job[1])};

	return run[0] >= 0 && run[1] > run[0] && job[0][0] != '-' && !strcmp(job[0], job[1]);
}

static int replaced(const struct owner *o, const char *line)
{
	return error(STATUS_IO, "%s: %s%.*s: this copy writes nothing more", o->state,
		*line ? "taken over by " : "its owner is gone, another copy has ended",
		(int)strcspn(line, "\n"), line);
}

static int put_line(const struct owner *o)
{
	char *temporary = memory_format("%s.%ld", o->path, (long)getpid());
	int fd, bad;

	if (!temporary)
		return STATUS_SYSTEM;
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	bad = fd < 0 || write(fd, o->line, strlen(o->line)) < 0;
	bad = (fd >= 0 && close(fd)) || bad || rename(temporary, o->path);
	if (bad) {
		bad = errno == ENOSPC || errno == EDQUOT ? STATUS_IO : STATUS_CANTCREATE;
		error(bad, "%s: cannot be made: %s", o->path, strerror(errno));
		unlink(temporary);
	}
	free(temporary);
	return bad;
}

static int claim(struct owner *o)
{
	char line[LINE];

	write_line(o->line);
	read_line(o->path, line);
	if (earlier_run(o->line, line))
		return replaced(o, line);
	return put_line(o);
}

static void owner_free(struct owner *o)
{
	free(o->state);
	free(o->path);
	free(o);
}

int owner_claim(struct owner **out, const char *state)
{
	struct owner *o = memory_new(1, sizeof(*o));
	int status = STATUS_SYSTEM;

	*out = NULL;
	if (!o)
		return STATUS_SYSTEM;
	o->state = memory_string(state);
	o->path = memory_format("%s.owner", state);
	if (o->state && o->path)
		status = claim(o);
	if (status)
		owner_free(o);
	else
		*out = o;
	return status;
}

int owner_holds(const void *owner)
{
	const struct owner *o = owner;
	char line[LINE];

	if (!o)
		return 0;
	read_line(o->path, line);
	return strcmp(line, o->line) ? replaced(o, line) : 0;
}

void owner_release(struct owner *o)
{
	char line[LINE];

	if (!o)
		return;
	read_line(o->path, line);
	if (!strcmp(line, o->line))
		unlink(o->path);
	owner_free(o);
}
