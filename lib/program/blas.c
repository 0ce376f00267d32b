#include "lib/program/blas.h"
#include "lib/base/error.h"
#include "lib/program/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int blas_start(void)
{
	static const char *const levels[] = {"base", "v3", "v4"};
	const char *wish = getenv("TM_ISA"), *name = device_cpu()->name;
	int level = -1;

	for (int i = 0; wish && i < 3; i++)
		if (!strcmp(wish, levels[i]))
			level = i;
	if (wish && level < 0)
		return error(STATUS_USAGE, "TM_ISA=%s: must be base, v3 or v4", wish);
	if (level > 0 && !strstr(name, wish))
		return error(STATUS_UNAVAILABLE,
			"TM_ISA=%s: this CPU or build does not have it: unset it for %s", wish,
			name);
	return 0;
}

const char *blas_name(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "gemm, %s", device_cpu()->name);
	return name;
}
