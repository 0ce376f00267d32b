#include "lib/program/tensor.h"

#include <stdio.h>

size_t type_size(enum type type)
{
	switch (type) {
	case TYPE_REAL:
		return sizeof(real);
	case TYPE_I32:
		return sizeof(int32_t);
	case TYPE_U8:
		return 1;
	case TYPE_BF16:
		return 2;
	}
	return 0;
}

const char *shape_text(int dims, const int64_t *shape)
{
	static _Thread_local char text[4][128];
	static _Thread_local int next;
	char *s = text[next = (next + 1) % 4];
	int used = snprintf(s, sizeof(text[0]), "(");

	for (int i = 0; i < dims && used < (int)sizeof(text[0]); i++)
		used += snprintf(s + used, sizeof(text[0]) - used, "%s%lld", i ? ", " : "",
			(long long)shape[i]);
	if (used < (int)sizeof(text[0]))
		snprintf(s + used, sizeof(text[0]) - used, ")");
	return s;
}
