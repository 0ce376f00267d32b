/* Errors of HDF5 in our words. */
#include "lib/io/h5_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static int verbose;

void h5_show_errors(int on)
{
	verbose = on;
}

void h5_library_start(void)
{
	static int started;

	/* After a write that failed HDF5's own clean-up at exit crashes; we close what we open. */
	if (!started)
		H5dont_atexit();
	if (!verbose)
		H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
	/* Filters are code: none is loaded because a file names it. */
	if (!started)
		H5PLset_loading_state(0);
	started = 1;
}

struct reason {
	char text[160];
	int number; /* errno, 0: none seen */
	int locked;
};

static herr_t visit(unsigned n, const H5E_error2_t *e, void *data)
{
	struct reason *r = data;
	const char *number = e->desc ? strstr(e->desc, "errno = ") : NULL;

	if (!e->desc)
		return 0;
	if (number && !r->number)
		r->number = (int)strtol(number + strlen("errno = "), NULL, 10);
	if (strstr(e->desc, "unable to lock file"))
		r->locked = 1;
	if (!r->text[0])
		snprintf(r->text, sizeof(r->text), "%s", e->desc);
	return 0;
}

void h5_reason(char *text, size_t size, int *code)
{
	struct reason r = {{0}};

	H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, visit, &r);
	if (r.number == ENOSPC || r.number == EDQUOT || r.number == EFBIG || r.number == EIO)
		*code = *code == STATUS_CANTCREATE ? STATUS_IO : *code;
	if (r.locked)
		snprintf(text, size,
			"the file system refused a lock (%s): another program may be writing it; "
			"if not, set HDF5_USE_FILE_LOCKING=FALSE",
			r.number ? strerror(r.number) : "no reason given");
	else if (r.number)
		snprintf(text, size, "%s", strerror(r.number));
	else
		snprintf(text, size, "%s", r.text[0] ? r.text : "no reason given by HDF5");
}

static int say(const struct h5 *f, int code, const char *format, va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, ap);
	return error(code, "%s: %s", f->path, text);
}

int h5_error(const struct h5 *f, int code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(f, code, format, ap);
	va_end(ap);
	return code;
}

int h5_failed(struct h5 *f, int code, const char *format, ...)
{
	char reason[400], text[600];
	va_list ap;

	h5_reason(reason, sizeof(reason), &code);
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	error(code, "%s: %s: %s", f->path, text, reason);
	if (f->writer && !f->failed)
		f->failed = code;
	return code;
}
