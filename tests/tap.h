/*
 * Test Anything Protocol for C: ok(...) prints one line, done() prints the plan and returns the
 * exit status of main. A test is ok only if its condition is true, so NaN comparisons fail when
 * they are written !(error <= bound).
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failed;

__attribute__((format(printf, 2, 3), unused)) static int ok(int good, const char *format, ...)
{
	va_list ap;

	printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	if (!good)
		tap_failed++;
	return good;
}

/* |got - want| <= bound * max(1, |want|) */
__attribute__((unused)) static int near(double got, double want, double bound, const char *what)
{
	double scale = fabs(want) > 1 ? fabs(want) : 1;

	if (ok(fabs(got - want) <= bound * scale, "%s", what))
		return 1;
	printf("# got %.10g, want %.10g within %g\n", got, want, bound);
	return 0;
}

__attribute__((unused)) static void skip(const char *why)
{
	printf("ok %d # SKIP %s\n", ++tap_count, why);
}

__attribute__((unused)) static void diag(const char *format, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
}

__attribute__((unused)) static int done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

#endif
