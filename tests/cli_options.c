/* The frame of every tool: options, exit codes, results, progress; each case in a child. */
#include <fcntl.h>
#include <locale.h>
#include <omp.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/base/part.h"
#include "lib/cli/cli.h"
#include "tests/tap.h"

static const char *const kinds[] = {"rc", "cos", "l1", NULL};
static int64_t count;
static double rate;
static int kind, names;

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'c':
		count = cli_integer(state, "--count", arg, 0, 1000000);
		return 0;
	case 'r':
		rate = cli_number(state, "--rate", arg, 0, 10);
		return 0;
	case 'k':
		kind = cli_choice(state, "--kind", arg, kinds);
		return 0;
	case ARGP_KEY_ARG:
		names++;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {{"count", 'c', "N", 0, "Whole"},
	{"rate", 'r', "X", 0, "Real"}, {"kind", 'k', "rc|cos|l1", 0, "Chosen"}, {0}};
static const struct argp argp = {options, parse, "[NAME...]", "Does nothing."};

/* What a child does after cli_start. */
typedef int (*work)(void);

static int print_settings(void)
{
	printf("%lld %g %s %d %d %llu %s", (long long)count, rate, kinds[kind], names,
		omp_get_max_threads(), (unsigned long long)cli.seed, cli.device);
	return 0;
}

static int fail(void)
{
	return error(STATUS_DATA, "a\nb\033[31m: is wrong");
}

static int print_results(void)
{
	struct result *r = result_new(stdout);

	for (int i = 0; i < 2; i++) {
		result_text(r, "name", i ? "a\tb\n\"c\\" : "plain");
		result_int(r, "n", i);
		result_real(r, "x", i ? 0.1 : strtod("nan", NULL), NULL);
		result_row(r);
	}
	result_free(r);
	return 0;
}

static int show_progress(void)
{
	struct progress p;

	progress_start(&p, "training", "images", 100, 300);
	for (int i = 100; i <= 300; i += 100) {
		progress_update(&p, i, "loss %.2f", 1.5);
		usleep(300000);
	}
	cli_say("in between");
	progress_end(&p);
	return 0;
}

static int no_message(void)
{
	return STATUS_NO;
}

static char out[8192], err[8192];

static void slurp(int fd, char *text)
{
	size_t used = 0;
	ssize_t n;

	while (used < 8191 && (n = read(fd, text + used, 8191 - used)) > 0)
		used += n;
	text[used] = 0;
	close(fd);
}

/* Runs words (split at spaces) as a command; out, err; the exit code. */
static int run(const char *words, unsigned which, work w)
{
	char line[400], *argv[20], *rest = line, *word;
	int o[2], e[2], argc = 0, status;
	pid_t pid;

	snprintf(line, sizeof(line), "some/tool %s", words);
	while ((word = strsep(&rest, " ")))
		if (*word)
			argv[argc++] = word;
	argv[argc] = NULL;
	if (pipe(o) || pipe(e))
		return -1;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(o[1], 1);
		dup2(e[1], 2);
		for (int i = 0; i < 2; i++) {
			close(o[i]);
			close(e[i]);
		}
		cli_start(&argp, argc, argv, NULL, which);
		exit(cli_end(w()));
	}
	close(o[1]);
	close(e[1]);
	slurp(o[0], out);
	slurp(e[0], err);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void expect(int want, const char *words, unsigned which)
{
	int got = run(words, which, print_settings);

	if (!ok(got == want, "'%s' exits %d", words, want))
		diag("%d: %s%s", got, out, err);
}

static void printed(const char *words, unsigned which, const char *want)
{
	int got = run(words, which, print_settings);

	if (!ok(got == 0 && !strcmp(out, want), "'%s' gives '%s'", words, want))
		diag("%d: %s%s", got, out, err);
}

static void numbers(void)
{
	static const char *const wrong[] = {"-c 1.5", "-c 1e3", "-c x", "-c 5x", "-c -1", "-c 2M",
		"-c 99999999999999999999", "-c 10000000000000G", "-c +", "-c K", "--count",
		"-r nan", "-r inf", "-r 0x1p3", "-r 1,5", "-r 11", "-r -0.1", "-r 1e999", "-r .",
		"-k l2", "-k RC", "--nothing", "--json", "--seed 1", "-n", NULL};
	char empty[] = "";

	for (int i = 0; wrong[i]; i++)
		expect(STATUS_USAGE, wrong[i], 0);
	(void)empty;
	setenv("OMP_NUM_THREADS", "2", 1);
	printed("-c 12K -r 0.25 -k cos a b", 0, "12000 0.25 cos 2 2 0 auto");
	printed("a --count=7 b -r 1e-3 -- -k", 0, "7 0.001 rc 3 2 0 auto");
	printed("--cou 7", 0, "7 0 rc 0 2 0 auto");
	printed("--threads 3", CLI_THREADS, "0 0 rc 0 3 0 auto");
	printed("--seed 9000000000", CLI_SEED, "0 0 rc 0 2 9000000000 auto");
	expect(STATUS_USAGE, "--threads 0", CLI_THREADS);
	/* a locale with a decimal comma, where there is one */
	setenv("LC_ALL", "de_DE.UTF-8", 1);
	printed("-r 0.25", 0, "0 0.25 rc 0 2 0 auto");
	unsetenv("LC_ALL");
}

static void threads(void)
{
	cpu_set_t set, one;
	char want[80];

	unsetenv("OMP_NUM_THREADS");
	sched_getaffinity(0, sizeof(set), &set);
	snprintf(want, sizeof(want), "0 0 rc 0 %d 0 auto", CPU_COUNT(&set));
	printed("", 0, want);
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set)) {
			CPU_SET(i, &one);
			break;
		}
	sched_setaffinity(0, sizeof(one), &one);
	printed("", 0, "0 0 rc 0 1 0 auto");
	sched_setaffinity(0, sizeof(set), &set);
}

static void devices(void)
{
	unsigned d = CLI_DEVICE;

	setenv("OMP_NUM_THREADS", "2", 1);
	printed("--device cpu", d, "0 0 rc 0 2 0 cpu");
	printed("", d, "0 0 rc 0 2 0 auto");
	printed("--device cuda:1", d, "0 0 rc 0 2 0 cuda:1");
	expect(STATUS_USAGE, "--device cuda:", d);
	expect(STATUS_USAGE, "--device gpu", d);
	expect(STATUS_USAGE, "--precision fp16", d);
}

static int print_part(void)
{
	int64_t first, count;

	TRY(part_range(&cli.part, 72, 16, &first, &count));
	printf("%lld/%lld %lld+%lld", (long long)cli.part.index, (long long)cli.part.count,
		(long long)first, (long long)count);
	return 0;
}

/* 72 rows in batches of 16 are five batches, the last of 8. */
static void parts(void)
{
	static const char *const wrong[] = {"0/4", "5/4", "1/0", "4", "1/", "/4", "1/4/4", "-1/4",
		"+1/4", "1/4x", "a/b", "1/1001", "1/99999999999999999999", "1.0/4", NULL};
	static const struct {
		const char *words, *want;
	} right[] = {{"", "0/0 0+72"}, {"--part 1/1", "1/1 0+72"}, {"--part 1/2", "1/2 0+32"},
		{"--part=2/2", "2/2 32+40"}, {"--part 1/3", "1/3 0+16"},
		{"--part 2/3", "2/3 16+32"}, {"--part 3/3", "3/3 48+24"},
		{"--part 5/5", "5/5 64+8"}};
	struct part p = {999, 1000};
	int64_t first, count;
	char words[40];

	for (int i = 0; wrong[i]; i++) {
		snprintf(words, sizeof(words), "--part %s", wrong[i]);
		expect(STATUS_USAGE, words, CLI_PART);
	}
	expect(STATUS_USAGE, "--part 1/4", 0);
	for (int i = 0; i < (int)(sizeof(right) / sizeof(right[0])); i++) {
		int got = run(right[i].words, CLI_PART, print_part);

		if (!ok(got == 0 && !strcmp(out, right[i].want), "'%s' is %s", right[i].words,
			    right[i].want))
			diag("%d: %s%s", got, out, err);
	}
	ok(run("--part 6/6", CLI_PART, print_part) == STATUS_USAGE &&
			strstr(err, "72 rows, dealt in units of 16, make 5 parts at most"),
		"more parts than batches are refused");
	ok(!part_range(&p, INT64_MAX, 1, &first, &count) && first > 0 && count > 0 &&
			first / 998 == INT64_MAX / 1000,
		"no overflow");
}

static void messages(void)
{
	int got = run("", 0, fail);

	ok(got == STATUS_DATA && !strcmp(err, "tool: a?b?[31m: is wrong\n"),
		"an error is one line without controls");
	ok(run("", 0, no_message) == STATUS_NO && !err[0], "'no' has no message");
	ok(run("", 0, print_results) == 0 &&
			!strcmp(out, "name\tn\tx\nplain\t0\tnan\na\\tb\\n\"c\\\\\t1\t0.1\n"),
		"results as TSV");
	ok(run("--json", CLI_JSON, print_results) == 0 &&
			!strcmp(out, "{\"name\": \"plain\", \"n\": 0, \"x\": null}\n{\"name\": "
				     "\"a\\u0009b\\u000a\\\"c\\\\\", \"n\": 1, \"x\": 0.1}\n"),
		"results as JSON lines");
	diag("%s", out);
}

/* Lines of stderr in a pipe, a rewritten line on a terminal. */
static void progress(void)
{
	int master, status;
	pid_t pid;

	ok(run("", 0, show_progress) == 0 && strstr(err, "tool: training: 300/300 images, ") ==
						     err + strlen("tool: in between\n"),
		"in a log: only the end of a short run");
	diag("%s", err);
	ok(run("-q", 0, show_progress) == 0 && !err[0], "--quiet: nothing");
	setenv("TERM", "xterm", 1);
	fflush(stdout);
	pid = forkpty(&master, NULL, NULL, NULL);
	if (pid == 0) {
		char *argv[] = {(char *)"tool", NULL};

		cli_start(&argp, 1, argv, NULL, 0);
		exit(cli_end(show_progress()));
	}
	slurp(master, out);
	waitpid(pid, &status, 0);
	ok(strstr(out, "\rtool: training: 200/300 images, ") && strstr(out, "loss 1.50\033[K") &&
			strstr(out, "\r\033[Ktool: in between\r\n"),
		"on a terminal: one line that is rewritten, and ended before other words");
	ok(strstr(out, " left, loss") != NULL, "with the time left");
}

int main(void)
{
	numbers();
	threads();
	devices();
	parts();
	messages();
	progress();
	return done();
}
