#include "lib/cli/internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TERMINAL_EVERY 0.25 /* seconds */
#define PLAIN_EVERY 30

static int line_open; /* a line on the terminal that has no end yet */

void progress_interrupt(void)
{
	if (line_open)
		fputs("\r\033[K", stderr);
	line_open = 0;
}

void progress_start(
	struct progress *p, const char *what, const char *unit, int64_t done, int64_t total)
{
	const char *term = getenv("TERM");

	*p = (struct progress){.what = what,
		.unit = unit,
		.done = done,
		.first = done,
		.total = total,
		.start = cli_seconds()};
	p->last = p->start;
	p->terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb");
}

/* "3:05" or "1:02:05" */
static void duration(char text[32], double seconds)
{
	long s = seconds < 0 ? 0 : seconds > 3.6e8 ? 360000000 : (long)(seconds + 0.5);

	if (s >= 3600)
		snprintf(text, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(text, 32, "%ld:%02ld", s / 60, s % 60);
}

static void print(struct progress *p, const char *note, int last)
{
	double spent = cli_seconds() - p->start;
	double rate = spent > 0 ? (double)(p->done - p->first) / spent : 0;
	char text[400], time[32];
	int used;

	duration(time, last || rate <= 0 ? spent : (double)(p->total - p->done) / rate);
	used = snprintf(text, sizeof(text), "%s: %s: %lld", cli.tool, p->what, (long long)p->done);
	if (p->total > 0)
		used += snprintf(text + used, sizeof(text) - used, "/%lld", (long long)p->total);
	used += snprintf(
		text + used, sizeof(text) - used, " %s, %.*f/s", p->unit, rate < 10 ? 2 : 0, rate);
	if (last)
		used += snprintf(text + used, sizeof(text) - used, ", %s", time);
	else if (p->total > 0 && rate > 0)
		used += snprintf(text + used, sizeof(text) - used, ", %s left", time);
	if (note[0] && used < (int)sizeof(text))
		snprintf(text + used, sizeof(text) - used, ", %s", note);
	if (p->terminal)
		fprintf(stderr, "\r%s\033[K%s", text, last ? "\n" : "");
	else
		fprintf(stderr, "%s\n", text);
	fflush(stderr);
	line_open = p->terminal && !last;
}

void progress_update(struct progress *p, int64_t done, const char *note_format, ...)
{
	double now = cli_seconds();
	char note[200] = "";
	va_list ap;

	p->done = done;
	if (cli.quiet || now - p->last < (p->terminal ? TERMINAL_EVERY : PLAIN_EVERY))
		return;
	p->last = now;
	if (note_format) {
		va_start(ap, note_format);
		vsnprintf(note, sizeof(note), note_format, ap);
		va_end(ap);
	}
	print(p, note, 0);
}

void progress_end(struct progress *p)
{
	if (!cli.quiet)
		print(p, "", 1);
}
