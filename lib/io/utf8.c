#include "lib/io/utf8.h"

/* Bytes of the well-formed character at p, 0 when there is none. */
static int character(const unsigned char *p)
{
	int more = *p < 0x80 ? 0 : *p >= 0xc2 && *p < 0xe0 ? 1 : (*p & 0xf0) == 0xe0 ? 2 : 3;

	if ((*p >= 0x80 && *p < 0xc2) || *p > 0xf4)
		return 0;
	for (int i = 1; i <= more; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
		(*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return more + 1;
}

int utf8_valid(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p;) {
		int n = character(p);

		if (!n)
			return 0;
		p += n;
	}
	return 1;
}

void utf8_clean(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p;) {
		int n = character(p);

		/* C1 controls are two bytes: c2 80 .. c2 9f */
		if (n == 0 || *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0)) {
			for (int i = 0; i < (n ? n : 1); i++)
				p[i] = '?';
		}
		p += n ? n : 1;
	}
}
