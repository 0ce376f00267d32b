/*
 * The memory that --dry-run names against what the process takes: within 10 % or 64 MiB, whichever
 * is more.
 */
#include "tests/micro.h"

#include <sys/resource.h>
#include <sys/wait.h>

/* Runs the tool; its standard output into text. Peak in MiB, or -1. */
static double run(char *const *argv, char *text, size_t size)
{
	struct rusage use;
	int ends[2], status;
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	if (pipe(ends))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(ends[1], 1);
		close(ends[0]);
		close(ends[1]);
		execv(argv[0], argv);
		_exit(127);
	}
	close(ends[1]);
	while (used < size - 1 && (n = read(ends[0], text + used, size - 1 - used)) > 0)
		used += n;
	text[used] = 0;
	close(ends[0]);
	if (wait4(pid, &status, 0, &use) != pid || status)
		return -1;
	return use.ru_maxrss / 1024.0;
}

static void check(const char *tool, const char *arguments)
{
	char copy[1024], text[4096], *argv[64] = {(char *)tool}, *rest = copy, *word, *all;
	double planned = -1, peak, room;
	int n = 1, dry;

	snprintf(copy, sizeof(copy), "%s", arguments);
	while ((word = strsep(&rest, " ")))
		if (*word)
			argv[n++] = word;
	dry = n;
	argv[n++] = (char *)"--dry-run";
	argv[n] = NULL;
	if (run(argv, text, sizeof(text)) >= 0 && (all = strstr(text, "\nall\t")))
		planned = strtod(all + 5, NULL);
	argv[dry] = NULL;
	peak = run(argv, text, sizeof(text));
	room = fmax(64, 0.1 * planned);
	if (!ok(planned > 0 && peak > 0 && fabs(peak - planned) <= room,
		    "%.0f MiB planned, %.0f MiB taken", planned, peak))
		diag("%s %s", tool, arguments);
}

/* Appends arguments; @ stands for the folder of the files. */
static void expand(char *to, size_t size, const char *from)
{
	size_t used = strlen(to);

	for (const char *c = from; *c; c++)
		used += *c == '@' ? snprintf(to + used, size - used, "%s/", test_folder())
				  : snprintf(to + used, size - used, "%c", *c);
}

static void check_others(const char *bin)
{
	static const char *const rows[][2] = {
		{"calibrate",
			"--student @deit-t --teacher @deit-t --data @train.h5 --set batch=4 -o "
			"@out.h5"},
		{"extract-teacher-features", "--teacher @deit-t --data @train.h5 --set views=1 "
					     "--set batch=8 -o @out.h5"},
		{"eval-cls", "--weights @deit-t --data @train.h5 --batch 32 --predictions @out.h5"},
	};
	char tool[512], arguments[1024];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(tool, sizeof(tool), "%s/%s", bin, rows[i][0]);
		snprintf(arguments, sizeof(arguments), "-q --device cpu ");
		expand(arguments, sizeof(arguments), rows[i][1]);
		check(tool, arguments);
	}
}

static void check_all(const char *tool)
{
	static const struct {
		const char *init, *more;
	} rows[] = {
		{"pmamba-micro-t", "--method task --batch 64"},
		{"pmamba-micro-t",
			"--method wsab --teacher @deit-micro-t --batch 64 --shards 4 --valid "
			"@valid.h5"},
		{"deit-t", "--method task --batch 4 --workers 2"},
		{"deit-t", "--method task --batch 4 --optimizer sgd --set shards=4 --valid "
			   "@valid.h5 --set eval_batch=8"},
	};
	char arguments[1024];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(arguments, sizeof(arguments),
			"-q --device cpu --steps 1 --init %s --data %s -o %s ",
			in_folder(rows[i].init), in_folder("train.h5"), in_folder("out.h5"));
		expand(arguments, sizeof(arguments), rows[i].more);
		check(tool, arguments);
	}
}

/* gcc tells of it by a macro, clang by a feature. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif

int main(void)
{
	static const char *const archs[] = {"pmamba-micro-t", "deit-micro-t", "deit-t"};
	const char *bin = getenv("TM_BIN");
	char tool[512];

	snprintf(tool, sizeof(tool), "%s/distill-step", bin ? bin : "build/bin");
	if (access(tool, X_OK)) {
		skip("no distill-step: set TM_BIN");
		return done();
	}
#ifdef SANITIZED
	skip("a sanitizer's own memory is not planned");
	return done();
#endif
	for (int i = 0; i < 3; i++) {
		struct network_config c;

		network_find(archs[i], &c);
		c.classes = SHAPES_CLASSES;
		if (micro_weights(in_folder(archs[i]), &c, 1))
			ok(0, "%s: %s", archs[i], error_message());
	}
	if (micro_images(in_folder("train.h5"), SHAPES_TRAIN, 64, 1) ||
		micro_images(in_folder("valid.h5"), SHAPES_VALID, 16, 1))
		ok(0, "images: %s", error_message());
	check_all(tool);
	check_others(bin ? bin : "build/bin");
	remove_folder(test_folder());
	return done();
}
