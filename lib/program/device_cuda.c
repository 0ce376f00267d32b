/* Finds and loads the CUDA library. It is never linked: programs run without it. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/program/cuda_abi.h"

static const struct cuda_host host = CUDA_HOST(error);

/* Beside the program, in ../lib, or as TRANSMAMBA_CUDA says. */
static void *load(void)
{
	const char *places[] = {"", "../lib/", "../"}, *given = getenv("TRANSMAMBA_CUDA");
	char self[4096], path[4352];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	void *library;

	if (given)
		return dlopen(given, RTLD_NOW | RTLD_LOCAL);
	if (n > 0) {
		self[n] = 0;
		*(strrchr(self, '/') + 1) = 0;
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			snprintf(path, sizeof(path), "%s%s" CUDA_LIBRARY, self, places[i]);
			library = access(path, F_OK) ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
			if (library)
				return library;
		}
	}
	return dlopen(CUDA_LIBRARY, RTLD_NOW | RTLD_LOCAL);
}

static void *library(void)
{
	static void *loaded;

	if (!loaded)
		loaded = load();
	if (!loaded)
		error(STATUS_UNAVAILABLE,
			"no CUDA library (%s): build it with 'make cuda', or use --device cpu",
			dlerror());
	return loaded;
}

static void *symbol(const char *name)
{
	void *l = library(), *s = l ? dlsym(l, name) : NULL;

	if (l && !s)
		error(STATUS_UNAVAILABLE,
			"the CUDA library lacks %s: build it again with 'make cuda'", name);
	return s;
}

int device_cuda(const struct device **out, int index, enum precision precision)
{
	static struct device d;
	cuda_open *open;

	*out = &d;
	if (d.ops)
		return error(STATUS_BUG, "a second CUDA device in one process");
	*(void **)&open = symbol("transmamba_cuda_open");
	return open ? open(&host, index, precision, &d) : STATUS_UNAVAILABLE;
}

int device_cuda_count(void)
{
	cuda_count *count;

	*(void **)&count = symbol("transmamba_cuda_count");
	return count ? count(&host) : 0;
}
