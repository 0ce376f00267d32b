#include "lib/train/job_end.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* squeue's time of day, as "2026-11-25T04:50:00"; NONE, N/A and other words are none. */
static double time_of(const char *text)
{
	struct tm t = {.tm_isdst = -1};

	return strptime(text, "%Y-%m-%dT%H:%M:%S", &t) ? (double)mktime(&t) : 0;
}

static double ask_squeue(const char *job)
{
	char command[128], answer[64] = "";
	FILE *f;

	if (!*job || job[strspn(job, "0123456789")])
		return 0;
	snprintf(command, sizeof(command), "squeue -h -j %.20s -o %%e 2>/dev/null", job);
	f = popen(command, "r");
	if (!f)
		return 0;
	if (!fgets(answer, sizeof(answer), f))
		answer[0] = '\0';
	pclose(f);
	return time_of(answer);
}

double job_end(void)
{
	const char *end = getenv("SLURM_JOB_END_TIME"), *job = getenv("SLURM_JOB_ID");
	double seconds = end ? strtod(end, NULL) : 0;

	if (seconds > 0)
		return seconds;
	return job ? ask_squeue(job) : 0;
}
