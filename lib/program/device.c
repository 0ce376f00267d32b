#include "lib/program/device.h"
#include "lib/base/memory.h"

#include <stdlib.h>
#include <string.h>

#ifdef REAL_DOUBLE
extern const struct op_impl *const cpu_ops[];
#define cpu_ops_base cpu_ops
#else
extern const struct op_impl *const cpu_ops_base[];
#endif
#ifdef ISA_v3
extern const struct op_impl *const cpu_ops_v3[], *const cpu_ops_v4[];
#endif

const char *op_name(enum op_id op)
{
	static const char *const names[] = {
#define OP(name) #name,
#include "lib/program/ops.def"
#undef OP
	};

	return op < OP_COUNT ? names[op] : "?";
}

static void *host_alloc(size_t bytes)
{
	return memory_new(bytes, 1);
}

static void host_copy(void *to, const void *from, size_t bytes)
{
	memcpy(to, from, bytes);
}

static void host_zero(void *p, size_t bytes)
{
	memset(p, 0, bytes);
}

static void host_set_one(real *p)
{
	*p = 1;
}

static int graphs_off;

void device_use_graphs(int on)
{
	graphs_off = !on;
}

int device_uses_graphs(void)
{
	return !graphs_off;
}

static void choose_level(struct device *d)
{
	d->name = "cpu";
	d->ops = cpu_ops_base;
#ifdef ISA_v3
	const char *wish = getenv("TM_ISA");
	int level = 4;

	if (wish)
		level = !strcmp(wish, "v4") ? 4 : !strcmp(wish, "v3") ? 3 : 1;
	__builtin_cpu_init();
	if (level >= 4 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
		__builtin_cpu_supports("avx512vl")) {
		d->name = "cpu x86-64-v4";
		d->ops = cpu_ops_v4;
	} else if (level >= 3 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
		   __builtin_cpu_supports("bmi2")) {
		d->name = "cpu x86-64-v3";
		d->ops = cpu_ops_v3;
	}
#endif
}

static const struct device *device_make(struct device *d, int plain)
{
	if (d->ops)
		return d;
	d->alloc = host_alloc;
	d->release = free;
	d->put = host_copy;
	d->get = host_copy;
	d->zero = host_zero;
	d->set_one = host_set_one;
	d->plain = plain;
	choose_level(d);
	return d;
}

const struct device *device_cpu(void)
{
	static struct device d;

	return device_make(&d, 0);
}

const struct device *device_cpu_plain(void)
{
	static struct device d;

	return device_make(&d, 1);
}
