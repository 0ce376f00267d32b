#include "lib/io/provenance.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* /proc/cpuinfo has "model name" on x86, "Model" on many arm64 boards. */
static int cpu_model(char *text, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[512];
	int found = 0;

	while (f && !found && fgets(line, sizeof(line), f)) {
		char *value = strchr(line, ':');

		if (!value || (strncmp(line, "model name", 10) && strncmp(line, "Model", 5)))
			continue;
		value += strspn(value, ": \t");
		value[strcspn(value, "\n")] = 0;
		snprintf(text, size, "%s", value);
		found = text[0] != 0;
	}
	if (f)
		fclose(f);
	return found;
}

const char *hardware_name(void)
{
	static char name[300];
	char model[200];
	cpu_set_t set;
	struct utsname u;
	int cores = 1;

	if (name[0])
		return name;
	if (!cpu_model(model, sizeof(model)))
		snprintf(model, sizeof(model), "%s", uname(&u) ? "unknown CPU" : u.machine);
	if (!sched_getaffinity(0, sizeof(set), &set))
		cores = CPU_COUNT(&set);
	snprintf(name, sizeof(name), "%s, %d core%s", model, cores, cores == 1 ? "" : "s");
	return name;
}
