#include "lib/base/part.h"

#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"

/* One to four digits that end with `end`; the character behind, or NULL. */
static const char *number(const char *text, char end, int64_t *value)
{
	size_t n = strspn(text, "0123456789");

	if (n < 1 || n > 4 || text[n] != end)
		return NULL;
	*value = strtol(text, NULL, 10);
	return text + n + 1;
}

int part_parse(struct part *p, const char *text)
{
	const char *rest = number(text, '/', &p->index);

	if (rest && number(rest, 0, &p->count) && p->index >= 1 && p->index <= p->count &&
		p->count <= PARTS_MAX)
		return 0;
	*p = (struct part){0};
	return error(STATUS_USAGE, "part '%.40s': I/N is wanted, I from 1 to N, N at most %d", text,
		PARTS_MAX);
}

int part_range(const struct part *p, int64_t total, int64_t unit, int64_t *first, int64_t *count)
{
	int64_t units = total / unit + (total % unit > 0), bound[2];

	*first = 0;
	*count = total;
	if (!p->count)
		return 0;
	if (units < p->count)
		return error(STATUS_USAGE,
			"part %lld of %lld: %lld rows, dealt in units of %lld, make %lld parts at "
			"most",
			(long long)p->index, (long long)p->count, (long long)total, (long long)unit,
			(long long)units);
	for (int i = 0; i < 2; i++) {
		int64_t k = p->index - 1 + i;

		/* units * k / count, without overflow */
		bound[i] = units / p->count * k + units % p->count * k / p->count;
		bound[i] = bound[i] == units ? total : bound[i] * unit;
	}
	*first = bound[0];
	*count = bound[1] - bound[0];
	return 0;
}
