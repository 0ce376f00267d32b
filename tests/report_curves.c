/* Curves over seeds reckoned by hand; pictures where gnuplot is found, one line where it is not. */
#include "lib/report/plot.h"

#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "tests/folder.h"
#include "tests/tap.h"

static const struct curve_filter all = {NULL, NULL};

static char *file(int i, const char *text)
{
	static char path[4][128];
	FILE *f;

	snprintf(path[i], sizeof(path[i]), "%s/%d.tsv", test_folder(), i);
	f = fopen(path[i], "w");
	fputs(text, f);
	fclose(f);
	return path[i];
}

static void check_curve(struct curve *c)
{
	char *files[] = {file(0, "epoch\tloss\ttop1\n1\t4\t-\n2\t3\t10\n3\t2\t20\n"),
		file(1, "epoch\ttop1\tloss\n2\t12\t1\n3\t23\t1\n3\t26\t1\n4\t40\t1\n")};

	if (!ok(!curve_make(c, "a", files, 2, "epoch", "top1", &all), "a curve of two runs")) {
		diag("%s", error_message());
		return;
	}
	ok(c->points == 3 && c->x[0] == 2 && c->x[1] == 3 && c->x[2] == 4,
		"steps without a number are passed over");
	ok(c->mean[0] == 11 && c->mean[1] == 23 && c->mean[2] == 40, "means");
	near(c->sd[0], sqrt(2), 1e-15, "deviation of 10 and 12");
	near(c->sd[1], sqrt(18), 1e-15, "of 20 and 26, the later of two values");
	ok(c->n[0] == 2 && c->n[1] == 2 && c->n[2] == 1 && c->sd[2] == 0, "and of one run");
	ok(curve_reaches(c, 23, 0) == 3 && curve_reaches(c, 11.5, 0) == 3 &&
			isnan(curve_reaches(c, 41, 0)) && curve_reaches(c, 15, 1) == 2,
		"where a level is reached");
}

/* Rows of another kind, as a metrics file holds them. */
static void check_filter(void)
{
	char *files[] = {file(3, "event\tepoch\tloss\nstep\t0.5\t9\nepoch\t1\t4\nstep\t1\t8\n")};
	struct curve_filter where = {"event", "epoch"};
	struct curve c;

	ok(!curve_make(&c, "a", files, 1, "epoch", "loss", &where) && c.points == 1 &&
			c.mean[0] == 4,
		"only rows of one kind");
	curve_release(&c);
}

static void check_refused(void)
{
	char *files[] = {file(2, "epoch\ttop1\n1\t-\n"), "/nonexistent"};
	struct curve c;

	ok(curve_make(&c, "a", files, 1, "epoch", "top2", &all) == STATUS_DATA &&
			strstr(error_message(), "no column top2"),
		"a column that is not there");
	ok(curve_make(&c, "a", files, 1, "epoch", "top1", &all) == STATUS_DATA &&
			strstr(error_message(), "no row"),
		"no number at all");
	ok(curve_make(&c, "a", files + 1, 1, "epoch", "top1", &all) == STATUS_NOINPUT, "no file");
}

static int begins(const char *path, const char *with)
{
	char head[8] = {0};
	FILE *f = fopen(path, "rb");

	if (!f)
		return 0;
	head[fread(head, 1, strlen(with), f)] = 0;
	fclose(f);
	return !strcmp(head, with);
}

static void check_pictures(struct curve *c)
{
	struct panel panels[2] = {
		{"epoch", "top1", "it's top1", c, 1}, {"epoch", "loss", "loss", c, 1}};
	char stem[64], path[80], nowhere[64];
	char *saved = strdup(getenv("PATH"));
	struct stat s;
	int status;

	snprintf(stem, sizeof(stem), "%s/plot 'quoted'", test_folder());
	status = plot_write(stem, "a 'title' $data \"x\"", panels, 2);
	if (status == STATUS_UNAVAILABLE) {
		skip("gnuplot is not installed");
	} else {
		snprintf(path, sizeof(path), "%s.png", stem);
		ok(!status && begins(path, "\x89PNG"), "a PNG");
		snprintf(path, sizeof(path), "%s.svg", stem);
		ok(begins(path, "<?xml") && !stat(path, &s) && s.st_size > 2000, "an SVG");
		snprintf(nowhere, sizeof(nowhere), "%s/none/plot", test_folder());
		ok(plot_write(nowhere, "t", panels, 2) == STATUS_CANTCREATE, "a missing folder");
	}
	ok(plot_write(stem, "a\nquit", panels, 2) == STATUS_USAGE, "a name with a line end");
	setenv("PATH", test_folder(), 1);
	snprintf(stem, sizeof(stem), "%s/none", test_folder());
	ok(plot_write(stem, "t", panels, 2) == STATUS_UNAVAILABLE &&
			strstr(error_message(), "gnuplot is not installed"),
		"without gnuplot: unavailable");
	snprintf(path, sizeof(path), "%s.png", stem);
	ok(stat(path, &s) != 0, "and nothing is left");
	setenv("PATH", saved, 1);
	free(saved);
}

int main(void)
{
	struct curve c;

	check_curve(&c);
	check_filter();
	check_refused();
	check_pictures(&c);
	curve_release(&c);
	return done() | (remove_folder(test_folder()) != 0);
}
