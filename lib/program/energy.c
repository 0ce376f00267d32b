#include "lib/program/energy.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NVML's functions that are used, with types of our own: no header of it is needed. */
typedef int init_fn(void);
typedef int handle_fn(unsigned index, void **device);
typedef int uuid_fn(const char *uuid, void **device);
typedef int energy_fn(void *device, unsigned long long *millijoules);

static char reason[160];

static void *symbol(void *library, const char *name)
{
	void *s = dlsym(library, name);

	if (!s && !*reason)
		snprintf(reason, sizeof(reason), "NVML lacks %s", name);
	return s;
}

static struct {
	handle_fn *handle;
	uuid_fn *uuid;
	energy_fn *energy; /* NULL: nothing to be had */
	int tried;
} nvml;

static void load(void)
{
	void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
	init_fn *init = NULL;

	nvml.tried = 1;
	if (!library) {
		snprintf(reason, sizeof(reason), "NVML (libnvidia-ml.so.1) was not found");
		return;
	}
	*(void **)&init = symbol(library, "nvmlInit_v2");
	*(void **)&nvml.handle = symbol(library, "nvmlDeviceGetHandleByIndex_v2");
	*(void **)&nvml.uuid = symbol(library, "nvmlDeviceGetHandleByUUID");
	*(void **)&nvml.energy = symbol(library, "nvmlDeviceGetTotalEnergyConsumption");
	if (!init || !nvml.handle || !nvml.uuid || !nvml.energy)
		nvml.energy = NULL;
	else if (init()) {
		snprintf(reason, sizeof(reason), "NVML does not start");
		nvml.energy = NULL;
	}
}

/* CUDA_VISIBLE_DEVICES renumbers the devices for CUDA and not for NVML: numbers or names. */
static int find(int index, void **device)
{
	const char *list = getenv("CUDA_VISIBLE_DEVICES");
	char name[96], *end;
	long number;

	if (!list)
		return nvml.handle((unsigned)index, device);
	for (; index && *list; index--) {
		list += strcspn(list, ",");
		list += *list == ',';
	}
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(list, ","), list);
	number = strtol(name, &end, 10);
	if (end != name && !*end && number >= 0)
		return nvml.handle((unsigned)number, device);
	return nvml.uuid(name, device);
}

double energy_joules(int index)
{
	unsigned long long millijoules = 0;
	void *device = NULL;

	if (!nvml.tried)
		load();
	if (!nvml.energy)
		return -1;
	if (find(index, &device) || nvml.energy(device, &millijoules)) {
		snprintf(reason, sizeof(reason), "this GPU does not count its energy");
		return -1;
	}
	return millijoules * 1e-3;
}

const char *energy_reason(void)
{
	return reason;
}
