#include "lib/base/error.h"

#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];

int error(int code, const char *format, ...)
{
	va_list ap;
	char text[sizeof(message)]; /* arguments may point into the old message */

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	memcpy(message, text, sizeof(text));
	return code;
}

int error_context(int code, const char *format, ...)
{
	va_list ap;
	char text[sizeof(message)];
	int used;

	if (!code)
		return 0;
	va_start(ap, format);
	used = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (used < 0 || used >= (int)sizeof(text))
		used = sizeof(text) - 1;
	snprintf(text + used, sizeof(text) - used, ": %s", message);
	memcpy(message, text, sizeof(text));
	return code;
}

const char *error_message(void)
{
	return message;
}
