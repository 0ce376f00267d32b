/* Pictures of curves by gnuplot; see plot.h. */
#include "lib/report/plot.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

enum { WIDTH = 900, PANEL_HEIGHT = 420 };

extern char **environ;

/* Colours that the colour-blind tell apart (Okabe and Ito). */
static const char *const colours[] = {
	"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"};
enum { COLOURS = sizeof(colours) / sizeof(colours[0]) };

static int is_plain(const char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			return 0;
	return 1;
}

static int check_names(const char *stem, const char *title, const struct panel *panels, int count)
{
	int plain = is_plain(stem) && is_plain(title);

	for (int p = 0; p < count; p++) {
		plain &= is_plain(panels[p].x) && is_plain(panels[p].words);
		for (int c = 0; c < panels[p].count; c++)
			plain &= is_plain(panels[p].curves[c].label);
	}
	return plain ? 0 : error(STATUS_USAGE, "names in a plot must not hold control characters");
}

/* In gnuplot's single quotes nothing is special but the quote, which is doubled. */
static void put_quoted(FILE *f, const char *text)
{
	fputc('\'', f);
	for (; *text; text++) {
		if (*text == '\'')
			fputc('\'', f);
		fputc(*text, f);
	}
	fputc('\'', f);
}

static void put_data(FILE *f, const struct panel *panels, int count)
{
	for (int p = 0; p < count; p++)
		for (int c = 0; c < panels[p].count; c++) {
			const struct curve *curve = &panels[p].curves[c];

			fprintf(f, "$data_%d_%d << END\n", p, c);
			for (int i = 0; i < curve->points; i++)
				fprintf(f, "%.10g %.10g %.10g %.10g\n", curve->x[i], curve->mean[i],
					curve->mean[i] - curve->sd[i],
					curve->mean[i] + curve->sd[i]);
			fputs("END\n", f);
		}
}

static int has_band(const struct curve *c)
{
	for (int i = 0; i < c->points; i++)
		if (c->n[i] > 1)
			return 1;
	return 0;
}

static void put_panel(FILE *f, const struct panel *panel, int p)
{
	const char *mark = "plot ";

	fputs("set xlabel ", f);
	put_quoted(f, panel->x);
	fputs("\nset ylabel ", f);
	put_quoted(f, panel->words);
	fputc('\n', f);
	for (int c = 0; c < panel->count; c++) {
		const char *colour = colours[c % COLOURS];

		if (has_band(&panel->curves[c])) {
			fprintf(f,
				"%s$data_%d_%d using 1:3:4 with filledcurves fs transparent solid "
				"0.2 noborder lc rgb '%s' notitle",
				mark, p, c, colour);
			mark = ", ";
		}
		fprintf(f,
			"%s$data_%d_%d using 1:2 with linespoints pt 7 ps 0.5 lw 2 lc rgb '%s' "
			"title ",
			mark, p, c, colour);
		put_quoted(f, panel->curves[c].label);
		mark = ", ";
	}
	fputc('\n', f);
}

/* All panels show the same part of x. */
static void put_range(FILE *f, const struct panel *panels, int count)
{
	double low = INFINITY, high = -INFINITY;

	for (int p = 0; p < count; p++)
		for (int c = 0; c < panels[p].count; c++) {
			const struct curve *k = &panels[p].curves[c];

			low = fmin(low, k->x[0]);
			high = fmax(high, k->x[k->points - 1]);
		}
	if (high > low)
		fprintf(f, "set xrange [%.10g:%.10g]\n", low, high);
}

static void put_picture(FILE *f, const char *terminal, const char *path, const char *title,
	const struct panel *panels, int count)
{
	fprintf(f, "set terminal %s size %d,%d noenhanced background rgb 'white'\nset output ",
		terminal, WIDTH, PANEL_HEIGHT * count);
	put_quoted(f, path);
	fprintf(f, "\nset multiplot layout %d,1 title ", count);
	put_quoted(f, title);
	fputc('\n', f);
	for (int p = 0; p < count; p++)
		put_panel(f, &panels[p], p);
	fputs("unset multiplot\nset output\n", f);
}

/* Runs gnuplot on a script and waits. */
static int run_gnuplot(FILE *script)
{
	char *argv[] = {"gnuplot", "-", NULL};
	posix_spawn_file_actions_t actions;
	int failed, state;
	pid_t child;

	if (fflush(script) || lseek(fileno(script), 0, SEEK_SET) < 0)
		return error(
			STATUS_SYSTEM, "a temporary file cannot be written: %s", strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fileno(script), STDIN_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	failed = posix_spawnp(&child, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (failed == ENOENT || failed == EACCES)
		return error(STATUS_UNAVAILABLE,
			"gnuplot is not installed: apt-get install gnuplot-nox, or make deps");
	if (failed)
		return error(STATUS_SYSTEM, "gnuplot cannot be started: %s", strerror(failed));
	while (waitpid(child, &state, 0) < 0)
		if (errno != EINTR)
			return error(STATUS_SYSTEM, "waiting for gnuplot: %s", strerror(errno));
	if (!WIFEXITED(state) || WEXITSTATUS(state))
		return error(STATUS_IO, "gnuplot failed: its own words are above");
	return 0;
}

static int keep(const char *temporary, const char *path)
{
	int fd = open(temporary, O_RDONLY);
	int status = 0;

	if (fd < 0 || lseek(fd, 0, SEEK_END) <= 0)
		status = error(STATUS_IO, "%s: gnuplot wrote nothing: is the disk full?", path);
	else if (fsync(fd) || rename(temporary, path))
		status = error(STATUS_IO, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (status)
		unlink(temporary);
	return status;
}

static int plot(char *const *temporary, char *const *path, const char *title,
	const struct panel *panels, int count)
{
	FILE *script = tmpfile();
	int status, probe;

	if (!script)
		return error(STATUS_SYSTEM, "a temporary file cannot be made: %s", strerror(errno));
	for (int i = 0; i < 2; i++) {
		probe = open(temporary[i], O_WRONLY | O_CREAT | O_TRUNC, 0666);
		if (probe < 0) {
			fclose(script);
			return error(STATUS_CANTCREATE, "%s: %s: is the folder there and writable?",
				path[i], strerror(errno));
		}
		close(probe);
	}
	fputs("set grid lc rgb '#dddddd'\nset key outside right top\nset border 3\nset tics "
	      "nomirror\n"
	      "set lmargin 10\n",
		script);
	put_range(script, panels, count);
	put_data(script, panels, count);
	put_picture(script, "pngcairo", temporary[0], title, panels, count);
	put_picture(script, "svg", temporary[1], title, panels, count);
	status = run_gnuplot(script);
	fclose(script);
	for (int i = 0; i < 2; i++) {
		if (status)
			unlink(temporary[i]);
		else
			status = keep(temporary[i], path[i]);
	}
	return status;
}

int plot_write(const char *stem, const char *title, const struct panel *panels, int count)
{
	static const char *const types[] = {"png", "svg"};
	char *path[2], *temporary[2];
	int status = 0;

	TRY(check_names(stem, title, panels, count));
	for (int i = 0; i < 2; i++) {
		path[i] = memory_format("%s.%s", stem, types[i]);
		temporary[i] = memory_format("%s.%d.tmp.%s", stem, getpid(), types[i]);
		if (!path[i] || !temporary[i])
			status = STATUS_SYSTEM;
	}
	if (!status)
		status = plot(temporary, path, title, panels, count);
	for (int i = 0; i < 2; i++) {
		free(path[i]);
		free(temporary[i]);
	}
	return status;
}
