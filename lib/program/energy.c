#include "lib/program/energy.h"

#include <dlfcn.h>
#include <stdio.h>

/* NVML's functions that are used, with types of our own: no header of it is needed. */
typedef int init_fn(void);
typedef int handle_fn(unsigned index, void **device);
typedef int energy_fn(void *device, unsigned long long *millijoules);

static char reason[160];

static void *symbol(void *library, const char *name)
{
	void *s = dlsym(library, name);

	if (!s && !*reason)
		snprintf(reason, sizeof(reason), "NVML lacks %s", name);
	return s;
}

static energy_fn *load(handle_fn **handle)
{
	void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
	energy_fn *energy = NULL;
	init_fn *init = NULL;

	if (!library) {
		snprintf(reason, sizeof(reason), "NVML (libnvidia-ml.so.1) was not found");
		return NULL;
	}
	*(void **)&init = symbol(library, "nvmlInit_v2");
	*(void **)handle = symbol(library, "nvmlDeviceGetHandleByIndex_v2");
	*(void **)&energy = symbol(library, "nvmlDeviceGetTotalEnergyConsumption");
	if (!init || !*handle || !energy)
		return NULL;
	if (init()) {
		snprintf(reason, sizeof(reason), "NVML does not start");
		return NULL;
	}
	return energy;
}

double energy_joules(int index)
{
	static energy_fn *energy;
	static handle_fn *handle;
	static int tried;
	unsigned long long millijoules = 0;
	void *device = NULL;

	if (!tried)
		energy = load(&handle);
	tried = 1;
	if (!energy)
		return -1;
	if (handle((unsigned)index, &device) || energy(device, &millijoules)) {
		snprintf(reason, sizeof(reason), "this GPU does not count its energy");
		return -1;
	}
	return millijoules * 1e-3;
}

const char *energy_reason(void)
{
	return reason;
}
