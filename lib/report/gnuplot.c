/* Calling gnuplot; see gnuplot.h. */
#include "lib/report/gnuplot.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

extern char **environ;

const char *gnuplot_colour(int i)
{
	/* Okabe and Ito, and five of Tol's */
	static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00",
		"#56b4e9", "#000000", "#882255", "#999933", "#332288", "#88ccee", "#aa4499"};

	return colours[i % (int)(sizeof(colours) / sizeof(colours[0]))];
}

int gnuplot_check_name(const char *text)
{
	for (; text && *text; text++)
		if (iscntrl((unsigned char)*text))
			return error(
				STATUS_USAGE, "names in a plot must not hold control characters");
	return 0;
}

/* Nothing is special between single quotes but the quote, which is doubled. */
void gnuplot_quote(FILE *f, const char *text)
{
	fputc('\'', f);
	for (; *text; text++) {
		if (*text == '\'')
			fputc('\'', f);
		fputc(*text, f);
	}
	fputc('\'', f);
}

static void put_picture(FILE *f, const struct picture *p, const char *terminal, const char *path)
{
	fprintf(f, "set terminal %s size %d,%d noenhanced background rgb 'white'\nset output ",
		terminal, p->width, p->height);
	gnuplot_quote(f, path);
	fprintf(f, "\nset multiplot layout %d,1 title ", p->panels);
	gnuplot_quote(f, p->title);
	fputc('\n', f);
	for (int i = 0; i < p->panels; i++)
		p->put_panel(f, p->what, i);
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

static int probe(const char *temporary, const char *path)
{
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	if (fd < 0)
		return error(STATUS_CANTCREATE, "%s: %s: is the folder there and writable?", path,
			strerror(errno));
	close(fd);
	return 0;
}

static int draw(const struct picture *p, char *const *temporary, char *const *path)
{
	FILE *script;
	int status = 0;

	for (int i = 0; i < 2 && !status; i++)
		status = probe(temporary[i], path[i]);
	if (status) {
		unlink(temporary[0]);
		return status;
	}
	script = tmpfile();
	if (!script)
		return error(STATUS_SYSTEM, "a temporary file cannot be made: %s", strerror(errno));
	fputs("set grid lc rgb '#dddddd'\nset key outside right top\nset border 3\nset tics "
	      "nomirror\nset lmargin 10\n",
		script);
	p->put_data(script, p->what);
	put_picture(script, p, "pngcairo", temporary[0]);
	put_picture(script, p, "svg", temporary[1]);
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

int gnuplot_draw(const struct picture *p)
{
	static const char *const types[] = {"png", "svg"};
	char *path[2], *temporary[2];
	int status = 0;

	TRY(gnuplot_check_name(p->stem));
	TRY(gnuplot_check_name(p->title));
	for (int i = 0; i < 2; i++) {
		path[i] = memory_format("%s.%s", p->stem, types[i]);
		temporary[i] = memory_format("%s.%d.tmp.%s", p->stem, getpid(), types[i]);
		if (!path[i] || !temporary[i])
			status = STATUS_SYSTEM;
	}
	if (!status)
		status = draw(p, temporary, path);
	for (int i = 0; i < 2; i++) {
		free(path[i]);
		free(temporary[i]);
	}
	return status;
}
