#include "lib/io/json.h"
#include "lib/base/error.h"
#include "lib/io/views.h"

#include <string.h>

/*
 * What jansson would take and a checkpoint may not hold, and what would cost it memory: nesting,
 * number of values, minus signs. Strings are skipped; whether they are right is jansson's affair.
 */
static int scan(const char *text, size_t size, int depth, size_t values)
{
	size_t count = 0;
	int level = 0;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (c == '"') {
			for (i++; i < size && text[i] != '"'; i++)
				if (text[i] == '\\')
					i++;
		} else if (c == '{' || c == '[') {
			if (++level > depth)
				return error(STATUS_DATA, "JSON is nested deeper than %d", depth);
		} else if (c == '}' || c == ']') {
			if (--level == 0)
				return 0; /* the object is over */
		} else if (c == '-') {
			return error(STATUS_DATA, "JSON holds a negative number at byte %zu", i);
		}
		if ((c == ',' || c == ':') && ++count > values)
			return error(STATUS_DATA, "JSON holds more than %zu values", values);
	}
	return 0;
}

int json_read_object(
	json_t **object, const char *text, size_t size, int depth, size_t values, size_t *end)
{
	json_error_t e;

	*object = NULL;
	if (size < 2 || text[0] != '{')
		return error(STATUS_DATA, "JSON does not begin with '{'");
	TRY(scan(text, size, depth, values));
	*object = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &e);
	if (!*object)
		return error(STATUS_DATA, "JSON is wrong at byte %d: %.150s", e.position,
			printable(e.text, strlen(e.text)));
	*end = e.position;
	return 0;
}

json_int_t json_count(const json_t *v)
{
	json_int_t i;

	if (!json_is_integer(v))
		return -1;
	i = json_integer_value(v);
	return i >= 0 && i <= ((json_int_t)1 << 53) ? i : -1;
}
