/*
 * Errors of the library: a status travels up, a message waits beside it.
 *
 * Functions that can fail return 0 or one of the codes below and leave one line of text, which says
 * what is wrong, where, and how to mend it. Only tools print it and exit with the code.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>

enum status {
	STATUS_OK = 0,
	STATUS_NO = 1,		 /* ran well, and the answer is no */
	STATUS_NUMBERS = 3,	 /* NaN, Inf, diverged */
	STATUS_USAGE = 64,	 /* called wrongly */
	STATUS_DATA = 65,	 /* input damaged, or it does not fit */
	STATUS_NOINPUT = 66,	 /* input missing */
	STATUS_UNAVAILABLE = 69, /* device or library asked for is not there */
	STATUS_BUG = 70,	 /* our mistake */
	STATUS_SYSTEM = 71,	 /* out of memory, or the system failed */
	STATUS_CANTCREATE = 73,	 /* cannot create an output */
	STATUS_IO = 74,		 /* an output could not be written whole */
	STATUS_AGAIN = 75,	 /* stopped early on purpose, state saved: run me again */
};

/* Records "what is wrong: how to mend it" for this thread and returns code. */
int error(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " before the recorded message and returns code unchanged (0 stays 0). */
int error_context(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The last message of this thread; "" when there was none. */
const char *error_message(void);

#define TRY(call)                                                                                  \
	do {                                                                                       \
		int try_status = (call);                                                           \
		if (try_status)                                                                    \
			return try_status;                                                         \
	} while (0)

#endif
