/* Text from outside: is it UTF-8, and how to show it on one line. */
#ifndef IO_UTF8_H
#define IO_UTF8_H

#include <stddef.h>

/* 1 when the bytes are well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong). */
int utf8_valid(const char *text);

/* Replaces control characters and bytes that are not UTF-8 by '?', in place. */
void utf8_clean(char *text);

#endif
