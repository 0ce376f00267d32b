/* Tables of results: means, deviations and differences reckoned by hand; damaged inputs. */
#include "lib/report/render.h"

#include <unistd.h>
#include "lib/base/error.h"
#include "tests/folder.h"
#include "tests/tap.h"

static const char *file(const char *name, const char *text)
{
	const char *p = in_folder(name);
	FILE *f = fopen(p, "w");

	fputs(text, f);
	fclose(f);
	return p;
}

static const char layout[] = "# a comment\n"
			     "title = Table 9: words & more\n"
			     "key = model\n"
			     "measure = shapes | top1 | ours\n"
			     "measure = shapes | best_top1 | best\n"
			     "measure = cifar | top1 | CIFAR | cifar | cifar_delta\n"
			     "info = share | data share\n"
			     "row = plain | Plain | P\n"
			     "row = trans | Trans | T | plain\n"
			     "row = other | Other | O | plain\n"
			     "row = extra | Extra | - | plain\n"
			     "row = hidden | Hidden\n"
			     "note = a note\n";
static const char paper[] = "model\tcifar\tcifar_delta\n"
			    "P\t70.00\tNA\n"
			    "T\t72.50\t2.50\n"
			    "O\t71.00\t0.10\n";
static const char rows[] = "name\tset\tseed\tscale\tbest_top1\ttop1\tshare\thardware\n"
			   "plain\tshapes\t0\ttiny\t48.5\t40\t3000\tbox\n"
			   "plain\tshapes\t1\ttiny\t\t42\t3000\tbox\n"
			   "plain\tshapes\t2\ttiny\t-\t47\t3000\tbox\n";
static const char more[] = "top1\tname\tset\tseed\tscale\tshare\n"
			   "50\ttrans\tshapes\t0\ttiny\t3000\n"
			   "53\ttrans\tshapes\t1\ttiny\t1500\n"
			   "-\textra\tshapes\t0\ttiny\t3000\n"
			   "1\tstranger\tshapes\t10\ttiny\t3000\n";

static int strangers;
static void unknown(const char *path, const char *name)
{
	strangers += !strcmp(name, "stranger");
}

static char *print(const struct table *t, enum render_format format)
{
	char *text = NULL, *notes[] = {"another note"};
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int status = render_table(t, format, notes, 1, f);

	fclose(f);
	return status ? NULL : text;
}

static int has(const char *text, const char *part)
{
	if (ok(text && strstr(text, part), "prints: %.*s", (int)strcspn(part, "\n"), part))
		return 1;
	diag("%s", text ? text : "nothing");
	return 0;
}

static void check_figures(const struct table *t)
{
	const struct measure *m = &t->measures[0];

	/* 40, 42, 47: mean 43, deviations -3 -1 4, sum of squares 26, over 2: 13 */
	ok(m->ours[0].n == 3 && m->ours[0].mean == 43, "mean of three");
	near(m->ours[0].sd, sqrt(13), 1e-15, "their deviation");
	ok(m->ours[1].n == 2 && m->ours[1].mean == 51.5, "mean of two");
	near(m->ours[1].sd, sqrt(4.5), 1e-15, "their deviation");
	ok(m->delta[1].n == 2 && m->delta[1].mean == 8.5, "difference to the baseline");
	ok(!m->ours[2].n && !m->delta[2].n && !m->ours[3].n, "not run");
	ok(t->measures[1].ours[0].n == 1 && t->measures[1].ours[0].mean == 48.5,
		"the best weights are another figure");
	ok(!t->measures[2].ours && t->measures[2].paper[1] == 72.5, "the paper's own column");
	ok(t->shown[2] && !t->shown[3] && !t->shown[4], "rows with nothing to show are left out");
	ok(strangers == 1, "a row that the layout does not know is reported");
}

static void check_formats(const struct table *t)
{
	char *text = print(t, RENDER_MARKDOWN);

	has(text, "### Table 9: words & more\n");
	has(text, "Ours: scale tiny; data shapes; seeds 0, 1, 2, 10; hardware box.\n");
	has(text, "| model | data share | ours | Δ | best | CIFAR, paper | Δ |\n");
	has(text, "|---|---:|---:|---:|---:|---:|---:|\n");
	has(text, "| Plain | 3000 | 43.00 ± 3.61 (3) | - | 48.50 | 70.00 | - |\n");
	has(text, "| Trans | 1500, 3000 | 51.50 ± 2.12 (2) | +8.50 | - | 72.50 | +2.50 |\n");
	has(text, "| Other | - | - | - | - | 71.00 | +0.10 [+1.00] |\n\nanother note\n\na note\n");
	free(text);
	text = print(t, RENDER_TSV);
	has(text, "model\tdata share\tours\tours sd\tours n\tours delta\tbest\tbest sd\tbest n\t"
		  "CIFAR, paper\tCIFAR, paper's delta\n");
	has(text, "Plain\t3000\t43.00\t3.61\t3\t-\t48.50\t-\t1\t70.00\t-\n");
	has(text, "# Table 9");
	free(text);
	text = print(t, RENDER_LATEX);
	has(text, "% Table 9: words & more\n");
	has(text, "Trans & 1500, 3000 & 51.50 $\\pm$ 2.12 (2) & +8.50 & - & 72.50 & +2.50 \\\\\n");
	has(text, "\\begin{tabular}{lrrrrrr}\n");
	free(text);
}

/* A scratch column, as in Table 6: another row's figures beside each row. */
static void check_prefix(void)
{
	char *names[1];
	struct table t;
	const char *l = file("l6", "title = t\nmeasure = - | top1 | trans | - | - | - | s-\n"
				   "measure = - | top1 | scratch | - | - | s-\nrow = 25 | 25 %\n");

	names[0] = (char *)file("r6", "name\tset\tseed\ttop1\n25\tx\t0\t30\ns-25\tx\t0\t21\n");
	strangers = 0;
	if (!ok(!table_make(&t, l, NULL, names, 1, unknown), "a layout with a prefix")) {
		diag("%s", error_message());
		return;
	}
	ok(t.measures[1].ours[0].mean == 21 && t.measures[0].delta[0].mean == 9 &&
			!t.measures[1].any_delta && !strangers,
		"the scratch column is the baseline");
	table_release(&t);
}

static void check_refused(const char *l, const char *p, const char *r, const char *word)
{
	char *names[] = {(char *)file("bad", r), (char *)file("bad2", more)};
	struct table t;
	int status =
		table_make(&t, file("bad.conf", l), p ? file("bad.tsv", p) : NULL, names, 2, NULL);

	if (!ok(status == STATUS_DATA && strstr(error_message(), word), "refused: %s", word))
		diag("%d %s", status, status ? error_message() : "");
	if (!status)
		table_release(&t);
}

static void check_damage(void)
{
	char *none[] = {"/nonexistent"};
	struct table t;

	check_refused(layout, paper, "name\tset\tseed\nplain\tshapes\n", "has 2 fields");
	check_refused(layout, paper, "name\tset\n", "no column seed");
	check_refused(layout, paper, "name\tname\n", "there twice");
	check_refused(layout, paper, "# nothing\n", "is empty");
	check_refused(layout, paper, "name\tset\tseed\tscale\ttop1\ntrans\tshapes\t1\ttiny\t5\n",
		"same run twice");
	check_refused(layout, paper, "name\tset\tseed\tscale\ttop1\ntrans\tshapes\t7\tpaper\t5\n",
		"of scales");
	check_refused(layout, "model\tx\n", rows, "no column cifar");
	check_refused(layout, NULL, rows, "none given");
	check_refused(
		"title = x\nmeasure = a | b | c\nrow = r | R | - | q\n", NULL, rows, "no row");
	check_refused("title = x\nrow = r\nrow = r\nmeasure = a | b | c\n", NULL, rows, "twice");
	check_refused("titel = x\n", NULL, rows, "bad.conf:1: titel is no key");
	check_refused("x\n", NULL, rows, "key = value");
	check_refused("row = a | b | c | d | e\n", NULL, rows, "more than 4");
	check_refused("title = x\n", NULL, rows, "are needed");
	ok(table_make(&t, file("l", layout), file("p", paper), none, 1, NULL) == STATUS_NOINPUT,
		"a missing file");
}

static void check_numbers(void)
{
	static const char *const no[] = {"", "-", "NA", "1x", "nan", "inf", "1,5", "1e999"};
	double value;
	int good = tsv_number("-2.5e1", &value) && value == -25 && !tsv_number(NULL, &value);

	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		good &= !tsv_number(no[i], &value);
	ok(good, "numbers are read whole or not at all");
}

int main(void)
{
	char *names[2];
	struct table t;

	names[0] = (char *)file("rows.tsv", rows);
	names[1] = (char *)file("more.tsv", more);
	if (ok(!table_make(&t, file("l.conf", layout), file("p.tsv", paper), names, 2, unknown),
		    "a table is made")) {
		check_figures(&t);
		check_formats(&t);
		table_release(&t);
	} else {
		diag("%s", error_message());
	}
	check_prefix();
	check_damage();
	check_numbers();
	return done() | (remove_folder(test_folder()) != 0);
}
